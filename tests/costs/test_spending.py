from decimal import Decimal

import pytest

from claude_batch.anthropic_api.results import Outcome
from claude_batch.costs.entries import list_cost_entries
from claude_batch.costs.spending import GroupBy, build_spending_report, render_spending_csv
from claude_batch.ledger.events import Plan
from claude_batch.ledger.view import LedgerState
from claude_batch.tasks.plan import PlannedFile, PlannedTask
from claude_batch.tasks.task import TaskId
from ledger_events import answered, asked, at, failed, intent, plan, settled

VIEW = LedgerState.from_events(
    [
        intent("i1", requests=3),
        asked("i1", 0, "t1", pr=7),
        asked("i1", 1, "t2", pr=8, kind="security"),
        asked("i1", 2, "t3", pr=None),
        answered("i1", 0),
        answered("i1", 1, minute=60 * 24, usd=Decimal("0.10"), usd_standard=Decimal("0.20")),
        failed("i1", 2),
        intent("i2"),
        asked("i2", 0, "t4"),  # still open: nothing is paid
        settled("i3", 0, "t5", model="claude-haiku-5-5"),
    ]
)


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("day", {"2026-11-22": ("0.04", 3), "2026-11-23": ("0.10", 1)}),
        ("repository", {"octo/demo": ("0.14", 4)}),
        ("pull_request", {"7": ("0.04", 2), "8": ("0.10", 1), "none": ("0", 1)}),
        ("kind", {"review": ("0.04", 3), "security": ("0.10", 1)}),
        ("model", {"claude-haiku-5-5": ("0.02", 1), "claude-sonnet-5-5": ("0.12", 3)}),
    ],
)
def test_receipts_in_groups(by: GroupBy, groups: dict[str, tuple[str, int]]) -> None:
    found = build_spending_report([VIEW], by, None)
    assert {one.name: (one.receipt.usd, one.receipt.requests) for one in found.groups} == {
        name: (Decimal(usd), requests) for name, (usd, requests) in groups.items()
    }
    assert (found.total.receipt.usd, found.total.usd_estimated) == (
        Decimal("0.14"),
        Decimal("0.04"),
    )


def test_the_model_is_that_of_the_answer() -> None:
    """An alias is asked, and a model answers; a later plan reuses the answer."""
    task = PlannedTask(id=TaskId("t1"), kind="review", old_start=1, new_start=1)
    file = PlannedFile(path="a", old_path="a", old_blob="", new_blob="", tasks=(task,))
    view = LedgerState.from_events(
        [
            intent("i1", requests=2),
            asked("i1", 0, "t1", model="claude-sonnet-latest"),
            asked("i1", 1, "t2", model="claude-sonnet-latest"),
            answered("i1", 0),
            failed("i1", 1),  # without an answer the model that was asked counts
            plan("p1", 20).model_copy(update={"files": (file,), "reused": 1}),
        ]
    )
    found = build_spending_report([view], "model", None)
    assert {
        one.name: (one.receipt.requests, one.receipt.saved_by_dedupe) for one in found.groups
    } == {"claude-sonnet-5-5": (1, Decimal("0.02")), "claude-sonnet-latest": (1, Decimal(0))}


def test_since_a_time() -> None:
    found = build_spending_report([VIEW], "day", at(60))
    assert [one.name for one in found.groups] == ["2026-11-23"]
    assert build_spending_report([VIEW], "day", at(60 * 48)).groups == ()


def test_several_ledgers_are_one_sum() -> None:
    other = LedgerState.from_events([intent("j"), asked("j", 0, "t9"), answered("j", 0)])
    (entry,) = list_cost_entries([other])
    total = build_spending_report([VIEW, other], "day", None).total.receipt
    assert total.usd == Decimal("0.14") + (entry.answer.usd or 0)
    assert total.requests == 5


def test_a_request_that_two_ledgers_have_counts_once() -> None:
    assert build_spending_report([VIEW, VIEW], "day", None).total.receipt.usd == Decimal("0.14")


def test_csv() -> None:
    assert render_spending_csv(build_spending_report([VIEW], "kind", None)) == (
        "kind,usd,usd_standard,saved_usd,requests,input_tokens,output_tokens,"
        "cache_read_tokens,cache_write_tokens,usd_estimated,unknown\n"
        "review,0.04,0.08,0.04,3,200,80,0,0,0.03,0\n"
        "security,0.10,0.20,0.10,1,100,40,0,0,0.01,0\n"
        "total,0.14,0.28,0.14,4,300,120,0,0,0.04,0\n"
    )


def test_nothing_paid_is_a_total_of_nothing() -> None:
    found = build_spending_report([], "model", None)
    assert found.groups == ()
    assert render_spending_csv(found).endswith("total,0,0,0,0,0,0,0,0,0,0\n")


def test_an_answer_without_a_price_is_unknown_and_not_free() -> None:
    view = LedgerState.from_events(
        [
            intent("i1", requests=3),
            *(asked("i1", n, f"t{n}") for n in range(3)),
            answered("i1", 0, usd=None, usd_standard=None),  # tokens, and no price
            failed("i1", 1, outcome=Outcome.UNREADABLE),  # an answer that does not say its tokens
            failed("i1", 2),  # expired: not billed
        ]
    )
    found = build_spending_report([view], "kind", None)
    assert found.total.unknown == 2
    assert render_spending_csv(found).endswith("total,0,0,0,3,100,40,0,0,0.03,2\n")


def test_a_folded_request_keeps_its_lane() -> None:
    view = LedgerState.from_events([settled("i1", 0, "t1"), settled("i2", 0, "t2", lane="now")])
    saved = build_spending_report([view], "kind", None).total.receipt
    assert (saved.saved_by_batch, saved.saved_by_cache) == (Decimal("0.02"), Decimal("0.02"))


def test_what_was_not_asked_again_counts_where_it_was_wanted() -> None:
    """Two of three tasks of an answer come again, on another pull request and in its next push."""
    tasks = tuple(
        PlannedTask(id=TaskId(name), kind="review", old_start=1, new_start=1)
        for name in ("t1", "t2", "new")
    )
    file = PlannedFile(path="a", old_path="a", old_blob="", new_blob="", tasks=tasks)

    def second(name: str, minute: float, head: str) -> Plan:
        more = {"files": (file,), "new": 1, "reused": 2, "head": head}
        return plan(name, minute, pr=8).model_copy(update=more)

    view = LedgerState.from_events(
        [
            intent("i1"),
            asked("i1", 0, "t1", "t2", "t3", pr=7),
            answered("i1", usd=Decimal("0.03")),
            second("p1", 20, "c1"),
            second("p2", 30, "c1"),  # the same head again
            second("p3", 40, "c2"),
        ]
    )
    found = build_spending_report([view], "pull_request", None)
    saved = {one.name: one.receipt.saved_by_dedupe for one in found.groups}
    assert saved == {"7": Decimal(0), "8": Decimal("0.04")}
    assert found.total.receipt.saved_by_dedupe == Decimal("0.04")
    assert build_spending_report([view], "day", at(35)).total.receipt.saved_by_dedupe == Decimal(
        "0.02"
    )
