"""Convert the results of batches into ledger events."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from claude_batch.anthropic_api.models import BatchId
from claude_batch.anthropic_api.results import (
    BatchResult,
    InvalidResponse,
    Outcome,
    Usage,
    Validator,
    parse_result_line,
)
from claude_batch.batches.batching import custom_id, request_number
from claude_batch.costs.prices import Cost, Prices, UnknownModel
from claude_batch.errors import CannotFind
from claude_batch.findings.finding import Finding
from claude_batch.findings.parsing import parse_review, validate_review
from claude_batch.findings.verdicts import parse_verdicts
from claude_batch.ledger import events as order
from claude_batch.ledger.batch_record import BatchRecord
from claude_batch.ledger.event_index import RequestHeader
from claude_batch.ledger.events import (
    AnswerRecorded,
    BatchStatus,
    IntentAbandoned,
    RequestRecorded,
    Stamp,
)
from claude_batch.ledger.store import Ledger, Shard, Write
from claude_batch.ledger.view import LedgerState

UNDECIDED = "undecided: the answer was lost, the request may have been paid for"
MatchedResult = tuple[RequestHeader, BatchResult]
MISSING = "the batch ended without a readable line for this request"


def response_validator(record: BatchRecord) -> Validator | None:
    """The check for the texts of a batch. Verdicts are checked when they are recorded."""
    first = next(iter(record.requests.values()), None)  # second looks are sent apart
    return None if first and first.purpose == "verify" else validate_review


def parse_results(
    lines: Iterable[bytes], validate: Validator | None = validate_review
) -> Iterator[BatchResult]:
    """Result lines that name a request; a request without one is recorded as unreadable."""
    for line in lines:
        try:
            yield parse_result_line(line, validate)
        except InvalidResponse:
            continue


def parse_findings(
    requests: Iterable[RequestRecorded], results: Iterable[BatchResult]
) -> Iterator[Finding]:
    """Parse the findings of succeeded results again, for answers whose findings are not stored."""
    places = {custom_id(asked.intent, asked.n, asked.sha): asked for asked in requests}
    for raw in results:
        asked = places.get(raw.custom_id)
        if asked is not None and raw.outcome is Outcome.SUCCEEDED:
            yield from parse_review(raw.text or "", raw.custom_id, asked.tasks, asked.kind)


def load_findings(
    ledger: Ledger,
    state: LedgerState,
    answers: Sequence[AnswerRecorded],
    fetch_results: Callable[[BatchId], Iterable[bytes]],
) -> Iterator[Finding]:
    """The findings of answers, from the ledger or, where it keeps ids only, from the API."""
    yield from ledger.findings([one for one in answers if one.shard])
    missing = [one for one in answers if one.findings and not one.shard and one.batch]
    for batch in dict.fromkeys(one.batch for one in missing if one.batch):
        rows = [state.request(one.intent, one.n) for one in missing if one.batch == batch]
        try:
            yield from parse_findings(
                [row.request for row in rows if row], parse_results(fetch_results(batch))
            )
        except CannotFind:
            continue  # the API keeps results for 29 days


@dataclass(frozen=True)
class AnswerRecorder:
    """Convert the results of one batch into events. Idempotent."""

    batch: BatchRecord
    prices: Prices
    now: datetime
    run: str
    keep_findings: bool = True  # False: the ledger gets ids, costs and states only

    @property
    def stamp(self) -> Stamp:
        return Stamp(self.run, self.batch.intent.repo, lambda: self.now)

    def record(self, state: LedgerState, results: Iterable[BatchResult]) -> Write:
        """These answers, where `state` does not hold them yet."""
        return self._write(state, self._found(results))

    def record_final(self, state: LedgerState, results: Iterable[BatchResult]) -> Write:
        """These answers, and that nothing more will come."""
        found = self._found(results)
        written = self._write(
            state, found | self._lost(self._waiting(state) - found.keys(), MISSING)
        )
        return Write((*written.events, *self._collected(state)), written.shards)

    def record_unknown(self, state: LedgerState) -> Write:
        """Record the end of an interrupted run in lane `now`, whose requests go one by one.

        The first request without an answer may have been paid for. Those after it
        were never sent.
        """
        waiting = sorted(self._waiting(state))
        written = self._write(state, self._lost(waiting[:1], UNDECIDED))
        rest = self.abandon("its run ended before this was sent").events if waiting[1:] else ()
        return Write((*written.events, *rest))

    def abandon(self, reason: str) -> Write:
        """Free the requests without an answer: they were never sent."""
        intent = self.batch.intent.id
        return Write((self.stamp.event(IntentAbandoned, intent=intent, reason=reason),))

    def _waiting(self, state: LedgerState) -> set[int]:
        """The requests that have no answer yet."""
        answers = state.batch_records[self.batch.intent.id].answers
        return set(self.batch.requests.keys() - answers.keys())

    def _found(self, raws: Iterable[BatchResult]) -> dict[int, MatchedResult]:
        """Matched without an index by name, which would cost as much as the requests. Of two
        answers to one request the first stands, as it does when it was recorded before."""
        found: dict[int, MatchedResult] = {}
        intent, requests = self.batch.intent.id, self.batch.requests
        for raw in raws:
            if (n := request_number(raw.custom_id)) is None:
                continue
            head = requests.header(n)
            if head and custom_id(intent, n, head.sha) == raw.custom_id:
                found.setdefault(n, (head, raw))
        return found

    def _write(self, state: LedgerState, found: Mapping[int, MatchedResult]) -> Write:
        have = state.batch_records[self.batch.intent.id].answers.keys()
        at = order.next_timestamp(self._forgotten(state), self.now)
        new = {n: found[n] for n in sorted(found) if n not in have}
        events = tuple(self._answer(at, n, *pair) for n, pair in new.items())
        return Write(events, tuple(self._shards(new)) if self.keep_findings else ())

    def _shards(self, found: Mapping[int, MatchedResult]) -> Iterator[Shard]:
        for n, (head, raw) in found.items():
            if raw.findings and head.purpose != "verify":
                asked = self.batch.requests[n]
                said = parse_review(raw.text or "", raw.custom_id, asked.tasks, asked.kind)
                yield Shard(asked.intent, n, said)

    def _forgotten(self, state: LedgerState) -> Iterator[datetime]:
        """When tasks of this record were freed, by a clock that is ahead: what comes afterwards
        would not count."""
        ahead = {task: at for task, at in state.reset_times.items() if at >= self.now}
        if ahead:
            asked = (task for one in self.batch.requests.values() for task in one.tasks)
            yield from (ahead[task.id] for task in asked if task.id in ahead)

    def _lost(self, numbers: Iterable[int], error: str) -> dict[int, MatchedResult]:
        raw = BatchResult("", Outcome.UNREADABLE, error=error, retriable=True)
        return {n: (RequestHeader.from_request(self.batch.requests[n]), raw) for n in numbers}

    def _answer(
        self, at: datetime, n: int, head: RequestHeader, raw: BatchResult
    ) -> AnswerRecorded:
        refuted: tuple[str, ...] = ()
        if head.purpose == "verify":
            raw, refuted = _judged(self.batch.requests[n], raw)
        model = raw.model or head.model
        cost = self._cost(model, raw.usage)
        return Stamp(self.run, head.repo, lambda: at).event(
            AnswerRecorded,
            intent=self.batch.intent.id,
            n=n,
            batch=self.batch.submitted.batch if self.batch.submitted else None,
            outcome=raw.outcome,
            model=model,
            usage=raw.usage,
            usd=cost.usd if cost else None,
            usd_standard=cost.usd_standard if cost else None,
            findings=raw.findings,
            refuted=refuted,
            error=raw.error,
            retriable=raw.retriable,
        )

    def _cost(self, model: str, usage: Usage | None) -> Cost | None:
        """None where the answer says nothing of its usage, or its model has no price."""
        if usage is None:
            return None
        batch = self.batch.intent.lane == "batch"
        try:
            return self.prices.cost(model, usage, at=self.now.date(), batch=batch)
        except UnknownModel:
            return None

    def _collected(self, state: LedgerState) -> tuple[BatchStatus, ...]:
        submitted = self.batch.submitted
        if submitted is None or "collected" in state.batch_records[self.batch.intent.id].statuses:
            return ()
        return (self.stamp.event(BatchStatus, batch=submitted.batch, status="collected"),)


def _judged(asked: RequestRecorded, raw: BatchResult) -> tuple[BatchResult, tuple[str, ...]]:
    """An answer that leaves a claim without a verdict has judged nothing."""
    if raw.outcome is not Outcome.SUCCEEDED:
        return raw, ()
    try:
        return raw, parse_verdicts(raw.text or "", asked.about)
    except InvalidResponse as reason:
        return raw._replace(outcome=Outcome.UNREADABLE, error=str(reason), retriable=True), ()
