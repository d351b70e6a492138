"""Folding: old log files give way to one snapshot a month, where a finished request is one row.

Folded and unfolded, a log answers every question of the program alike. So a request is folded
only if its row says it again: one that failed with a reason, whose findings are still here or
from which estimates are drawn stays as it is. So does all that is not a request.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import assert_never

from claude_batch.anthropic_api.models import BatchId
from claude_batch.ledger import view as ledger_view
from claude_batch.ledger.events import (
    AnswerRecorded,
    AnyEvent,
    BatchLookup,
    BatchStatus,
    Event,
    FeedbackRecorded,
    FoldedRequest,
    Intent,
    IntentAbandoned,
    IntentId,
    Lease,
    Plan,
    Post,
    PullRequestClosed,
    RequestRecorded,
    Submitted,
    TasksReset,
    is_unpriced,
)
from claude_batch.ledger.files import LARGE, ParsedLog, is_older, encode_snapshot
from claude_batch.ledger.usage_history import sampled_requests
from claude_batch.ledger.view import LedgerState, TaskStatus, plan_key, plans_counted_once

# The API keeps results for 29 days, and to read them again takes what a row does not say.
MIN_AGE = timedelta(days=30)
MAX_FILES = 1_000
MAX_BYTES = 5_000_000
Key = tuple[IntentId, int]


def needs_compaction(logs: Mapping[str, int], before: datetime) -> bool:
    """`logs`: sizes by path, as View has them. Snapshots stand for what has been folded."""
    found = compactable_files(logs, before)
    return len(found) > MAX_FILES or sum(logs[path] for path in found) > MAX_BYTES


def compactable_files(logs: Mapping[str, int], before: datetime) -> list[str]:
    """Log files of days before `before`. Rows of large ones cost nothing until they are asked
    for; folded they would."""
    return [path for path, size in logs.items() if size < LARGE and is_older(path, before)]


@dataclass(frozen=True)
class Compaction:
    """`files` say what `gone` said; they go and come in one commit."""

    files: Mapping[str, bytes]
    removed: tuple[str, ...]


def fold(logs: Mapping[str, ParsedLog], view: LedgerState, before: datetime) -> Compaction:
    """Of log files of days before `before`, and snapshots. `view` is the state of all `logs`.

    A file that could not be read in full is left alone.
    """
    days = compactable_files({path: parsed.size for path, parsed in logs.items()}, before)
    snapshots = [path for path in logs if path.startswith("snap/")]
    whole = [path for path in (*days, *snapshots) if not logs[path].damaged]
    months: dict[str, list[AnyEvent]] = {}
    for event in _fold_events(
        [event for path in whole for event in logs[path].all_events()], view, before
    ):
        months.setdefault(f"{event.at.astimezone(UTC):%Y-%m}", []).append(event)
    made = dict(encode_snapshot(month, events) for month, events in months.items())
    files = {path: content for path, content in made.items() if path not in logs}
    return Compaction(files, tuple(path for path in whole if path not in made))


def _fold_events(events: list[AnyEvent], view: LedgerState, before: datetime) -> Iterator[AnyEvent]:
    needed = sampled_requests(view)
    keys = dict.fromkeys(
        (e.intent, e.n) for e in events if isinstance(e, RequestRecorded | AnswerRecorded)
    )
    rows = [_fold_request(view, key, before) for key in keys if key not in needed]
    settled = {(row.intent, row.n): row for row in rows if row}
    rest = _Retention.from_state(view, settled, before)
    yield from filter(rest.keeps, events)
    yield from settled.values()


def _fold_request(view: LedgerState, key: Key, before: datetime) -> FoldedRequest | None:
    """None: the request is not finished, or it has more to say than a row can."""
    intent, n = key
    sending = view.batch_records.get(intent)
    asked = sending.requests.get(n) if sending else None
    answer = sending.answers.get(n) if sending else None
    if not sending or not asked or not answer or sending.is_open() or answer.at >= before:
        return None
    if (answer.findings and answer.shard in view.shards) or is_unpriced(answer):
        return None
    if any(view.task_status(task.id) is TaskStatus.FAILED for task in asked.tasks):
        return None  # until it is asked again, people are told where it stands and why it failed
    row = FoldedRequest.from_request(asked, answer, sending.intent.lane)
    batch = sending.submitted.batch if sending.submitted else None
    is_whole = row.answer(batch) == answer and asked.at == sending.intent.at
    return row if is_whole and answer.model else None


@dataclass(frozen=True)
class _Retention:
    """What is carried over: all but what a row or something later has replaced."""

    settled: Mapping[Key, FoldedRequest]
    finished: frozenset[IntentId | BatchId]
    latest: frozenset[Event]
    plans: frozenset[str]

    @classmethod
    def from_state(
        cls, view: LedgerState, settled: Mapping[Key, FoldedRequest], before: datetime
    ) -> "_Retention":
        answered = [one for one in view.batch_records.values() if one.is_answered()]
        batches = (one.submitted.batch for one in answered if one.submitted)
        latest = (*view.posts.values(), *view.leases.values(), *view.closed.values())
        return cls(
            settled,
            frozenset((*(one.intent.id for one in answered), *batches)),
            frozenset(latest),
            frozenset(plan.id for plan in _needed_plans(view, before)),
        )

    def keeps(self, event: AnyEvent) -> bool:
        match event:
            case RequestRecorded() | AnswerRecorded() | FoldedRequest():
                return (event.intent, event.n) not in self.settled
            case BatchLookup() | IntentAbandoned():  # how it ended its answers say
                return event.intent not in self.finished
            case BatchStatus():
                return event.batch not in self.finished
            case Post() | Lease() | PullRequestClosed():
                return event in self.latest
            case Plan():
                return event.id in self.plans
            case Intent() | Submitted() | FeedbackRecorded() | TasksReset():
                return True
            case _:
                assert_never(event)


def _needed_plans(view: LedgerState, before: datetime) -> Iterable[Plan]:
    """Young ones, those of open pull requests, the latest of each label, those that refactorings
    are made of, and those whose reuse receipts count: of equal ones only the first counts."""
    latest = {(plan.pr, plan.label): plan.at for plan in view.plans}
    first = {plan_key(plan): plan for plan in reversed(view.plans)}
    needed = {plan.id for plan, _ in ledger_view.refactoring_plans(view)} | {
        plan.id for plan in plans_counted_once(view)
    }
    for plan in view.plans:
        is_open = plan.pr is not None and not view.was_closed(plan.pr, before)
        is_new = plan.at >= before or plan.at == latest[plan.pr, plan.label]
        if plan.id in needed or is_open or is_new:
            yield from (plan, first[plan_key(plan)])
