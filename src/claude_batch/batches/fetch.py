"""Fetch the results of one batch and record them.

Results are complete when there is one for each request. Fewer are fetched again: a stream that was
cut may end without an error.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.anthropic_api.models import BATCH_LIFETIME, BatchId, RemoteBatch
from claude_batch.anthropic_api.results import BatchResult
from claude_batch.batches.record_answers import (
    DELETED,
    AnswerRecorder,
    parse_results,
    response_validator,
)
from claude_batch.costs.prices import Prices
from claude_batch.errors import CannotCollect, CannotFind
from claude_batch.formatting import count
from claude_batch.ledger.batch_record import BatchRecord
from claude_batch.ledger.events import Submitted
from claude_batch.ledger.store import Ledger
from claude_batch.waiting.task_states import RESULTS_AVAILABLE

# The findings of a larger batch are fetched from the API when they are needed.
MAX_REQUESTS_WITH_FINDINGS = 5_000
# A request that has no line so long after the end of its batch will not have one.
MISSING_AFTER = timedelta(hours=24)
CHECK_LATER = "the batch stays open: run `claude-batch collect` again"


@dataclass
class BatchFetcher:
    ledger: Ledger
    anthropic: AnthropicClient
    prices: Prices
    run: str
    now: Callable[[], datetime]
    keep_findings: bool
    portion_size: int
    retry_after: float = field(default=0.0, init=False)  # seconds that the API asks to wait

    def fetch(
        self, record: BatchRecord, submitted: Submitted, listed: Mapping[BatchId, RemoteBatch]
    ) -> None:
        """Record the results of a batch if it has ended. Raises CannotCollect.

        `listed`: batches whose present state is known already.
        """
        try:
            batch = listed.get(submitted.batch) or self.anthropic.retrieve_batch(submitted.batch)
            if batch.status != "ended":
                self.retry_after = max(self.retry_after, batch.retry_after or 0.0)
                return
            lines = self.anthropic.stream_results(submitted.batch)
            self._record(record, batch, parse_results(lines, response_validator(record)))
        except CannotFind as error:
            self._record_missing(record, submitted, error)

    def _record(
        self, record: BatchRecord, batch: RemoteBatch, results: Iterator[BatchResult]
    ) -> None:
        """Record a portion at a time, so that an interruption loses one and memory holds one."""
        recorder = self._recorder(record)
        numbers = set(record.answers)
        final: list[BatchResult] = []
        while portion := list(islice(results, self.portion_size)):
            if final:
                self.ledger.transact(partial(recorder.record, results=final))
            final = portion
            numbers |= {n for n in map(recorder.request_number, portion) if n is not None}
        expected = batch.requests or record.intent.requests
        is_complete = record.requests.keys() <= numbers and len(numbers) >= expected
        if is_complete or self._is_overdue(record, batch):
            self.ledger.transact(partial(recorder.record_final, results=final))
            return
        self.ledger.transact(partial(recorder.record, results=final))
        raise CannotCollect(
            f"the results are incomplete: {len(numbers):,} of {count(expected, 'request')}",
            CHECK_LATER,
        )

    def _recorder(self, record: BatchRecord) -> AnswerRecorder:
        keep = self.keep_findings and len(record.requests) <= MAX_REQUESTS_WITH_FINDINGS
        return AnswerRecorder(record, self.prices, self.now(), self.run, keep)

    def _is_overdue(self, record: BatchRecord, batch: RemoteBatch) -> bool:
        created = record.submitted.created_at if record.submitted else record.intent.at
        ended = batch.ended_at or created + BATCH_LIFETIME
        return self.now() - ended >= MISSING_AFTER

    def _record_missing(self, record: BatchRecord, submitted: Submitted, error: CannotFind) -> None:
        """Record the loss of a batch whose results are deleted by now. Raises CannotCollect."""
        batch = submitted.batch
        if self.now() < submitted.created_at + RESULTS_AVAILABLE:
            raise CannotCollect(
                "the API does not have it: is this key of another workspace?",
                f"if it is gone for good, `claude-batch cancel --forget {batch}` frees its tasks",
            ) from error
        self.ledger.transact(partial(self._recorder(record).record_lost, reason=DELETED))
        raise BatchLost(
            "it is lost, because the API keeps results for 29 days; its tasks are free, and it "
            "counts at its estimate",
            "run `claude-batch submit` for what is still to be asked",
        ) from error


class BatchLost(CannotCollect):
    """The results of a batch are gone, and that is recorded."""
