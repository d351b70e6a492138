from datetime import timedelta
from decimal import Decimal

from claude_batch.costs.entries import list_cost_entries
from claude_batch.jobs.derivation import derive_jobs
from claude_batch.jobs.stats import JobStats, WaitTimes, compute_stats
from claude_batch.ledger.events import AnyEvent
from claude_batch.ledger.view import LedgerState
from job_ledgers import SETTINGS, job_changed, planned, sent
from ledger_events import answered, at, failed, settled


def stats_of(*events: AnyEvent) -> JobStats:
    state = LedgerState.from_events(events)
    return compute_stats(derive_jobs(state, SETTINGS, at(60)), list_cost_entries([state]))


def test_an_empty_ledger() -> None:
    nothing = WaitTimes(None, None, None)
    assert stats_of() == JobStats(0, 0, 0, 0, 0, 0, 0, nothing, None, Decimal(0), Decimal(0))


def test_the_counts_sum_up_to_the_jobs_that_were_created() -> None:
    assert stats_of(
        planned("plan-1", "t1", pr=1),
        *sent("i1", "t1", pr=1),
        answered("i1", minute=11),  # ten minutes after the batch was created
        planned("plan-2", "t1", "t2", pr=2, minute=12),
        *sent("i2", "t2", pr=2, minute=13),
        planned("plan-3", "t3", pr=3),
        planned("plan-4", "t4", pr=4, deadline=at(30)),
        planned("plan-5", "t5", pr=5),
        job_changed("plan-5", "deleted", 5),
        planned("plan-6", "t6", pr=6, minute=1),
        planned("plan-7", "t7", pr=6, minute=2),
    ) == JobStats(
        created=7,
        pending=2,
        processing=1,
        completed=1,
        failed=1,
        cancelled=2,
        deduplicated=1,
        seconds=WaitTimes(600.0, 600.0, 600.0),
        tokens=140,
        usd=Decimal("0.02"),
        saved_usd=Decimal("0.02"),
    )


def test_percentiles_are_waits_that_occurred() -> None:
    waits = [timedelta(minutes=minutes) for minutes in (10, 1, 2, 3, 4, 5, 6, 7, 8, 9)]
    assert WaitTimes.from_waits(waits) == WaitTimes(300.0, 540.0, 330.0)
    assert WaitTimes.from_waits(waits[:1]) == WaitTimes(600.0, 600.0, 600.0)


def test_a_wait_that_folding_has_dropped_and_usage_that_is_missing() -> None:
    folded = stats_of(planned("plan-1", "t1"), settled("i1", 0, "t1"))
    assert (folded.seconds, folded.tokens) == (WaitTimes(None, None, None), 140)
    lost = stats_of(planned("plan-1", "t1"), *sent("i1", "t1"), failed("i1"))
    assert lost.tokens is None
