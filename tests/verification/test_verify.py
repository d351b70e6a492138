"""Two findings, a second look at both: what is refuted is never said."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

import ledger_events
from claude_batch.anthropic_api.results import Outcome
from claude_batch.batches.collect_result import CollectResult
from claude_batch.config.model import Budget, Config
from claude_batch.git.repository import Repository
from claude_batch.ledger.store import Write
from claude_batch.sandbox.http_messages import (
    Fault,
    fail_calls,
)
from claude_batch.verification.verify import Verifier
from program import open_place
from rig import PRICES
from second_looks import (
    ADDED,
    CREATE,
    TEN,
    Judge,
    Open,
    answered,
    batches_only,
    follow,
    looked,
    outcomes,
)
from shop import environ


def test_no_second_look_while_a_payment_may_be_unreadable(shop_open: Open) -> None:
    with shop_open(Judge((TEN, ADDED))) as pull:
        answered(pull)
        lost = ledger_events.answered("lost")
        pull.rig.ledger.transact(lambda state: Write((lost,)))
        found = follow(pull)
        assert found.sent == ()
        assert found.notes == (
            "no second look: nothing was sent, because the ledger is damaged: intent lost: "
            "answered, but not readable",
        )


def test_two_findings_one_of_them_wrong(shop_open: Open) -> None:
    judge = Judge((TEN, ADDED), wrong=(ADDED,))
    with shop_open(judge, faults=batches_only()) as pull:
        answered(pull)

        # The answers are there; nobody has looked again, so nothing is said yet.
        before = pull.publish()
        assert (before.posted, before.waiting, pull.reviewed()) == (0, 2, [])

        # One batch with a request for each file, and what it shows.
        followed = follow(pull)
        (sent,) = followed.sent
        assert (sent.requests, sent.tasks, followed.notes) == (2, 2, ())

        # While it is open the findings wait, and nothing is sent twice.
        assert follow(pull) == CollectResult()
        assert pull.publish().waiting == 2

        # One is upheld and posted, the other is refuted and stays in the ledger.
        pull.rig.collect()
        done = pull.publish()
        assert pull.reviewed() == [("cart.py", 10)]
        assert [drop.reason for drop in done.dropped] == ["refuted"]
        assert "Not shown: 1 (refuted by the second look)." in pull.summary()
        assert "unverified" not in pull.forge.list_review_comments(pull.number)[0].body
        assert outcomes(pull) == {f"About {TEN}": "posted", f"About {ADDED}": "refuted"}

        # It is on the same receipt, and a tenth of a cent would be much for it.
        looks = [row for row in pull.rig.view.requests if row.request.purpose == "verify"]
        assert {row.request.pr for row in looks} == {pull.number}
        paid = sum((row.answer.usd or Decimal(0) for row in looks if row.answer), Decimal(0))
        assert Decimal(0) < paid < Decimal("0.001")
        assert done.receipt.usd > paid
        assert done.receipt.models == ("claude-haiku-5-5", "claude-sonnet-5-5")

        # Nobody looks a third time.
        assert follow(pull) == CollectResult()
        assert pull.publish().posted == 0


def test_it_is_shown_the_lines_around_the_claim(shop_open: Open) -> None:
    judge = Judge((TEN,))
    with shop_open(judge) as pull:
        looked(pull)
    (shown,) = judge.seen
    rows = shown.split("\n")
    assert rows[0] == '<file path="cart.py">'
    assert "|line_6 = 6" in rows
    assert "1 line_7 = 7" in rows
    assert "5+line_10 = 'ten'" in rows
    assert "|line_14 = 14" in rows
    assert 'rows="5-5"' in shown
    assert shown.endswith(f"> About {TEN}\n> It goes wrong.\n</claim>")


def test_switched_off_it_is_posted_as_it_is(shop_open: Open) -> None:
    with shop_open(Judge((TEN,), wrong=(TEN,)), Config(verify=None)) as pull:
        answered(pull)
        assert follow(pull) == CollectResult()
        assert (pull.publish().waiting, pull.reviewed()) == (0, [("cart.py", 10)])


@pytest.mark.parametrize("says", [lambda shown: "", lambda shown: '{"verdicts":[]}'])
def test_an_unreadable_verdict_refutes_nothing(shop_open: Open, says: Callable[[str], str]) -> None:
    with shop_open(Judge((TEN,), says=says)) as pull:
        looked(pull)
        (look,) = [row for row in pull.rig.view.requests if row.request.purpose == "verify"]
        assert look.answer
        assert look.answer.outcome is Outcome.UNREADABLE
        pull.publish()
        (remark,) = pull.forge.list_review_comments(pull.number)
        assert remark.body.startswith("high · bug · unverified\n")
        assert follow(pull) == CollectResult()


def test_what_is_not_grave_goes_to_the_summary_unverified(shop_open: Open) -> None:
    with shop_open(Judge((TEN,), grave=False, says=lambda shown: "no")) as pull:
        looked(pull).publish()
        assert pull.reviewed() == []
        assert f"medium · bug · unverified: **About {TEN}**" in pull.summary().replace("\\", "")


def test_without_money_it_waits_six_hours_and_is_said_unverified(shop_open: Open) -> None:
    with shop_open(Judge((TEN,))) as pull:
        answered(pull)
        pull.rig.config = Config(budget=Budget(pull_request=Decimal("0.000001")))
        followed = follow(pull)
        assert followed.sent == ()
        assert followed.notes[0].startswith("no second look: nothing was sent: up to")
        assert pull.publish().waiting == 1
        pull.rig.clock.forward(hours=6)
        pull.publish()
        (remark,) = pull.forge.list_review_comments(pull.number)
        assert "unverified" in remark.body
        pull.rig.config = Config()
        assert follow(pull) == CollectResult()  # later than that a look would change nothing


def test_a_look_that_comes_late_takes_the_mark_away(shop_open: Open) -> None:
    with shop_open(Judge((TEN,)), seconds=7 * 3600.0, faults=batches_only()) as pull:
        pull.submit()
        pull.rig.clock.forward(hours=8)
        pull.rig.collect()
        follow(pull)
        pull.rig.clock.forward(hours=6)
        pull.publish()
        pull.rig.clock.forward(hours=2)
        pull.rig.collect()
        done = pull.publish()
        (remark,) = pull.forge.list_review_comments(pull.number)
        assert "unverified" not in remark.body
        assert done.updated >= 1


def test_a_crash_after_the_intent_sends_nothing_twice(shop_open: Open) -> None:
    lost = batches_only(fail_calls("POST", CREATE, None, Fault(after=True)))
    with shop_open(Judge((TEN,)), faults=lost) as pull:
        answered(pull)
        followed = follow(pull)
        assert followed.sent == ()
        assert followed.notes[0].startswith("a second look could not be sent:")
        assert follow(pull) == CollectResult()  # it may be under way
        pull.rig.clock.forward(minutes=31)
        pull.rig.collect()  # the batch is found again
        pull.rig.collect()
        assert pull.rig.sent().count(CREATE) == 2
        assert (pull.publish().waiting, pull.reviewed()) == (0, [("cart.py", 10)])


def test_what_was_refused_is_sent_by_the_next_run(shop_open: Open) -> None:
    refused = fail_calls("POST", CREATE, None, Fault(400, "invalid_request_error"))
    faults = batches_only(refused)
    with shop_open(Judge((TEN,)), faults=faults) as pull:
        answered(pull)
        assert follow(pull).notes
        (sent,) = follow(pull).sent
        assert sent.requests == 1


def test_code_that_is_gone_is_no_evidence(shop_open: Open) -> None:
    with shop_open(Judge((TEN,))) as pull:
        answered(pull)
        pull.shop.git("checkout", "-q", "main")
        elsewhere = pull.shop.bare.parent / "elsewhere"
        pull.shop.git("init", "-q", str(elsewhere))
        rig = pull.rig
        stranger = Repository.open(elsewhere, environ())
        follow_up = Verifier(
            rig.ledger, rig.claude, stranger, rig.config, PRICES, rig.run, rig.clock, rig.new_id
        )
        assert follow_up.send() == CollectResult()
        assert pull.publish().waiting == 1


def test_what_is_answered_at_once_is_looked_at_at_once(shop_open: Open) -> None:
    with shop_open(Judge((TEN, ADDED), wrong=(ADDED,)), Config(lane="now")) as pull:
        pull.submit()
        followed = follow(pull)
        assert [sent.id for sent in followed.sent] == [None]
        assert sum(len(one.refuted) for one in followed.answers) == 1
        pull.publish()
        assert pull.reviewed() == [("cart.py", 10)]


def test_ids_alone_in_the_ledger_are_enough(shop_open: Open) -> None:
    with shop_open(Judge((TEN, ADDED), wrong=(ADDED,)), Config(retention="ids")) as pull:
        looked(pull).publish()
        assert pull.reviewed() == [("cart.py", 10)]


def test_by_the_program_it_can_be_forbidden_and_is_reported(tmp_path: Path) -> None:
    with open_place(tmp_path) as place:
        place.batches.faults = batches_only()
        place.run("submit", "--pr", str(place.suspicious()))
        assert place.json("collect", "--no-submit")["submitted"] == []
        assert place.created() == 1
        done = place.json("collect")
        (sent,) = done["submitted"]
        assert sent["id"].startswith("msgbatch_")
        assert (sent["requests"], sent["tasks"]) == (1, 1)
        assert (place.created(), done["refuted"]) == (2, 0)
        assert place.json("collect")["submitted"] == []
