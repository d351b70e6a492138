"""Second looks in the run that fetched the findings: in lane now, while that is cheap."""

from decimal import Decimal
from itertools import count

import pytest

from claude_batch.batches.collect_result import CollectResult
from claude_batch.config.model import Budget, Config
from claude_batch.sandbox.http_messages import Fault, HttpRequest
from claude_batch.verification import planner
from claude_batch.verification.immediate import MAX_AT_ONCE
from rig import PullRig, Rig
from second_looks import ADDED, CREATE, TEN, Judge, Open, answered, follow, outcomes

MESSAGES = "/v1/messages"
MOST_IN_LANE_NOW = Decimal("0.00077")  # about what the budget reserves for one claim


def dollars_of_looks(rig: Rig) -> Decimal:
    looks = [row for row in rig.view.requests if row.request.purpose == "verify"]
    return sum((row.answer.usd or Decimal(0) for row in looks if row.answer), Decimal(0))


def test_findings_are_posted_by_the_run_that_fetched_them(shop_open: Open) -> None:
    with shop_open(Judge((TEN, ADDED), wrong=(ADDED,))) as pull:
        answered(pull)
        result = follow(pull)
        assert [(sent.id, sent.requests) for sent in result.sent] == [(None, 2)]
        done = pull.publish()
        assert pull.reviewed() == [("cart.py", 10)]
        assert outcomes(pull) == {f"About {TEN}": "posted", f"About {ADDED}": "refuted"}
        assert pull.rig.sent() == [CREATE, MESSAGES, MESSAGES]
        # Its price is on the receipts of the run and of the pull request.
        assert result.receipt.usd == dollars_of_looks(pull.rig) > 0
        assert result.receipt.usd == result.receipt.usd_standard
        assert done.receipt.usd > result.receipt.usd
        assert follow(pull) == CollectResult(), "once"


@pytest.mark.parametrize(
    ("name", "limit"), [("MAX_EXTRA_OF_PULL_REQUEST", "0.0001"), ("MAX_EXTRA_OF_RUN", "0.0001")]
)
def test_where_it_costs_more_it_is_a_batch(
    shop_open: Open, monkeypatch: pytest.MonkeyPatch, name: str, limit: str
) -> None:
    monkeypatch.setattr(planner, name, Decimal(limit))
    with shop_open(Judge((TEN, ADDED))) as pull:
        answered(pull)
        follow(pull)
        assert pull.rig.sent() == [CREATE, CREATE]


def test_where_the_budget_is_too_small_for_it_it_is_a_batch(shop_open: Open) -> None:
    with shop_open(Judge((TEN,))) as pull:
        answered(pull)
        spent = pull.rig.view.spent(pull.rig.view.plans[0].at)
        # A batch reserves half of what lane now does.
        pull.rig.config = Config(budget=Budget(pull_request=spent + MOST_IN_LANE_NOW * 3 / 4))
        follow(pull)
        (look,) = [row for row in pull.rig.view.requests if row.request.purpose == "verify"]
        most = look.request.estimate.usd_max
        assert most < MOST_IN_LANE_NOW * 3 / 4 < 2 * most
        assert pull.rig.sent() == [CREATE, CREATE]


@pytest.mark.parametrize("status", [429, 529, 500])
def test_a_refusal_sends_the_rest_as_a_batch(shop_open: Open, status: int) -> None:
    calls = count()

    def faults(call: HttpRequest) -> Fault | None:
        if call.path != MESSAGES or next(calls) == 0:
            return None
        return Fault(status)

    with shop_open(Judge((TEN, ADDED)), faults=faults) as pull:
        answered(pull)
        result = follow(pull)
        sent = pull.rig.sent()
        assert sent.count(MESSAGES) == 2, "without a retry"
        assert sent.count(CREATE) == 2
        # After 500 the request may have been paid for, which the receipt says.
        assert (result.lost_usd > 0) == (status == 500)
        pull.rig.collect()
        assert pull.publish().waiting == 0


def test_a_timeout_is_repeated_once_and_is_said(shop_open: Open) -> None:
    def faults(call: HttpRequest) -> Fault | None:
        return Fault(after=True) if call.path == MESSAGES else None

    with shop_open(Judge((TEN,)), faults=faults) as pull:
        answered(pull)
        result = follow(pull)
        assert pull.rig.sent() == [CREATE, MESSAGES, CREATE]
        assert result.lost_usd > 0, "possibly paid twice, on the receipt"
        assert follow(pull) == CollectResult()
        pull.rig.collect()
        assert pull.publish().receipt.lost_usd > 0
        (remark,) = pull.forge.list_review_comments(pull.number)
        assert "unverified" not in remark.body


def test_a_killed_run_leaves_at_most_one_request_of_each_thread_in_doubt(
    shop_open: Open,
) -> None:
    with shop_open(Judge((TEN, ADDED))) as pull:
        answered(pull)
        kill_while_recording(pull)
        opened = [row for row in pull.rig.view.open_batches() if row.intent.lane == "now"]
        assert 1 <= len(opened) <= MAX_AT_ONCE
        for _ in range(4):
            pull.rig.clock.forward(minutes=31)
            pull.rig.collect()
        looks = [row for row in pull.rig.view.requests if row.request.purpose == "verify"]
        assert all(row.answer for row in looks)
        assert sum(row.answer.usage is None for row in looks if row.answer) <= MAX_AT_ONCE
        assert pull.rig.sent().count(MESSAGES) == len(looks)


def kill_while_recording(pull: PullRig) -> None:
    """Stop the run when it has sent its requests, before it records an answer."""
    rig = pull.rig
    ledger, transact = rig.ledger, rig.ledger.transact
    calls = count()

    def transact_once(*args: object, **options: object) -> object:
        if next(calls):  # the first is the claim
            raise KeyboardInterrupt
        return transact(*args, **options)  # type: ignore[arg-type]

    ledger.transact = transact_once  # type: ignore[method-assign, assignment]
    try:
        with pytest.raises(KeyboardInterrupt):
            follow(pull)
    finally:
        del ledger.transact  # type: ignore[method-assign]
