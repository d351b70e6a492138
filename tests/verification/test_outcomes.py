from collections.abc import Iterable
from datetime import timedelta

import pytest

from claude_batch.anthropic_api.results import Outcome
from claude_batch.batches.batching import custom_id
from claude_batch.findings.finding import Confidence, Finding, Severity, compute_finding_id
from claude_batch.ledger.events import AnyEvent, PullRequestClosed
from claude_batch.ledger.view import LedgerState
from claude_batch.verification.outcomes import (
    VERIFICATION_TIMEOUT,
    VerificationState,
    VerificationStatus,
    due_findings,
    is_postable,
    load_verification_state,
    status_by_finding,
)
from ledger_events import answered, asked, at, failed, intent, submitted, voided
from responses import finding

SAID = (intent("i1"), asked("i1", 0, "t1"), submitted("i1"), answered("i1", findings=2))
ONE, TWO = (compute_finding_id(custom_id("i1", 0, "1" * 64), n) for n in range(2))  # type: ignore[arg-type]
SOON = at(10) + timedelta(minutes=5)
LATE = at(10) + VERIFICATION_TIMEOUT


def second(*events: AnyEvent, about: Iterable[str] = (ONE, TWO)) -> tuple[AnyEvent, ...]:
    look = asked("i2", 0, "t1", minute=11, purpose="verify", about=tuple(about))
    return (*SAID, intent("i2", 11), look, submitted("i2", 12), *events)


def found(id: str, **changes: object) -> Finding:
    return finding(1, id=id, **changes)


def test_a_finding_is_due_once() -> None:
    assert due_findings(LedgerState.from_events(SAID), SOON).keys() == {ONE, TWO}
    assert due_findings(LedgerState.from_events(second()), SOON) == {}
    assert due_findings(LedgerState.from_events(second(about=[ONE])), SOON).keys() == {TWO}


def test_what_a_primer_found_is_due_too() -> None:
    primed = (SAID[0], asked("i1", 0, "t1", purpose="primer"), *SAID[2:])
    assert due_findings(LedgerState.from_events(primed), SOON).keys() == {ONE, TWO}


def test_what_was_never_sent_is_due_again() -> None:
    look = [event for event in second(voided("i2", 13)) if event.type != "submitted"]
    assert due_findings(LedgerState.from_events([*look, submitted("i1")]), SOON).keys() == {
        ONE,
        TWO,
    }


def test_a_failed_look_is_not_repeated() -> None:
    assert due_findings(LedgerState.from_events(second(failed("i2", minute=20))), SOON) == {}


def test_after_six_hours_nothing_is_due() -> None:
    assert due_findings(LedgerState.from_events(SAID), LATE) == {}


@pytest.mark.parametrize("merged", [True, False])
def test_nothing_is_due_on_a_closed_pull_request_unless_it_was_merged(merged: bool) -> None:
    closed = PullRequestClosed(at=at(11), run="r", repo="octo/demo", pr=7, merged=merged)
    due = due_findings(LedgerState.from_events([*SAID, closed]), SOON)
    assert bool(due) == merged, "after a merge there is one comment with grave findings"


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], {ONE: VerificationStatus.OPEN, TWO: VerificationStatus.OPEN}),
        (
            [answered("i2", refuted=(ONE,))],
            {ONE: VerificationStatus.REFUTED, TWO: VerificationStatus.UPHELD},
        ),
        (
            [answered("i2", refuted=("ff",))],
            {ONE: VerificationStatus.UPHELD, TWO: VerificationStatus.UPHELD},
        ),
        (
            [answered("i2", outcome=Outcome.UNREADABLE, refuted=(ONE,))],
            {ONE: VerificationStatus.FAILED, TWO: VerificationStatus.FAILED},
        ),
        ([failed("i2")], {ONE: VerificationStatus.FAILED, TWO: VerificationStatus.FAILED}),
    ],
)
def test_what_a_look_says(events: list[AnyEvent], expected: dict[str, VerificationStatus]) -> None:
    assert status_by_finding(LedgerState.from_events(second(*events))) == expected


def test_of_two_looks_at_one_finding_the_kinder_one_counts() -> None:
    third = (
        intent("i3", 11),
        asked("i3", 0, "t1", minute=11, purpose="verify", about=(ONE,)),
        answered("i3", minute=9, refuted=()),
    )
    view = LedgerState.from_events([*second(answered("i2", refuted=(ONE, TWO))), *third])
    assert status_by_finding(view) == {
        ONE: VerificationStatus.UPHELD,
        TWO: VerificationStatus.REFUTED,
    }


def test_while_a_look_may_come_its_finding_waits() -> None:
    both = [found(ONE), found(TWO)]
    waiting = VerificationState(waiting=frozenset({ONE, TWO}))
    assert load_verification_state(LedgerState.from_events(SAID), both, SOON) == waiting
    assert load_verification_state(LedgerState.from_events(second()), both, SOON) == waiting


def test_in_the_end_it_is_unverified() -> None:
    both = [found(ONE), found(TWO)]
    unverified = VerificationState(unverified=frozenset({ONE, TWO}))
    assert load_verification_state(LedgerState.from_events(SAID), both, LATE) == unverified
    assert load_verification_state(LedgerState.from_events(second()), both, LATE) == unverified
    assert (
        load_verification_state(LedgerState.from_events(second(failed("i2"))), both, SOON)
        == unverified
    )


def test_a_verdict_counts_also_when_it_is_late() -> None:
    view = LedgerState.from_events(second(answered("i2", minute=1_000, refuted=(ONE,))))
    assert load_verification_state(view, [found(ONE), found(TWO)], LATE) == VerificationState(
        refuted=frozenset({ONE})
    )


def test_what_nobody_would_post_nobody_looks_at() -> None:
    faint = found(ONE, severity=Severity.LOW, confidence=Confidence.LOW)
    assert not is_postable(faint)
    assert not is_postable(found(ONE, task=None))
    assert (
        load_verification_state(LedgerState.from_events(SAID), [faint, found(TWO, task=None)], LATE)
        == VerificationState()
    )
