"""The state of second looks: the status of each finding, and the findings that are due."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from claude_batch.anthropic_api.results import Outcome
from claude_batch.batches.batching import custom_id
from claude_batch.findings.finding import Finding, Severity, compute_finding_id
from claude_batch.ledger.batch_record import RequestRecord
from claude_batch.ledger.events import AnswerRecorded, RequestRecorded, is_lost
from claude_batch.ledger.view import LedgerState
from claude_batch.waiting.current_plans import is_closed

# Counted from the answer that holds the finding. Publishing waits no longer for a second look, so
# a later one is not sent.
VERIFICATION_TIMEOUT = timedelta(hours=6)
POST_WHEN_UNVERIFIED = (Severity.CRITICAL, Severity.HIGH)  # posted also without a verdict


class VerificationStatus(StrEnum):
    OPEN = "open"
    UPHELD = "upheld"
    REFUTED = "refuted"
    FAILED = "failed"


# Ascending: of several second looks at one finding the last one counts.
PRECEDENCE = (
    VerificationStatus.FAILED,
    VerificationStatus.OPEN,
    VerificationStatus.REFUTED,
    VerificationStatus.UPHELD,
)


@dataclass(frozen=True)
class VerificationState:
    """Ids of findings. A finding in none of the sets may be posted as it is."""

    refuted: frozenset[str] = frozenset()
    waiting: frozenset[str] = frozenset()
    unverified: frozenset[str] = frozenset()


UNVERIFIED_ALLOWED = VerificationState()  # used when the second look is switched off


def is_postable(finding: Finding) -> bool:
    """Return True if the finding may be posted. Only such findings get a second look."""
    return finding.task is not None and not finding.is_negligible and not finding.is_malformed


def status_by_finding(state: LedgerState) -> dict[str, VerificationStatus]:
    """Map finding ids to the status of their second look; findings without one are absent."""
    statuses: dict[str, VerificationStatus] = {}
    lost: set[str] = set()
    for request in state.requests:
        for finding in request.request.about if request.request.purpose == "verify" else ():
            status = _status(request, finding)
            if request.answer and is_lost(request.answer) and finding not in lost:
                lost.add(finding)  # it may have been paid for, and is repeated once
            elif status:
                statuses[finding] = max(status, statuses.get(finding, status), key=PRECEDENCE.index)
    return statuses


def _status(request: RequestRecord, finding: str) -> VerificationStatus | None:
    if request.answer is None:
        return VerificationStatus.OPEN if request.is_open else None
    if request.answer.outcome is not Outcome.SUCCEEDED:
        return VerificationStatus.FAILED
    if finding in request.answer.refuted:
        return VerificationStatus.REFUTED
    return VerificationStatus.UPHELD


def recent_findings(
    state: LedgerState, now: datetime
) -> dict[str, tuple[RequestRecorded, AnswerRecorded]]:
    """Map the ids of findings younger than VERIFICATION_TIMEOUT to their request and answer."""
    # No finding has to be read for it: the answer has their number, and their ids follow from the
    # custom_id of the request.
    return {
        compute_finding_id(custom_id(request.intent, request.n, request.sha), index): (
            request,
            answer,
        )
        for record in state.requests
        if (request := record.request).purpose != "verify"
        and (answer := record.answer)
        and now - answer.at < VERIFICATION_TIMEOUT
        for index in range(answer.findings)
    }


def due_findings(
    state: LedgerState, now: datetime
) -> dict[str, tuple[RequestRecorded, AnswerRecorded]]:
    """The recent findings without a second look, but for closed pull requests.

    Those of a merged one count: they may come as a comment after the merge.
    """
    known = status_by_finding(state)
    return {
        finding: (request, answer)
        for finding, (request, answer) in recent_findings(state, now).items()
        if finding not in known and _may_be_posted(state, request.pr)
    }


def load_verification_state(
    state: LedgerState, findings: Iterable[Finding], now: datetime
) -> VerificationState:
    """Sort the postable findings by the status of their second look."""
    statuses, recent = status_by_finding(state), recent_findings(state, now)
    refuted, waiting, unverified = set(), set(), set()
    for finding in filter(is_postable, findings):
        match statuses.get(finding.id):
            case VerificationStatus.UPHELD:
                pass
            case VerificationStatus.REFUTED:
                refuted.add(finding.id)
            case VerificationStatus.OPEN | None if finding.id in recent:
                waiting.add(finding.id)
            case _:
                unverified.add(finding.id)
    return VerificationState(frozenset(refuted), frozenset(waiting), frozenset(unverified))


def _may_be_posted(state: LedgerState, pr: int | None) -> bool:
    closed = state.closed.get(pr) if pr is not None else None
    if pr is None or closed is None or closed.merged:
        return True
    plan = state.latest_plan(pr)
    return plan is not None and not is_closed(state, plan)  # it was reopened
