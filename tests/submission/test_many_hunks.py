"""Estimates and requests of the same code in few hunks and in many."""

import json
from collections.abc import Sequence
from decimal import Decimal

import pytest

from claude_batch.anthropic_api.results import Usage
from claude_batch.costs.estimates import LIMIT_MAX, estimate_output_tokens
from claude_batch.diff.model import Hunk
from claude_batch.ledger.events import AnyEvent
from claude_batch.ledger.usage_history import MIN_SAMPLES
from claude_batch.submission.requests import REQUEST_BYTES, REQUEST_TASKS, group_tasks
from claude_batch.tasks.task import Task, TaskId
from ledger_events import answered, asked, intent
from submissions import CHANGED, Claim, claim

LINE = b"    total = total + price * amount"  # 34 bytes


def tasks_of(hunks: int, total: int) -> list[Task]:
    """Tasks with `total` bytes of hunk bodies together, on a few files."""
    size = total // hunks
    rows = b"\n".join([b" " + LINE, b"-" + LINE, *[b"+" + LINE] * (size // (len(LINE) + 2) + 1)])
    body = rows[:size]
    return [
        Task(TaskId(f"{n:064x}"), "review", f"f{n // 60}.py", Hunk(10 * n, 10 * n, body), CHANGED)
        for n in range(1, hunks + 1)
    ]


def estimated(tasks: list[Task], past: Sequence[AnyEvent] = (), **settings: object) -> Claim:
    return claim(past, *tasks, **settings)


def dollars(made: Claim) -> tuple[Decimal, Decimal]:
    estimates = made.estimates
    return sum(row.usd for row in estimates), sum(row.usd_max for row in estimates)  # type: ignore[return-value]


@pytest.mark.parametrize("effort", ["low", "medium", "high"])
def test_thirty_kilobytes_cost_at_most_twice_as_much_in_many_hunks(effort: str) -> None:
    unlimited = {"pull_request": False, "month": False}
    few, many = (
        dollars(estimated(tasks_of(hunks, 30_000), effort=effort, budget=unlimited))
        for hunks in (1, 180)
    )
    for one, other in zip(few, many, strict=True):
        assert one <= other <= 2 * one


def test_the_same_holds_for_an_estimate_from_history() -> None:
    past: list[AnyEvent] = []
    for n in range(MIN_SAMPLES):
        usage = Usage(input=1_000, output=900)
        past += [intent(f"i{n}"), asked(f"i{n}", 0, "a", "b"), answered(f"i{n}", usage=usage)]
    few, many = (estimated(tasks_of(hunks, 30_000), past) for hunks in (1, 180))
    assert few.basis == many.basis == "history"
    assert dollars(few)[0] <= dollars(many)[0] <= 2 * dollars(few)[0]


@pytest.mark.parametrize("hunk_bytes", [110, 165, 300])
def test_a_large_diff_of_one_line_hunks_is_within_the_default_budget(hunk_bytes: int) -> None:
    tasks = tasks_of(132_000 // hunk_bytes, 132_000)
    made = estimated(tasks)
    assert made.refused is None
    assert dollars(made)[1] < 1
    assert made.part.new == len(tasks)


@pytest.mark.parametrize("effort", ["low", "medium", "high", "xhigh", "max"])
def test_a_request_expects_a_third_of_its_limit_at_most(effort: str) -> None:
    groups = [group.asked for group in group_tasks(tasks_of(300, 15_000), [], effort=effort)]
    assert len(groups) > 1
    for group in groups:
        size = sum(len(task.hunk.body) for task in group)
        expected = estimate_output_tokens(size, len(group), effort)
        assert 3 * expected <= LIMIT_MAX
        assert size <= REQUEST_BYTES
        assert len(group) <= REQUEST_TASKS


def test_the_limit_that_is_sent_is_three_times_what_is_expected() -> None:
    for hunks in (10, 180, 700):
        made = estimated(tasks_of(hunks, 100_000), budget={"pull_request": False})
        for request in (request for batch in made.batches for request in batch.requests):
            limit = json.loads(request.body.read())["max_tokens"]
            assert 3 * request.estimate.output_tokens <= limit <= LIMIT_MAX
