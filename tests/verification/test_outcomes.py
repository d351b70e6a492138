from collections.abc import Iterable
from datetime import timedelta

import pytest

from claude_batch.anthropic_api.results import Outcome
from claude_batch.batches.custom_ids import custom_id
from claude_batch.findings.finding import Confidence, Finding, Severity, finding_id
from claude_batch.ledger.events import AnyEvent, Closed
from claude_batch.ledger.view import View
from claude_batch.verification.outcomes import PATIENCE, Look, Trust, due, is_worth, looks, trust
from ledger_events import answered, asked, at, failed, intent, submitted, voided
from responses import finding

SAID = (intent("i1"), asked("i1", 0, "t1"), submitted("i1"), answered("i1", findings=2))
ONE, TWO = (finding_id(custom_id("i1", 0, "1" * 64), n) for n in range(2))  # type: ignore[arg-type]
SOON = at(10) + timedelta(minutes=5)
LATE = at(10) + PATIENCE


def second(*events: AnyEvent, about: Iterable[str] = (ONE, TWO)) -> tuple[AnyEvent, ...]:
    look = asked("i2", 0, "t1", minute=11, purpose="verify", about=tuple(about))
    return (*SAID, intent("i2", 11), look, submitted("i2", 12), *events)


def found(id: str, **changes: object) -> Finding:
    return finding(1, id=id, **changes)


def test_a_finding_is_due_once() -> None:
    assert due(View.of(SAID), SOON).keys() == {ONE, TWO}
    assert due(View.of(second()), SOON) == {}
    assert due(View.of(second(about=[ONE])), SOON).keys() == {TWO}


def test_what_a_primer_found_is_due_too() -> None:
    primed = (SAID[0], asked("i1", 0, "t1", purpose="primer"), *SAID[2:])
    assert due(View.of(primed), SOON).keys() == {ONE, TWO}


def test_what_was_never_sent_is_due_again() -> None:
    look = [event for event in second(voided("i2", 13)) if event.type != "submitted"]
    assert due(View.of([*look, submitted("i1")]), SOON).keys() == {ONE, TWO}


def test_a_failed_look_is_not_repeated() -> None:
    assert due(View.of(second(failed("i2", minute=20))), SOON) == {}


def test_after_six_hours_nothing_is_due() -> None:
    assert due(View.of(SAID), LATE) == {}


def test_nobody_looks_again_on_a_closed_pull_request() -> None:
    closed = Closed(at=at(11), run="r", repo="octo/demo", pr=7, merged=True)
    assert due(View.of([*SAID, closed]), SOON) == {}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], {ONE: Look.OPEN, TWO: Look.OPEN}),
        ([answered("i2", refuted=(ONE,))], {ONE: Look.REFUTED, TWO: Look.UPHELD}),
        ([answered("i2", refuted=("ff",))], {ONE: Look.UPHELD, TWO: Look.UPHELD}),
        (
            [answered("i2", outcome=Outcome.UNREADABLE, refuted=(ONE,))],
            {ONE: Look.FAILED, TWO: Look.FAILED},
        ),
        ([failed("i2")], {ONE: Look.FAILED, TWO: Look.FAILED}),
    ],
)
def test_what_a_look_says(events: list[AnyEvent], expected: dict[str, Look]) -> None:
    assert looks(View.of(second(*events))) == expected


def test_of_two_looks_at_one_finding_the_kinder_one_counts() -> None:
    third = (
        intent("i3", 11),
        asked("i3", 0, "t1", minute=11, purpose="verify", about=(ONE,)),
        answered("i3", minute=9, refuted=()),
    )
    view = View.of([*second(answered("i2", refuted=(ONE, TWO))), *third])
    assert looks(view) == {ONE: Look.UPHELD, TWO: Look.REFUTED}


def test_while_a_look_may_come_its_finding_waits() -> None:
    both = [found(ONE), found(TWO)]
    waiting = Trust(waiting=frozenset({ONE, TWO}))
    assert trust(View.of(SAID), both, SOON) == waiting
    assert trust(View.of(second()), both, SOON) == waiting


def test_in_the_end_it_is_unverified() -> None:
    both = [found(ONE), found(TWO)]
    unverified = Trust(unverified=frozenset({ONE, TWO}))
    assert trust(View.of(SAID), both, LATE) == unverified
    assert trust(View.of(second()), both, LATE) == unverified
    assert trust(View.of(second(failed("i2"))), both, SOON) == unverified


def test_a_verdict_counts_also_when_it_is_late() -> None:
    view = View.of(second(answered("i2", minute=1_000, refuted=(ONE,))))
    assert trust(view, [found(ONE), found(TWO)], LATE) == Trust(refuted=frozenset({ONE}))


def test_what_nobody_would_post_nobody_looks_at() -> None:
    faint = found(ONE, severity=Severity.LOW, confidence=Confidence.LOW)
    assert not is_worth(faint)
    assert not is_worth(found(ONE, task=None))
    assert trust(View.of(SAID), [faint, found(TWO, task=None)], LATE) == Trust()
