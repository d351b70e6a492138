"""`ci`: run submit, collect or publish for a CI event.

Outages are warnings, so that a merge is not blocked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, assert_never

from claude_batch.batches.collect_result import CollectResult
from claude_batch.config.model import Lane
from claude_batch.errors import (
    BudgetExceeded,
    CannotCollect,
    CannotFetch,
    CannotPublish,
    CannotRecord,
    CannotSubmit,
    ClaudeBatchError,
)
from claude_batch.github_actions.events import (
    ClosePullRequest,
    CollectAndPublish,
    CollectBatches,
    DoNothing,
    SkipPullRequest,
    SubmitPullRequest,
    decide_action,
)
from claude_batch.pull_requests.publish import PublishResult
from claude_batch.submission.planner import SubmitResult


@dataclass
class CiResult:
    """The results of the steps that ran. A field is None if its step did not run."""

    event: str
    notes: list[str] = field(default_factory=list)
    warnings: list[ClaudeBatchError] = field(default_factory=list)
    submission: SubmitResult | None = None
    collection: CollectResult | None = None
    publications: list[PublishResult] | None = None


# A service or the budget refused. Errors of usage and configuration, and bugs, fail the run.
OUTAGES = (BudgetExceeded, CannotCollect, CannotFetch, CannotPublish, CannotRecord, CannotSubmit)


@dataclass(frozen=True)
class CiActions:
    """The functions that `ci` runs, with ledger and configuration bound."""

    submit: Callable[[int, Lane | None], SubmitResult]
    collect: Callable[[], CollectResult]
    publish: Callable[[], list[PublishResult]]  # on all open pull requests with recorded requests
    # Takes the number and whether it is merged; returns id and status of canceled batches.
    close: Callable[[int, bool], list[tuple[str, str]]]
    compact: Callable[[], int]  # if due; returns the number of folded log files


def run_ci(
    event: str,
    payload: Mapping[str, object],
    label: str,
    forks: Literal["skip", "label"],
    actions: CiActions,
) -> CiResult:
    """Run the steps for an event. Raises every error that is not an outage."""
    action = decide_action(event, payload, label, forks)
    result = CiResult(event)
    match action:
        case SubmitPullRequest(pr, lane):
            with _OutagesAsWarnings(result):
                result.submission = actions.submit(pr, lane)
        case ClosePullRequest(pr, merged):
            with _OutagesAsWarnings(result):
                canceled = [
                    f"batch {batch}: {status}" for batch, status in actions.close(pr, merged)
                ]
                result.notes += canceled or [f"no open batch belongs to pull request {pr} alone"]
        case CollectBatches() | CollectAndPublish():
            with _OutagesAsWarnings(result):
                result.collection = actions.collect()
            # Each step runs after an outage of an earlier one: paid answers are still collected.
            if isinstance(action, CollectAndPublish):
                with _OutagesAsWarnings(result):
                    result.publications = actions.publish()
                result.warnings += [
                    publication.error
                    for publication in result.publications or ()
                    if publication.error
                ]
                with _OutagesAsWarnings(result):
                    folded = actions.compact()
                    if folded:
                        result.notes.append(f"{folded:,} old files of the ledger were folded")
        case SkipPullRequest(pr, reason):
            result.notes.append(f"pull request {pr} is left alone: {reason}")
        case DoNothing(reason):
            result.notes.append(reason)
        case _:
            assert_never(action)
    return result


@dataclass(frozen=True)
class _OutagesAsWarnings:
    """Record an outage as a warning and go on."""

    result: CiResult

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, OUTAGES):
            self.result.warnings.append(error)
            return True
        return False
