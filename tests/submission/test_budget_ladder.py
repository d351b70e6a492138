"""What is given up when a submission does not fit its budget."""

from dataclasses import replace
from decimal import Decimal

import pytest

from claude_batch.cli.output.submit_result import estimate_document, estimate_text
from claude_batch.costs.prices import UnknownModel
from claude_batch.diff.model import Hunk
from claude_batch.ledger.view import LedgerState
from claude_batch.submission.budget_ladder import OVER_BUDGET
from claude_batch.submission.planner import SubmitResult
from claude_batch.tasks.task import Task
from ledger_events import at
from submissions import Claim, asked_for, claim_scope, claimant, subject, task

LADDER = ["claude-haiku-5-5", "effort=low", "risky-only"]


def file(path: str, size: int = 200) -> Task:
    made = task(path, path)
    return replace(made, hunk=Hunk(1, 1, b"+" + b"x" * size))


FILES = [
    file("docs.md", 900),
    file("tests/test_a.py", 900),
    file("src/a.py", 300),
    file("src/auth.py"),
]


def claim(usd: str | float, *tasks: Task, steps: list[str] = LADDER) -> Claim:
    budget = {"pull_request": Decimal(str(usd)), "month": False}
    return claim_scope(
        claimant(ladder=steps, budget=budget), LedgerState(), subject(*(tasks or FILES))
    )


def most(steps: list[str], *tasks: Task) -> Decimal:
    """What a claim with exactly these settings reserves."""
    model = next((step for step in steps if step.startswith("claude")), "claude-sonnet-5-5")
    effort = "low" if "effort=low" in steps else "medium"
    made = claimant(model=model, effort=effort).plan(LedgerState(), subject(*(tasks or FILES)))
    return sum((one.usd_max for one in made.estimates), Decimal(0))


def test_within_the_budget_no_step_is_taken() -> None:
    made = claim(most([]))
    assert made.ladder_steps == ()
    assert made.batches[0].requests[0].event.model == "claude-sonnet-5-5"


def test_first_a_cheaper_model() -> None:
    made = claim(most(LADDER[:1]))
    (draft,) = made.batches[0].requests
    assert made.ladder_steps == ("claude-haiku-5-5 instead of claude-sonnet-5-5",)
    assert (draft.event.model, draft.event.effort) == ("claude-haiku-5-5", "medium")
    assert b'"model":"claude-haiku-5-5"' in draft.body.read()
    assert made.plan.left_out[1:] == ()


def test_then_less_effort() -> None:
    made = claim(most(LADDER[:2]))
    (draft,) = made.batches[0].requests
    assert made.ladder_steps[1] == "effort low instead of medium"
    assert (draft.event.model, draft.event.effort) == ("claude-haiku-5-5", "low")
    assert b'"effort":"low"' in draft.body.read()


def test_then_the_riskiest_files_and_the_others_wait() -> None:
    two = most(LADDER, FILES[2], FILES[3])
    made = claim(two)
    assert made.ladder_steps[2] == "only the riskiest files"
    assert asked_for(made.batches) == ["src/a.py", "src/auth.py"]
    assert (made.plan.new, made.plan.reused) == (2, 0)
    assert made.plan.left_out[1:] == ()
    assert made.part.waiting == 2
    (unsent,) = made.flush.unsent
    assert (unsent.plan, unsent.reason, unsent.retry_at) == (made.plan.id, "budget", at(15))
    assert unsent.problem == OVER_BUDGET
    assert len(made.plan.files) == 4, "publish joins them when they are answered one day"
    assert sum((one.usd_max for one in made.estimates), Decimal(0)) <= two


def test_a_risky_file_that_is_too_large_does_not_keep_the_next_from_being_sent() -> None:
    huge = file("src/login.py", 30_000)
    made = claim(most(LADDER, FILES[2]), huge, FILES[2])
    assert asked_for(made.batches) == ["src/a.py"]


def test_in_the_end_nothing_is_sent() -> None:
    made = claim("0.0001")
    assert made.batches == ()
    assert made.refused
    assert made.refused.exit_code == 4
    assert made.refused.problem.endswith(
        ", also with: claude-haiku-5-5 instead of claude-sonnet-5-5; effort low instead of medium; "
        "only the riskiest files"
    )
    assert [event.type for event in made.write.events] == ["plan", "unsent"]
    assert made.plan.new == 0


def test_without_a_ladder_nothing_is_given_up() -> None:
    made = claim(most(LADDER[:1]), steps=[])
    assert made.refused
    assert "also with" not in made.refused.problem
    assert made.ladder_steps == ()


def test_a_step_that_saves_nothing_is_passed_over() -> None:
    made = claim(most(LADDER[:1]), steps=["claude-opus-5-5", "effort=high", "claude-haiku-5-5"])
    assert made.ladder_steps == ("claude-haiku-5-5 instead of claude-sonnet-5-5",)
    assert made.batches[0].requests[0].event.effort == "medium"


def test_once_narrow_it_stays_narrow() -> None:
    one = most(["claude-haiku-5-5"], FILES[3])
    made = claim(one, steps=["risky-only", "claude-haiku-5-5"])
    assert made.ladder_steps == (
        "only the riskiest files",
        "claude-haiku-5-5 instead of claude-sonnet-5-5",
    )
    assert asked_for(made.batches) == ["src/auth.py"]


def test_a_model_of_the_ladder_without_a_price_is_found_before_it_is_needed() -> None:
    with pytest.raises(UnknownModel, match="claude-haiku-5-6"):
        claim(100, steps=["claude-haiku-5-6"])


def test_what_was_given_up_is_said() -> None:
    done = SubmitResult(claim(most(LADDER[:2])).part, "batch")
    said = estimate_text(done).splitlines()
    assert said[1:3] == [
        "over budget, reduced by: claude-haiku-5-5 instead of claude-sonnet-5-5",
        "over budget, reduced by: effort low instead of medium",
    ]
    assert "estimate from defaults: 1 request" in estimate_text(done)
    assert list(estimate_document(done)["ladder"]) == [
        "claude-haiku-5-5 instead of claude-sonnet-5-5",
        "effort low instead of medium",
    ]
