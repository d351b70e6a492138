from decimal import Decimal
from itertools import count

import pytest

from claude_batch.batches.batching import custom_id
from claude_batch.config.model import Budget, Config
from claude_batch.costs.prices import Prices, UnknownModel
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.findings.finding import compute_finding_id
from claude_batch.ledger.events import RequestRecorded
from claude_batch.ledger.view import LedgerState
from claude_batch.verification.evidence import CodeExcerpt
from claude_batch.verification.planner import VerificationPlanner
from claude_batch.verification.requests import Claim
from ledger_events import answered, asked, at, intent, submitted
from responses import finding, hunk

HUNK = hunk("+a = 1\n+b = 2", 0, 1)
# Two pull requests, and of each an answer with one finding.
REQUESTS = {pr: asked(f"i{pr}", 0, f"t{pr}", pr=pr) for pr in (7, 8)}
EVENTS = [
    event
    for pr, request in REQUESTS.items()
    for event in (
        intent(f"i{pr}"),
        request,
        submitted(f"i{pr}"),
        answered(f"i{pr}", findings=1),
    )
]


def case(origin: RequestRecorded) -> Claim:
    task = origin.tasks[0].id
    said = finding(1, id=compute_finding_id(custom_id(origin.intent, 0, origin.sha), 0), task=task)
    seen = AnchoredTask.from_hunk(task, "a.py", HUNK)
    return Claim(said, origin, "batch", seen, CodeExcerpt(HUNK))


CASES = [case(request) for request in REQUESTS.values()]


def planner(**config: object) -> VerificationPlanner:
    ids = count()
    return VerificationPlanner(
        Config.model_validate(config),
        Prices.load(),
        "run-2",
        at(20),
        lambda: f"{next(ids):016x}",
    )


def test_one_batch_for_all_pull_requests_and_each_pays_for_its_own() -> None:
    (parcel,) = planner().plan(LedgerState.from_events(EVENTS), CASES).batches
    assert (parcel.intent.follows, parcel.intent.lane) == ("verify", "batch")
    rows = [draft.event for draft in parcel.requests]
    assert [(row.pr, row.purpose, row.model) for row in rows] == [
        (7, "verify", "claude-haiku-5-5"),
        (8, "verify", "claude-haiku-5-5"),
    ]
    assert [row.about for row in rows] == [(one.finding.id,) for one in CASES]
    assert all(Decimal(0) < row.estimate.usd < row.estimate.usd_max for row in rows)
    assert all(row.estimate.usd * 2 == row.estimate.usd_standard for row in rows)


def test_twice_is_once() -> None:
    view = LedgerState.from_events(EVENTS)
    first = planner().plan(view, CASES)
    after = LedgerState.from_events([*EVENTS, *first.write.events])
    assert planner().plan(after, CASES).batches == ()


def test_switched_off_nothing_follows() -> None:
    assert planner(verify=None).plan(LedgerState.from_events(EVENTS), CASES).write.events == ()


def test_a_pull_request_without_money_does_not_hold_up_another() -> None:
    spent = asked("i9", 0, "t9", pr=7)
    paid = answered("i9", usd=Decimal("0.9999"))
    view = LedgerState.from_events([*EVENTS, intent("i9"), spent, paid])
    steps = planner(budget=Budget(pull_request=Decimal(1), month=None)).plan(view, CASES)
    (parcel,) = steps.batches
    assert [draft.event.pr for draft in parcel.requests] == [8]
    assert [refusal.exit_code for refusal in steps.refused] == [4]


def test_what_one_pull_request_takes_of_the_month_the_next_cannot_have() -> None:
    view = LedgerState.from_events(EVENTS)
    (parcel,) = planner().plan(view, CASES).batches
    most = parcel.requests[0].event.estimate.usd_max
    month = Decimal("0.04") + most * Decimal("1.5")  # what both answers have cost, and a bit
    tight = planner(budget=Budget(pull_request=None, month=month))
    steps = tight.plan(view, CASES)
    assert [len(parcel.requests) for parcel in steps.batches] == [1]
    assert len(steps.refused) == 1


def test_a_model_without_a_price_is_not_asked() -> None:
    with pytest.raises(UnknownModel):
        planner(verify="gpt").plan(LedgerState.from_events(EVENTS), CASES)
