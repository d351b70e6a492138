"""Decide what is due: compare the ledger with the open pull requests as they are now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from claude_batch.github_api.models import PullRequest
from claude_batch.ledger.view import LedgerState
from claude_batch.pull_requests.comment import MERGED
from claude_batch.pull_requests.publish import is_seen
from claude_batch.reconcile.coverage import HORIZON, Forks, needs_plan, uncovered_reason
from claude_batch.waiting.current_plans import current_plans


@dataclass(frozen=True)
class DueWork:
    """Pull requests by what is due for them, the one that was touched longest ago first."""

    to_plan: tuple[PullRequest, ...]
    ended: tuple[int, ...]  # planned, but not open any more


def decide(
    state: LedgerState, pulls: Sequence[PullRequest], forks: Forks, label: str, now: datetime
) -> DueWork:
    """`pulls` are all open pull requests."""
    ordered = sorted(pulls, key=lambda pull: (pull.updated_at, pull.number))
    is_open = {pull.number for pull in pulls}
    planned = {plan.pr for plan in current_plans(state, now) if plan.pr is not None}
    return DueWork(
        tuple(
            pull
            for pull in ordered
            if needs_plan(state, pull) and not uncovered_reason(state, pull, forks, label, now)
        ),
        tuple(sorted(planned - is_open)),
    )


def due_after_merge(state: LedgerState, news: Mapping[int, datetime], now: datetime) -> list[int]:
    """The merged pull requests that have news since the merge, and no comment on it yet."""
    read_at = {number: seen.at for number, seen in state.seen.items()}
    return [
        number
        for number, closed in sorted(state.closed.items())
        if closed.merged
        and now - closed.at < HORIZON
        and (number, MERGED) not in state.posts
        and number in news
        and news[number] > max(closed.at, read_at.get(number, closed.at))
    ]


def due_publications(
    state: LedgerState, pulls: Sequence[PullRequest], news: Mapping[int, datetime]
) -> list[PullRequest]:
    """The pull requests where something may have to be posted, or where people may have answered;
    the one that was touched longest ago first. `news` is from `latest_news`."""
    return [
        pull
        for pull in sorted(pulls, key=lambda pull: (pull.updated_at, pull.number))
        if pull.number in news
        and (not is_seen(state, pull) or news[pull.number] > state.seen[pull.number].at)
    ]
