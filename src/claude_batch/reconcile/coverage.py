"""Which pull requests are covered: every run sees to it that they are reviewed and posted."""

from datetime import datetime, timedelta
from typing import Literal

from claude_batch.github_api.models import PullRequest
from claude_batch.ledger.events import Plan
from claude_batch.ledger.view import LedgerState
from claude_batch.waiting.current_plans import is_closed

HORIZON = timedelta(days=14)
LABEL = "claude-batch-now"  # by default; setting it has a pull request answered at once
Forks = Literal["skip", "label"]


def needs_plan(state: LedgerState, pull: PullRequest) -> bool:
    """True if no plan is recorded for its head and its base branch, as they are now."""
    plan = state.latest_plan(pull.number)
    return plan is None or not _fits(state, plan, pull)


def _fits(state: LedgerState, plan: Plan, pull: PullRequest) -> bool:
    has_same_base = plan.base_ref is None or plan.base_ref == pull.base_ref
    return plan.head == pull.head_sha and has_same_base and not is_closed(state, plan)


def uncovered_reason(
    state: LedgerState, pull: PullRequest, forks: Forks, label: str, now: datetime
) -> str:
    """The reason why nothing is done for an open pull request on a schedule. Empty: it is covered.

    A recorded plan of this head shows that an event for it was seen.
    """
    if not needs_plan(state, pull):
        return ""
    reason = skip_reason(pull, forks, label)
    if reason:
        return reason
    if state.installed is None or state.installed.heads.get(pull.number) == pull.head_sha:
        return "it was opened before claude-batch was installed, and not pushed to since"
    if pull.updated_at < now - HORIZON:
        return f"it was not touched for {HORIZON.days} days"
    return ""


def skip_reason(pull: PullRequest, forks: Forks, label: str, *, is_labelled: bool = False) -> str:
    """The reason why a pull request is not reviewed. Empty: it is.

    `is_labelled`: somebody has just set the label, which asks for the present head.
    """
    if pull.from_fork and forks == "skip":
        return (
            'it comes from a fork; `forks = "label"` in the configuration allows reviews by label'
        )
    if is_labelled:
        return ""
    if pull.from_fork:
        # The label stays on while the fork's author pushes more, so each push needs it set anew.
        return f"it comes from a fork; setting the label {label} again submits its current head"
    if pull.draft:
        return f"it is a draft; marking it ready for review, or the label {label}, submits it"
    if pull.author.is_bot:
        return f"its author is the bot {pull.author.login}; the label {label} submits it"
    return ""
