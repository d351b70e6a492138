"""A primer goes first, and what follows it reads from the cache what it wrote."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from claude_batch.anthropic_api.results import Usage
from claude_batch.batches.batching import LEASE
from claude_batch.config.model import Budget, Config, OwnKind, PathRule
from claude_batch.costs.receipts import build_receipt
from claude_batch.costs.spending import build_spending_report
from claude_batch.errors import CannotCollect, CannotSubmit
from claude_batch.ledger.batch_record import BatchRecord
from claude_batch.ledger.store import Write
from claude_batch.ledger.view import TaskStatus
from claude_batch.sandbox.anthropic_server.reviewer import count_tokens
from claude_batch.sandbox.http_messages import Fault, HttpRequest
from claude_batch.submission.scope import ReviewScope
from claude_batch.submission.send import MAX_PRIMER_WAIT, BatchSender
from ledger_events import answered, asked, intent
from rig import Rig, open_rig
from scratch import Work

BATCH_TAKES = 90.0  # seconds
MARK = {"type": "ephemeral", "ttl": "1h"}
# Long enough that at this model's price ten requests are worth a primer, and eight are not.
LONG = "Mind the till. " * 1_333
PRIMED = Config(
    model="claude-fable-5-2",
    rules=(PathRule(instruction=LONG),),
    budget=Budget(pull_request=None, month=None),
)


@pytest.fixture
def rig(work: Work) -> Iterator[Rig]:
    with open_rig(work.path, seconds=BATCH_TAKES) as made:
        made.config = PRIMED
        yield made


def parts_of(rig: Rig, number: int = 10) -> ReviewScope:
    return rig.apart(*(f"part{n}.py" for n in range(number)))


def purposes(sending: BatchRecord) -> list[str]:
    return [asked.purpose for asked in sending.requests.values()]


class TestPrimed:
    def test_the_rest_is_claimed_at_once_and_sent_when_the_primer_has_ended(self, rig: Rig) -> None:
        done = rig.submit_and_go_on(parts_of(rig))
        assert [(one.requests, one.tasks) for one in done.sent] == [(1, 1), (9, 9)]
        primer, rest = sorted(rig.view.open_batches(), key=lambda one: one.intent.requests)
        assert primer.submitted
        assert rest.submitted
        ended = primer.submitted.created_at + timedelta(seconds=BATCH_TAKES)
        assert rest.submitted.created_at >= ended
        assert rest.submitted.created_at - ended < timedelta(seconds=30)
        assert primer.intent.at == rest.intent.at
        assert (primer.intent.follows, purposes(primer)) == (None, ["primer"])
        assert (rest.intent.follows, purposes(rest)) == ("rest", ["ask"] * 9)
        assert rig.said == [
            "9 requests wait until what they share is in the cache, 20 minutes at most"
        ]

    def test_what_is_shared_is_marked_and_nothing_else(self, rig: Rig) -> None:
        rig.submit_and_go_on(parts_of(rig))
        sent = [params for _, _, params in rig.server.submitted()]
        shared = {json.dumps([one["system"], one["messages"][0]["content"][0]]) for one in sent}
        assert len(shared) == 1, "byte for byte"
        for params in sent:
            common, own = params["messages"][0]["content"]
            assert (common["cache_control"], own.keys()) == (MARK, {"type", "text"})
            assert json.dumps(params).count("cache_control") == 1

    def test_without_rules_the_instructions_are_what_is_shared(self, rig: Rig) -> None:
        own = OwnKind(name="till", prompt=LONG)
        rig.config = PRIMED.model_copy(update={"kinds": (own,), "rules": ()})
        text = f"{'x' * 99}\n" * 250
        rows = ({"path": f"{n}.py", "kind": "till", "text": text} for n in range(10))
        rig.submit_and_go_on(rig.given(*rows))
        assert len(rig.sent()) == 2
        for _, _, params in rig.server.submitted():
            assert params["system"][0]["cache_control"] == MARK
            assert json.dumps(params).count("cache_control") == 1

    def test_the_receipt_to_the_digit(self, rig: Rig) -> None:
        rig.submit_and_go_on(parts_of(rig))
        rig.clock.forward(seconds=BATCH_TAKES)
        rig.collect()
        (params, *_) = [params for _, _, params in rig.server.submitted()]
        prefix = sum(
            count_tokens(block["text"])
            for block in (params["system"][0], params["messages"][0]["content"][0])
        )
        found = build_receipt(row.answer for row in rig.view.requests if row.answer)
        assert (found.cache_write_tokens, found.cache_read_tokens) == (prefix, 9 * prefix)
        # Dollars per million at standard price: input 8, write for an hour 16, read 0.20.
        million = Decimal(1_000_000)
        assert found.saved_by_cache == (9 * prefix * Decimal("7.80") - prefix * 8) / million
        uncached = 10 * prefix + found.input_tokens
        assert found.usd_standard == Decimal(8 * uncached + 40 * found.output_tokens) / million
        assert found.usd == found.saved_by_batch
        assert found.usd == (found.usd_standard - found.saved_by_cache) / 2
        assert build_spending_report([rig.view], "pull_request", None).groups[0].receipt == found

    def test_no_bill_is_above_what_was_reserved(self, rig: Rig) -> None:
        rig.submit_and_go_on(parts_of(rig))
        rig.clock.forward(seconds=BATCH_TAKES)
        rig.collect()
        for row in rig.view.requests:
            assert row.answer
            assert row.answer.usd is not None
            assert row.answer.usd <= row.request.estimate.usd_max

    def test_after_twenty_minutes_nobody_waits_any_more(self, work: Work) -> None:
        with open_rig(work.path, seconds=3_600) as rig:
            rig.config = PRIMED
            start = rig.clock.at
            done = rig.submit_and_go_on(parts_of(rig))
            assert len(done.sent) == 2
            waited = rig.clock.at - start
            assert MAX_PRIMER_WAIT <= waited < MAX_PRIMER_WAIT + timedelta(minutes=1)


class TestNotPrimed:
    def test_by_a_process_that_does_not_go_on(self, rig: Rig) -> None:
        done = rig.submit(parts_of(rig))
        assert [one.requests for one in done.sent] == [10]
        assert not any("cache_control" in json.dumps(row) for _, _, row in rig.server.submitted())

    def test_for_less_than_five_cents(self, rig: Rig) -> None:
        done = rig.submit_and_go_on(parts_of(rig, 8))
        assert [one.requests for one in done.sent] == [8]
        assert not any("cache_control" in json.dumps(row) for _, _, row in rig.server.submitted())
        assert rig.slept == []

    def test_in_the_lane_now(self, rig: Rig) -> None:
        rig.config = rig.config.model_copy(update={"lane": "now"})
        rig.submit_and_go_on(parts_of(rig))
        assert len(rig.sent()) == 10
        assert {row.request.purpose for row in rig.view.requests} == {"ask"}

    def test_where_hits_were_rare(self, rig: Rig) -> None:
        rare = Usage(cache_read=30, cache_write_1h=70)
        past = [
            event
            for n in range(20)
            for event in (
                intent(f"{n:016x}"),
                asked(f"{n:016x}", 0, f"t{n}"),
                answered(f"{n:016x}", usage=rare),
            )
        ]
        rig.ledger.transact(lambda view: Write(tuple(past)))
        rig.ids = iter(range(100, 200))
        rig.clock.forward(hours=1)
        assert [one.requests for one in rig.submit_and_go_on(parts_of(rig)).sent] == [10]

    def test_where_only_the_plain_requests_are_within_the_budget(self, rig: Rig) -> None:
        subject = parts_of(rig)
        (part,) = rig.plan(subject).parts
        (primed,) = rig.plan(subject, waits_for_primers=True).parts
        plain = part.candidate.max_usd
        assert primed.candidate.max_usd > plain
        rig.config = rig.config.model_copy(update={"budget": Budget(pull_request=plain)})
        assert [one.requests for one in rig.submit_and_go_on(subject).sent] == [10]


class TestEndedEarly:
    def test_killed_in_between_the_rest_is_free_in_the_end(self, rig: Rig) -> None:
        subject = parts_of(rig)
        claim = rig.plan(subject, waits_for_primers=True)
        rig.ledger.transact(lambda view: claim.write)
        sending = BatchSender(rig.ledger, rig.claude, rig.collector().prices, rig.clock)
        list(sending.send(claim.batches[:1]))  # and then the process is gone
        rig.clock.forward(minutes=5)
        assert rig.submit(subject).sent == (), "all of it is claimed"
        rig.collect()
        rig.clock.forward(seconds=LEASE.seconds)
        rig.collect()
        rig.clock.forward(minutes=11)
        (note,) = rig.collect().notes
        assert "was never sent" in note
        again = rig.submit(subject)
        assert [one.requests for one in again.sent] == [9], "the primer's answer stands"

    def test_interrupted_the_rest_is_free_at_once(self, rig: Rig) -> None:
        def interrupt(seconds: float) -> None:
            raise KeyboardInterrupt

        subject = parts_of(rig)
        claim = rig.plan(subject, waits_for_primers=True)
        rig.ledger.transact(lambda view: claim.write)
        hold = replace(rig.hold(), sleep=interrupt)
        sender = BatchSender(rig.ledger, rig.claude, rig.collector().prices, rig.clock, hold)
        with pytest.raises(KeyboardInterrupt):
            list(sender.send(claim.batches))
        tasks = [task.id for task in subject.tasks]
        standings = [rig.view.task_status(task) for task in tasks]
        assert standings == [TaskStatus.IN_FLIGHT, *[TaskStatus.NEW] * 9]

    def test_what_overslept_its_lease_is_not_sent(self, rig: Rig) -> None:
        """A laptop that was shut: somebody else may have sent it since."""
        subject = parts_of(rig)
        slow = replace(rig.hold(), sleep=lambda seconds: rig.clock.forward(hours=1))
        claim = rig.plan(subject, waits_for_primers=True)
        rig.ledger.transact(lambda view: claim.write)
        sender = BatchSender(rig.ledger, rig.claude, rig.collector().prices, rig.clock, slow)
        with pytest.raises(CannotSubmit, match="another run may have sent them"):
            list(sender.send(claim.batches))
        assert len(rig.sent()) == 1
        assert [one.requests for one in rig.submit(subject).sent] == [9]

    def test_when_nobody_can_say_whether_the_primer_has_ended(self, work: Work) -> None:
        def gone(call: HttpRequest) -> Fault | None:
            return Fault(403, "permission_error") if "msgbatch" in call.path else None

        with open_rig(work.path, seconds=BATCH_TAKES, faults=gone) as rig:
            rig.config = PRIMED
            subject = parts_of(rig)
            with pytest.raises(CannotCollect):
                rig.submit_and_go_on(subject)
            assert [one.requests for one in rig.submit(subject).sent] == [9]
