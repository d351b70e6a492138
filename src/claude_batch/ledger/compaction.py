"""Compaction: old log files are replaced by one snapshot a month, with one event per request.

Every command prints the same before and after. So a request is folded only if the folded event
has all of it that is needed later. It stays if it failed with a reason, if its findings are still
stored, or if estimates are based on it. Events that are not about requests stay, too.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from claude_batch.anthropic_api.models import BatchId
from claude_batch.ledger.batch_record import RequestKey
from claude_batch.ledger.events import (
    AnswerRecorded,
    AnyEvent,
    BatchLookup,
    BatchStatus,
    Event,
    FeedbackRecorded,
    FoldedRequest,
    Held,
    Installed,
    Intent,
    IntentAbandoned,
    IntentId,
    JobChanged,
    Lease,
    Plan,
    Post,
    PullRequestClosed,
    PullRequestSeen,
    RequestRecorded,
    Submitted,
    TasksReset,
    UnknownEvent,
    Unsent,
    is_unpriced,
)
from claude_batch.ledger.files import LARGE, ParsedLog, encode_snapshot, is_older
from claude_batch.ledger.usage_history import sampled_requests
from claude_batch.ledger.view import (
    LedgerState,
    TaskStatus,
    plan_key,
    plans_counted_once,
    refactoring_plans,
)

# The API keeps results for 29 days, and reading them again needs the unfolded request.
MIN_AGE = timedelta(days=30)
MAX_FILES = 1_000
MAX_BYTES = 5_000_000


def needs_compaction(log_sizes: Mapping[str, int], before: datetime) -> bool:
    """True if there are many or large log files of days before `before`. Bytes by path."""
    paths = compactable_files(log_sizes, before)
    return len(paths) > MAX_FILES or sum(log_sizes[path] for path in paths) > MAX_BYTES


def compactable_files(log_sizes: Mapping[str, int], before: datetime) -> list[str]:
    """The log files of days before `before`, without large ones."""
    # The rows of a large file take no memory until they are read; folded they would.
    return [path for path, size in log_sizes.items() if size < LARGE and is_older(path, before)]


@dataclass(frozen=True)
class Compaction:
    """Files to add and files to remove, in one commit."""

    files: Mapping[str, bytes]
    removed: tuple[str, ...]


def fold(logs: Mapping[str, ParsedLog], state: LedgerState, before: datetime) -> Compaction:
    """Fold the log files of days before `before`, and the snapshots. `state` is that of all `logs`.

    A file that could not be read in full is left alone.
    """
    days = compactable_files({path: log.size for path, log in logs.items()}, before)
    snapshots = [path for path in logs if path.startswith("snap/")]
    paths = [path for path in (*days, *snapshots) if not logs[path].damaged]
    events = [event for path in paths for event in logs[path].all_events()]
    months: dict[str, list[AnyEvent]] = {}
    for event in _fold_events(events, state, before):
        months.setdefault(f"{event.at.astimezone(UTC):%Y-%m}", []).append(event)
    new = dict(encode_snapshot(month, events) for month, events in months.items())
    files = {path: content for path, content in new.items() if path not in logs}
    return Compaction(files, tuple(path for path in paths if path not in new))


def _fold_events(
    events: list[AnyEvent], state: LedgerState, before: datetime
) -> Iterator[AnyEvent]:
    sampled = sampled_requests(state)
    keys = dict.fromkeys(
        (event.intent, event.n)
        for event in events
        if isinstance(event, RequestRecorded | AnswerRecorded)
    )
    rows = [_fold_request(state, key, before) for key in keys if key not in sampled]
    folded = {(row.intent, row.n): row for row in rows if row}
    retention = _Retention.from_state(state, folded, before)
    yield from filter(retention.keeps, events)
    yield from folded.values()


def _fold_request(state: LedgerState, key: RequestKey, before: datetime) -> FoldedRequest | None:
    """None: the request is not finished, or the folded event would lose something."""
    intent, n = key
    record = state.batch_records.get(intent)
    request = record.requests.get(n) if record else None
    answer = record.answers.get(n) if record else None
    if not record or not request or not answer or record.is_open() or answer.at >= before:
        return None
    if (answer.findings and answer.shard in state.shards) or is_unpriced(answer):
        return None
    if request.model_extra or request.estimate.model_extra:  # keys of a newer version
        return None
    # Until a failed task is retried, `status` shows its file and the reason.
    if any(state.task_status(task.id) is TaskStatus.FAILED for task in request.tasks):
        return None
    row = FoldedRequest.from_request(request, answer, record.intent.lane)
    batch = record.submitted.batch if record.submitted else None
    is_complete = row.answer(batch) == answer and request.at == record.intent.at
    return row if is_complete and answer.model else None


KeptForEver = (
    Intent
    | Submitted
    | FeedbackRecorded
    | TasksReset
    | Held
    | JobChanged
    | Installed
    | UnknownEvent
)


@dataclass(frozen=True)
class _Retention:
    """The events that stay: all that no folded request and no later event replaces."""

    folded: Mapping[RequestKey, FoldedRequest]
    finished: frozenset[IntentId | BatchId]
    latest: frozenset[Event]
    plans: frozenset[str]

    @classmethod
    def from_state(
        cls, state: LedgerState, folded: Mapping[RequestKey, FoldedRequest], before: datetime
    ) -> "_Retention":
        answered = [
            record
            for record in state.batch_records.values()
            if record.is_answered() and "lost" not in record.statuses
        ]
        batches = (record.submitted.batch for record in answered if record.submitted)
        latest = (
            *(*state.posts.values(), *state.leases.values(), *state.closed.values()),
            *state.seen.values(),
        )
        return cls(
            folded,
            frozenset((*(record.intent.id for record in answered), *batches)),
            frozenset(latest),
            frozenset(plan.id for plan in _needed_plans(state, before)),
        )

    def keeps(self, event: AnyEvent) -> bool:
        match event:
            case RequestRecorded() | AnswerRecorded() | FoldedRequest():
                return (event.intent, event.n) not in self.folded
            case BatchLookup() | IntentAbandoned():
                return event.intent not in self.finished
            case BatchStatus():
                return event.batch not in self.finished
            case Post() | Lease() | PullRequestClosed() | PullRequestSeen():
                return event in self.latest
            case Plan():
                return event.id in self.plans
            case Unsent():
                return event.plan in self.plans
            case _:
                kept: KeptForEver = event  # mypy shows an event that is in no case
                return bool(kept)


def _needed_plans(state: LedgerState, before: datetime) -> Iterable[Plan]:
    """New plans, those of open pull requests, the latest of each label, those of refactorings, and
    those whose reused tasks are counted in receipts."""
    latest = {(plan.pr, plan.label): plan.at for plan in state.plans}
    first = {plan_key(plan): plan for plan in reversed(state.plans)}
    needed = {plan.id for plan, _ in refactoring_plans(state)}
    needed |= {plan.id for plan in plans_counted_once(state)}
    for plan in state.plans:
        is_open = plan.pr is not None and not state.was_closed(plan.pr, before)
        is_new = plan.at >= before or plan.at == latest[plan.pr, plan.label]
        if plan.id in needed or is_open or is_new:
            # Only the first of equal plans is counted, so it must stay if a later one does.
            yield from (plan, first[plan_key(plan)])
