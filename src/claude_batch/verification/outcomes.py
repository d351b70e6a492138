"""What second looks say about findings, and which findings are due for one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from claude_batch.anthropic_api.results import Outcome
from claude_batch.batches.custom_ids import custom_id
from claude_batch.findings.finding import Finding, Severity, finding_id
from claude_batch.ledger.events import Answered, Asked
from claude_batch.ledger.view import Row, View

# From the answer that holds the finding. Longer nothing waits for a second look, so later none is
# sent either.
PATIENCE = timedelta(hours=6)
GRAVE = (Severity.CRITICAL, Severity.HIGH)  # posted also when nobody has looked again


class Look(StrEnum):
    OPEN = "open"
    UPHELD = "upheld"
    REFUTED = "refuted"
    FAILED = "failed"


RANKS = (Look.FAILED, Look.OPEN, Look.REFUTED, Look.UPHELD)  # of two looks at one the last counts


@dataclass(frozen=True)
class Trust:
    """Finding ids. Who is in none of them may be posted as it is."""

    refuted: frozenset[str] = frozenset()
    waiting: frozenset[str] = frozenset()
    unverified: frozenset[str] = frozenset()


BLIND = Trust()  # without second looks every finding is posted as it is


def is_worth(finding: Finding) -> bool:
    """Whether it would be considered for posting."""
    return finding.task is not None and not finding.is_faint and not finding.is_malformed


def looks(view: View) -> dict[str, Look]:
    """By finding id; a finding whose look was never sent has none."""
    found: dict[str, Look] = {}
    for row in view.rows:
        for finding in row.asked.about if row.asked.purpose == "verify" else ():
            look = _look(row, finding)
            if look and (finding not in found or RANKS.index(look) > RANKS.index(found[finding])):
                found[finding] = look
    return found


def _look(row: Row, finding: str) -> Look | None:
    if row.answered is None:
        return Look.OPEN if row.is_open else None
    if row.answered.outcome is not Outcome.SUCCEEDED:
        return Look.FAILED
    return Look.REFUTED if finding in row.answered.refuted else Look.UPHELD


def origins(view: View, now: datetime) -> dict[str, tuple[Asked, Answered]]:
    """The requests of the last six hours by the findings of their answers. Nothing is read: an
    answer says how many findings it has, and their ids follow from its request."""
    return {
        finding_id(custom_id(row.asked.intent, row.asked.n, row.asked.sha), index): (
            row.asked,
            row.answered,
        )
        for row in view.rows
        if row.asked.purpose != "verify" and row.answered and now - row.answered.at < PATIENCE
        for index in range(row.answered.findings)
    }


def due(view: View, now: datetime) -> dict[str, tuple[Asked, Answered]]:
    """Findings that nobody looks at a second time yet, of pull requests that are still open."""
    known = looks(view)
    return {
        finding: (asked, answered)
        for finding, (asked, answered) in origins(view, now).items()
        if finding not in known and asked.pr not in view.closed
    }


def trust(view: View, findings: Iterable[Finding], now: datetime) -> Trust:
    known, fresh = looks(view), origins(view, now)
    refuted, waiting, unverified = set(), set(), set()
    for finding in filter(is_worth, findings):
        match known.get(finding.id):
            case Look.UPHELD:
                pass
            case Look.REFUTED:
                refuted.add(finding.id)
            case Look.OPEN | None if finding.id in fresh:
                waiting.add(finding.id)
            case _:
                unverified.add(finding.id)
    return Trust(frozenset(refuted), frozenset(waiting), frozenset(unverified))
