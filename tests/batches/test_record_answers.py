import json
from decimal import Decimal

import pytest

from claude_batch.anthropic_api.results import BatchResult, Outcome
from claude_batch.batches.collect_result import CollectResult
from claude_batch.batches.record_answers import MISSING, parse_findings, parse_results
from claude_batch.findings.anchors import build_anchor
from claude_batch.ledger.events import AnyEvent, RequestRecorded, is_unpriced
from claude_batch.ledger.store import Write
from claude_batch.ledger.view import LedgerState
from claude_batch.tasks.task import TaskId
from ledger_events import answered, asked, at, intent, submitted
from recorded_results import ANCHORED, ASKED, I1, name, recorder, said, succeeded
from rig import PRICES

SENT: list[AnyEvent] = [intent("i1", requests=2), ASKED, asked("i1", 1, "t2"), submitted("i1")]


def outcomes(write: Write) -> dict[int, Outcome]:
    return {event.n: event.outcome for event in write.events if event.type == "answer"}


def test_all_records_each_request_and_that_nothing_more_will_come() -> None:
    view = LedgerState.from_events(SENT)
    raws = [succeeded(0), BatchResult(name(1), Outcome.EXPIRED, error="late", retriable=True)]
    write = recorder(view).record_final(view, raws)
    assert outcomes(write) == {0: Outcome.SUCCEEDED, 1: Outcome.EXPIRED}
    assert write.events[-1].type == "batch"
    first = write.events[0]
    assert first.type == "answer"
    assert (first.batch, first.usd, first.usd_standard) == (
        "batch-i1",
        first.usd_standard / 2,
        PRICES.cost("claude-sonnet-5-5", first.usage, at=at(0), batch=True).usd_standard,
    )
    after = LedgerState.from_events([*SENT, *write.events])
    assert after.batch_records[I1].status(at(21)) == "collected"


def test_twice_is_once() -> None:
    view = LedgerState.from_events(SENT)
    raws = [succeeded(0), succeeded(1)]
    again = LedgerState.from_events([*SENT, *recorder(view).record_final(view, raws).events])
    assert recorder(again).record_final(again, raws) == Write()
    assert recorder(again).record(again, raws) == Write()


def test_what_another_run_recorded_meanwhile_is_left_alone() -> None:
    view, later = LedgerState.from_events(SENT), LedgerState.from_events([*SENT, answered("i1", 0)])
    assert outcomes(recorder(view).record_final(later, [succeeded(0), succeeded(1)])) == {
        1: Outcome.SUCCEEDED
    }


def test_of_two_answers_to_one_request_the_first_stands() -> None:
    first, second = succeeded(0), BatchResult(name(0), Outcome.ERRORED, error="late")
    together = recorder(LedgerState.from_events(SENT)).record(
        LedgerState.from_events(SENT), [first, second]
    )
    assert outcomes(together) == {0: Outcome.SUCCEEDED}
    later = recorder(LedgerState.from_events(SENT)).record(
        LedgerState.from_events([*SENT, *together.events]), [second]
    )
    assert later == Write()


def test_a_request_without_an_answer_is_missing_and_may_be_asked_again() -> None:
    view = LedgerState.from_events(SENT)
    write = recorder(view).record_final(view, [succeeded(1)])
    lost = write.events[0]
    assert lost.type == "answer"
    assert (lost.n, lost.outcome, lost.error, lost.retriable) == (
        0,
        Outcome.ERRORED,
        MISSING,
        True,
    )
    assert is_unpriced(lost), "it may have been billed"


def test_some_records_no_more_than_there_is() -> None:
    view = LedgerState.from_events(SENT)
    assert outcomes(recorder(view).record(view, [succeeded(1)])) == {1: Outcome.SUCCEEDED}
    assert recorder(view).record(view, [BatchResult("theirs-0-1", Outcome.EXPIRED)]) == Write()


@pytest.mark.parametrize("theirs", ["", "i1", "i1-0", "i2-0-1", "i1-1-1", "i1-9-1", "i1-²-1"])
def test_only_a_name_that_we_gave_is_ours(theirs: str) -> None:
    view = LedgerState.from_events([intent("i1"), asked("i1", 0, sha="1")])
    assert outcomes(recorder(view).record(view, [BatchResult("i1-0-1", Outcome.EXPIRED)])) == {
        0: Outcome.EXPIRED
    }
    assert recorder(view).record(view, [BatchResult(theirs, Outcome.EXPIRED)]) == Write()


def test_findings_go_to_the_shard_unless_ids_alone_are_kept() -> None:
    view = LedgerState.from_events(SENT)
    raws = [succeeded(0, said(build_anchor(1, ANCHORED.hash_at(0)), "9zzz"))]
    kept = recorder(view).record(view, raws)
    (shard,) = kept.shards
    assert [finding.task for finding in shard.findings] == ["t1", None]
    bare = recorder(view, keep_findings=False).record(view, raws)
    assert bare.shards == ()
    assert bare.events == kept.events
    assert bare.events[0].type == "answer"
    assert bare.events[0].findings == 2
    assert list(parse_findings([ASKED], raws)) == list(shard.findings)


def test_findings_again_takes_what_succeeded_and_was_asked_for() -> None:
    text = said(build_anchor(1, ANCHORED.hash_at(0)))
    raws = [
        BatchResult(name(0), Outcome.TRUNCATED, text=text),
        BatchResult("theirs-0-1", Outcome.SUCCEEDED, text=text),
    ]
    assert list(parse_findings([ASKED], raws)) == []


def test_a_model_without_a_price_is_unpriced_and_never_free() -> None:
    view = LedgerState.from_events(SENT)
    (event,) = recorder(view).record(view, [succeeded(0, model="claude-new-9")]).events
    assert event.type == "answer"
    assert (event.model, event.usd) == ("claude-new-9", None)
    row = next(
        row for row in LedgerState.from_events([*SENT, event]).requests if row.request.n == 0
    )
    assert row.charge() == row.request.estimate.usd == Decimal("0.01")


def test_of_the_lane_now_only_one_request_can_be_in_doubt() -> None:
    now = intent("i1", requests=3).model_copy(update={"lane": "now"})
    asks = [asked("i1", n, f"t{n}") for n in range(3)]
    view = LedgerState.from_events([now, *asks, answered("i1", 0, batch=None)])
    write = recorder(view).record_unknown(view)
    assert outcomes(write) == {1: Outcome.UNREADABLE}
    assert [event.type for event in write.events] == ["answer", "voided"]
    after = LedgerState.from_events([now, *asks, answered("i1", 0, batch=None), *write.events])
    assert after.batch_records[I1].status(at(60)) == "collected"
    assert [after.task_status(TaskId(f"t{n}")) for n in range(3)] == ["answered", "new", "new"]


def test_lines_that_name_no_request_are_passed_over() -> None:
    lines = [b"", b"junk", b"{}", json.dumps({"custom_id": "a", "result": {"type": "x"}}).encode()]
    assert [raw.outcome for raw in parse_results(lines)] == [Outcome.UNREADABLE]


def test_counts_are_disjoint_and_sum_up() -> None:
    rows = [answered("i1", n, outcome=outcome) for n, outcome in enumerate(Outcome)]
    counts = CollectResult((), tuple(rows), ()).counts()
    assert counts == dict.fromkeys(map(str, Outcome), 1)


def test_the_event_is_of_the_run_that_collected() -> None:
    view = LedgerState.from_events(SENT)
    (event,) = recorder(view).record(view, [succeeded(0)]).events
    assert (event.run, event.at, event.repo) == (
        "run-2",
        at(20),
        RequestRecorded.model_validate(ASKED).repo,
    )
