"""Convert the results of batches into ledger events."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from claude_batch.anthropic_api.models import BatchId
from claude_batch.anthropic_api.results import (
    BatchResult,
    InvalidResponse,
    Outcome,
    Validator,
    parse_result_line,
)
from claude_batch.batches.batching import custom_id, request_number
from claude_batch.costs.prices import FREE, Cost, Prices, UnknownModel
from claude_batch.errors import CannotCollect, CannotFind
from claude_batch.findings.finding import Finding
from claude_batch.findings.parsing import parse_review, validate_review
from claude_batch.findings.verdicts import parse_verdicts
from claude_batch.formatting import count
from claude_batch.ledger.batch_record import BatchRecord
from claude_batch.ledger.event_index import RequestHeader
from claude_batch.ledger.events import (
    AnswerRecorded,
    BatchStatus,
    IntentAbandoned,
    RequestRecorded,
    Stamp,
    next_timestamp,
)
from claude_batch.ledger.store import Ledger, Shard, Write
from claude_batch.ledger.view import LedgerState

UNDECIDED = "undecided: the answer was lost, the request may have been paid for"
MatchedResult = tuple[RequestHeader, BatchResult]
MISSING = "missing_from_results"
DELETED = "the results were deleted before they were collected"


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
    by_id = {custom_id(request.intent, request.n, request.sha): request for request in requests}
    for result in results:
        request = by_id.get(result.custom_id)
        if request is not None and result.outcome is Outcome.SUCCEEDED:
            yield from _parse_findings(request, result)


def _parse_findings(request: RequestRecorded, result: BatchResult) -> tuple[Finding, ...]:
    return parse_review(result.text or "", result.custom_id, request.tasks, request.kind)


def load_findings(
    ledger: Ledger,
    state: LedgerState,
    answers: Sequence[AnswerRecorded],
    fetch_results: Callable[[BatchId], Iterable[bytes]],
) -> Iterator[Finding]:
    """The findings of answers, from the ledger or, where it keeps ids only, from the API."""
    yield from ledger.findings([answer for answer in answers if answer.shard])
    missing: dict[BatchId, list[RequestRecorded]] = {}
    for answer in answers:
        if answer.findings and not answer.shard and answer.batch:
            record = state.requests.find(answer.intent, answer.n)
            missing.setdefault(answer.batch, []).extend([record.request] if record else [])
    for batch, requests in missing.items():
        try:
            results = parse_results(fetch_results(batch))
            yield from parse_findings(requests, _require_all(requests, results))
        except CannotFind:
            continue  # the API keeps results for 29 days


def _require_all(
    requests: Iterable[RequestRecorded], results: Iterable[BatchResult]
) -> Iterator[BatchResult]:
    """The results. Raises CannotCollect at their end if the stream was cut."""
    missing = {custom_id(request.intent, request.n, request.sha) for request in requests}
    for result in results:
        missing.discard(result.custom_id)
        yield result
    if missing:
        raise CannotCollect(
            f"the results of a batch are incomplete: {count(len(missing), 'answer')} missing",
            "run the command again",
        )


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
        """Record the answers that `state` does not have."""
        return self._write(state, self._match(results))

    def request_number(self, result: BatchResult) -> int | None:
        """The number of the request of this batch that has the result; None if it is foreign."""
        number = request_number(result.custom_id)
        if number is None or not result.custom_id.startswith(f"{self.batch.intent.id}-"):
            return None
        header = self.batch.requests.header(number)
        # Of a request whose event is damaged, the hash is not known.
        own = custom_id(self.batch.intent.id, number, header.sha) if header else result.custom_id
        return number if result.custom_id == own else None

    def record_final(self, state: LedgerState, results: Iterable[BatchResult]) -> Write:
        """Record the last answers, and the requests without one as missing."""
        matched = self._match(results)
        missing = self._missing(self._waiting(state) - matched.keys(), MISSING)
        write = self._write(state, matched | missing)
        return Write((*write.events, *self._status(state, "collected")), write.shards)

    def record_lost(self, state: LedgerState, reason: str) -> Write:
        """Record that no more answers will come, although requests may have been billed."""
        write = self._write(state, self._missing(self._waiting(state), reason))
        end = self._status(state, "lost") or self.abandon(reason).events
        return Write((*write.events, *end))

    def record_unknown(self, state: LedgerState) -> Write:
        """Record the end of an interrupted run in lane `now`, whose requests go one by one.

        The first request without an answer may have been paid for. Those after it
        were never sent.
        """
        waiting = sorted(self._waiting(state))
        write = self._write(state, self._undecided(waiting[:1]))
        rest = self.abandon("its run ended before this was sent").events if waiting[1:] else ()
        return Write((*write.events, *rest))

    def abandon(self, reason: str) -> Write:
        """Record that the requests without an answer were not sent."""
        intent = self.batch.intent.id
        return Write((self.stamp.event(IntentAbandoned, intent=intent, reason=reason),))

    def _waiting(self, state: LedgerState) -> set[int]:
        """The requests that have no answer yet."""
        answers = state.batch_records[self.batch.intent.id].answers
        return set(self.batch.requests.keys() - answers.keys())

    def _match(self, results: Iterable[BatchResult]) -> dict[int, MatchedResult]:
        """The results by the number of their request. Of two for one request the first counts."""
        matched: dict[int, MatchedResult] = {}
        requests = self.batch.requests
        for result in results:
            # An index of the ids would take as much memory as the requests.
            n = self.request_number(result)
            header = requests.header(n) if n is not None else None
            if n is not None and header:
                matched.setdefault(n, (header, result))
        return matched

    def _write(self, state: LedgerState, matched: Mapping[int, MatchedResult]) -> Write:
        answered = state.batch_records[self.batch.intent.id].answers.keys()
        at = next_timestamp(self._reset_times(state), self.now)
        new = {n: matched[n] for n in sorted(matched) if n not in answered}
        events = tuple(self._answer(at, n, *pair) for n, pair in new.items())
        return Write(events, tuple(self._shards(new)) if self.keep_findings else ())

    def _shards(self, matched: Mapping[int, MatchedResult]) -> Iterator[Shard]:
        for n, (header, result) in matched.items():
            if result.findings and header.purpose != "verify":
                findings = _parse_findings(self.batch.requests[n], result)
                yield Shard(self.batch.intent.id, n, findings)

    def _reset_times(self, state: LedgerState) -> Iterator[datetime]:
        """The later times at which tasks of this batch were reset, by a clock that is ahead."""
        # An answer with an earlier time than the reset of its task would not count.
        later = {task: at for task, at in state.reset_times.items() if at >= self.now}
        if later:
            tasks = (task for request in self.batch.requests.values() for task in request.tasks)
            yield from (later[task.id] for task in tasks if task.id in later)

    def _undecided(self, numbers: Iterable[int]) -> dict[int, MatchedResult]:
        return self._without_line(
            numbers, BatchResult("", Outcome.UNREADABLE, error=UNDECIDED, retriable=True)
        )

    def _missing(self, numbers: Iterable[int], error: str) -> dict[int, MatchedResult]:
        result = BatchResult("", Outcome.ERRORED, error=error, retriable=True, may_be_billed=True)
        return self._without_line(numbers, result)

    def _without_line(
        self, numbers: Iterable[int], result: BatchResult
    ) -> dict[int, MatchedResult]:
        return {n: (RequestHeader.from_request(self.batch.requests[n]), result) for n in numbers}

    def _answer(
        self, at: datetime, n: int, header: RequestHeader, result: BatchResult
    ) -> AnswerRecorded:
        refuted: tuple[str, ...] = ()
        if header.purpose == "verify":
            result, refuted = _parse_verdicts(self.batch.requests[n], result)
        model, remark = self.prices.priced_model(result.model, header.model)
        cost = self._cost(model, result)
        return AnswerRecorded(
            at=at,
            run=self.run,
            repo=header.repo,
            intent=self.batch.intent.id,
            n=n,
            batch=self.batch.submitted.batch if self.batch.submitted else None,
            outcome=result.outcome,
            model=model,
            usage=result.usage,
            usd=cost.usd if cost else None,
            usd_standard=cost.usd_standard if cost else None,
            findings=result.findings,
            refuted=refuted,
            error="; ".join(filter(None, (result.error, remark))) or None,
            retriable=result.retriable,
            may_be_billed=result.may_be_billed,
        )

    def _cost(self, model: str, result: BatchResult) -> Cost | None:
        """None: the usage or the price of the model is not known."""
        usage = result.usage
        if usage is None:
            return None
        if result.outcome is Outcome.REFUSED and not usage.output:
            return FREE  # a refusal before any output is not billed
        batch = self.batch.intent.lane == "batch"
        try:
            return self.prices.cost(model, usage, at=self.now.date(), batch=batch)
        except UnknownModel:
            return None

    def _status(
        self, state: LedgerState, status: Literal["collected", "lost"]
    ) -> tuple[BatchStatus, ...]:
        submitted = self.batch.submitted
        if submitted is None or status in state.batch_records[self.batch.intent.id].statuses:
            return ()
        return (self.stamp.event(BatchStatus, batch=submitted.batch, status=status),)


def _parse_verdicts(
    request: RequestRecorded, result: BatchResult
) -> tuple[BatchResult, tuple[str, ...]]:
    """The result and the refuted findings. The result is unreadable if a verdict is missing."""
    if result.outcome is not Outcome.SUCCEEDED:
        return result, ()
    try:
        return result, parse_verdicts(result.text or "", request.about)
    except InvalidResponse as reason:
        return result._replace(outcome=Outcome.UNREADABLE, error=str(reason), retriable=True), ()
