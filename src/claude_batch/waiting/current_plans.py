"""The plans whose tasks are still wanted."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from claude_batch.ledger.events import JobChanged, Plan
from claude_batch.ledger.view import LedgerState

# After this time a task that nobody sent is not wanted any more.
TIME_TO_LIVE = timedelta(days=14)

# Each plan of these is a wish of its own. A plan of another source replaces the one before it.
INDEPENDENT = ("tasks", "rest", "mcp")


def current_plans(state: LedgerState, now: datetime) -> Iterator[Plan]:
    """The latest plan of each open pull request and of each range, and every plan of a file.

    Not those that a person cancelled, nor those of a range or a file beyond TIME_TO_LIVE. A pull
    request that is open, but was not touched for that time, is not covered either.
    """
    latest = {plan_subject(plan): plan for plan in state.plans}
    for plan in latest.values():
        if not (
            is_too_old(state, plan, now) or is_closed(state, plan) or is_cancelled(state, plan)
        ):
            yield plan


def is_superseded(state: LedgerState, plan: Plan) -> bool:
    """True if there is a newer plan of the same pull request."""
    latest = state.latest_plan(plan.pr) if plan.pr is not None else None
    return latest is not None and latest.id != plan.id


def is_closed(state: LedgerState, plan: Plan) -> bool:
    return closed_at(state, plan) is not None


def closed_at(state: LedgerState, plan: Plan) -> datetime | None:
    """When its pull request was closed. None: it is open, or was planned again since."""
    closed = state.closed.get(plan.pr) if plan.pr is not None else None
    return closed.at if closed and closed.at >= plan.at else None


def is_cancelled(state: LedgerState, plan: Plan) -> bool:
    return find_cancellation(state, plan) is not None


def find_cancellation(state: LedgerState, plan: Plan) -> JobChanged | None:
    """The change by which a person cancelled or deleted its job, unless it was re-opened since."""
    changes = state.job_changes.get(plan.id)
    return changes[-1] if changes and changes[-1].action != "reopened" else None


def is_too_old(state: LedgerState, plan: Plan, now: datetime) -> bool:
    return now - (reopened_at(state, plan) or plan.at) > TIME_TO_LIVE


def reopened_at(state: LedgerState, plan: Plan) -> datetime | None:
    """The time at which a person re-opened its job last."""
    changes = state.job_changes.get(plan.id, [])
    return max((change.at for change in changes if change.action == "reopened"), default=None)


def plan_subject(plan: Plan) -> tuple[str, int | None, str]:
    """A plan replaces the earlier ones that have the same subject."""
    if plan.pr is not None:
        return plan.repo, plan.pr, ""
    return plan.repo, None, plan.id if plan.source in INDEPENDENT else plan.label
