"""Decide what is due: compare the ledger with the open pull requests as they are now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from claude_batch.github_api.models import PullRequest
from claude_batch.ledger.view import LedgerState
from claude_batch.pull_requests.publish import is_seen
from claude_batch.pull_requests.record import has_news
from claude_batch.reconcile.coverage import Forks, needs_plan, uncovered_reason
from claude_batch.waiting.current_plans import current_plans


@dataclass(frozen=True)
class DueWork:
    """Pull requests by what is due for them, the one that was touched longest ago first."""

    to_plan: tuple[PullRequest, ...]
    to_publish: tuple[PullRequest, ...]
    ended: tuple[int, ...]  # planned, but not open any more
    uncovered: dict[int, str]  # the reasons by pull request


def decide(
    state: LedgerState, pulls: Sequence[PullRequest], forks: Forks, label: str, now: datetime
) -> DueWork:
    """`pulls` are all open pull requests."""
    ordered = sorted(pulls, key=lambda pull: (pull.updated_at, pull.number))
    uncovered = {
        pull.number: reason
        for pull in ordered
        if (reason := uncovered_reason(state, pull, forks, label, now))
    }
    is_open = {pull.number for pull in pulls}
    planned = {plan.pr for plan in current_plans(state, now) if plan.pr is not None}
    return DueWork(
        tuple(pull for pull in ordered if pull.number not in uncovered and needs_plan(state, pull)),
        tuple(pull for pull in ordered if is_publishing_due(state, pull, now)),
        tuple(sorted(planned - is_open)),
        uncovered,
    )


def is_publishing_due(state: LedgerState, pull: PullRequest, now: datetime) -> bool:
    """True if something may have to be posted, or people may have answered."""
    if state.latest_plan(pull.number) is None:
        return False
    return not is_seen(state, pull) or has_news(state, pull.number, now)
