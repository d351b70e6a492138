"""What second looks say about findings, and which findings are due for one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from claude_batch.anthropic_api.results import Outcome
from claude_batch.batches.custom_ids import custom_id
from claude_batch.findings.finding import Finding, Severity, finding_id
from claude_batch.ledger.events import AnswerRecorded, RequestRecorded
from claude_batch.ledger.view import LedgerState, RequestRecord

# From the answer that holds the finding. Longer nothing waits for a second look, so later none is
# sent either.
VERIFICATION_TIMEOUT = timedelta(hours=6)
POST_WHEN_UNVERIFIED = (
    Severity.CRITICAL,
    Severity.HIGH,
)  # posted also when nobody has looked again


class VerificationStatus(StrEnum):
    OPEN = "open"
    UPHELD = "upheld"
    REFUTED = "refuted"
    FAILED = "failed"


PRECEDENCE = (
    VerificationStatus.FAILED,
    VerificationStatus.OPEN,
    VerificationStatus.REFUTED,
    VerificationStatus.UPHELD,
)  # of two looks at one the last counts


@dataclass(frozen=True)
class VerificationState:
    """Finding ids. Who is in none of them may be posted as it is."""

    refuted: frozenset[str] = frozenset()
    waiting: frozenset[str] = frozenset()
    unverified: frozenset[str] = frozenset()


UNVERIFIED_ALLOWED = VerificationState()  # without second looks every finding is posted as it is


def is_postable(finding: Finding) -> bool:
    """Whether it would be considered for posting."""
    return finding.task is not None and not finding.is_faint and not finding.is_malformed


def status_by_finding(state: LedgerState) -> dict[str, VerificationStatus]:
    """By finding id; a finding whose look was never sent has none."""
    found: dict[str, VerificationStatus] = {}
    for row in state.rows:
        for finding in row.asked.about if row.asked.purpose == "verify" else ():
            look = _status(row, finding)
            if look and (
                finding not in found or PRECEDENCE.index(look) > PRECEDENCE.index(found[finding])
            ):
                found[finding] = look
    return found


def _status(request: RequestRecord, finding: str) -> VerificationStatus | None:
    if request.answered is None:
        return VerificationStatus.OPEN if request.is_open else None
    if request.answered.outcome is not Outcome.SUCCEEDED:
        return VerificationStatus.FAILED
    return (
        VerificationStatus.REFUTED
        if finding in request.answered.refuted
        else VerificationStatus.UPHELD
    )


def recent_findings(
    state: LedgerState, now: datetime
) -> dict[str, tuple[RequestRecorded, AnswerRecorded]]:
    """The requests of the last six hours by the findings of their answers. Nothing is read: an
    answer says how many findings it has, and their ids follow from its request."""
    return {
        finding_id(custom_id(row.asked.intent, row.asked.n, row.asked.sha), index): (
            row.asked,
            row.answered,
        )
        for row in state.rows
        if row.asked.purpose != "verify"
        and row.answered
        and now - row.answered.at < VERIFICATION_TIMEOUT
        for index in range(row.answered.findings)
    }


def due_findings(
    state: LedgerState, now: datetime
) -> dict[str, tuple[RequestRecorded, AnswerRecorded]]:
    """Findings that nobody looks at a second time yet, of pull requests that are still open."""
    known = status_by_finding(state)
    return {
        finding: (asked, answered)
        for finding, (asked, answered) in recent_findings(state, now).items()
        if finding not in known and asked.pr not in state.closed
    }


def load_verification_state(
    state: LedgerState, findings: Iterable[Finding], now: datetime
) -> VerificationState:
    known, fresh = status_by_finding(state), recent_findings(state, now)
    refuted, waiting, unverified = set(), set(), set()
    for finding in filter(is_postable, findings):
        match known.get(finding.id):
            case VerificationStatus.UPHELD:
                pass
            case VerificationStatus.REFUTED:
                refuted.add(finding.id)
            case VerificationStatus.OPEN | None if finding.id in fresh:
                waiting.add(finding.id)
            case _:
                unverified.add(finding.id)
    return VerificationState(frozenset(refuted), frozenset(waiting), frozenset(unverified))
