"""What several verbs in a row did."""

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
    event: str
    notes: list[str] = field(default_factory=list)
    warnings: list[ClaudeBatchError] = field(default_factory=list)
    submission: SubmitResult | None = None
    collection: CollectResult | None = None
    publications: list[PublishResult] | None = None


# The world said no. Usage, configuration and our own bugs are not in the list: those are red.
OUTAGES = (BudgetExceeded, CannotCollect, CannotFetch, CannotPublish, CannotRecord, CannotSubmit)


@dataclass(frozen=True)
class Verbs:
    """The verbs as this place can call them."""

    submit: Callable[[int, Lane | None], SubmitResult]
    collect: Callable[[], CollectResult]
    publish: Callable[[], list[PublishResult]]  # on all open pull requests with something recorded
    close: Callable[[int, bool], list[tuple[str, str]]]  # merged?; cancels: id, status
    compact: Callable[[], int]  # log files that were folded, where that is due


def run_ci(
    event: str,
    payload: Mapping[str, object],
    label: str,
    forks: Literal["skip", "label"],
    verbs: Verbs,
) -> CiResult:
    """Each step goes on where the one before it met an outage: paid work is still collected."""
    trip = decide_action(event, payload, label, forks)
    done = CiResult(event)
    match trip:
        case SubmitPullRequest(pr, lane):
            with _Tolerant(done):
                done.submission = verbs.submit(pr, lane)
        case ClosePullRequest(pr, merged):
            with _Tolerant(done):
                ended = [f"batch {batch}: {status}" for batch, status in verbs.close(pr, merged)]
                done.notes += ended or [f"nothing is open for pull request {pr} alone"]
        case CollectBatches() | CollectAndPublish():
            with _Tolerant(done):
                done.collection = verbs.collect()
            if isinstance(trip, CollectAndPublish):
                with _Tolerant(done):
                    done.publications = verbs.publish()
                done.warnings += [one.error for one in done.publications or () if one.error]
                with _Tolerant(done):
                    folded = verbs.compact()
                    done.notes += [f"{folded:,} old files of the ledger were folded"] * bool(folded)
        case SkipPullRequest(pr, reason):
            done.notes.append(f"pull request {pr} is left alone: {reason}")
        case DoNothing(reason):
            done.notes.append(reason)
        case _:
            assert_never(trip)
    return done


@dataclass(frozen=True)
class _Tolerant:
    """Turns an outage into a warning."""

    done: CiResult

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, OUTAGES):
            self.done.warnings.append(error)
            return True
        return False
