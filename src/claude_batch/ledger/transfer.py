"""Copy answered requests from one ledger to another.

The copies keep their intent and number, so reports over both ledgers count each request once.
"""

from collections.abc import Collection, Iterator

from claude_batch.ledger.batch_record import BatchRecord, RequestKey
from claude_batch.ledger.events import TICK, AnyEvent, FoldedRequest, Intent, IntentId
from claude_batch.ledger.view import LedgerState


def copied_events(
    source: LedgerState, target: LedgerState, keys: Collection[RequestKey]
) -> Iterator[AnyEvent]:
    """The events of answered requests of `source` that `target` does not have.

    Their findings are not part of it: an answer names no shard.
    """
    numbers: dict[IntentId, list[int]] = {}
    for intent, n in sorted(keys):
        if target.requests.find(intent, n) is None:
            numbers.setdefault(intent, []).append(n)
    for intent, missing in numbers.items():
        record = source.batch_records.get(intent)
        if record:
            yield from _copied_batch(record, target.batch_records.get(intent), missing)
        else:
            yield from (source.folded_requests[intent, n] for n in missing)


def _copied_batch(
    record: BatchRecord, present: BatchRecord | None, numbers: list[int]
) -> Iterator[AnyEvent]:
    requests = {n: record.requests[n] for n in numbers}
    whole = [n for n, request in requests.items() if request.sha]
    if whole:
        yield _copied_intent(record.intent, present, len(whole))
        if record.submitted and not (present and present.submitted):
            yield record.submitted
    for n, request in requests.items():
        answer = record.answers[n]
        if request.sha:
            yield request
            yield answer.model_copy(update={"shard": None})
        else:  # it was folded
            yield FoldedRequest.from_request(request, answer, record.intent.lane)


def _copied_intent(intent: Intent, present: BatchRecord | None, added: int) -> Intent:
    """The intent with the number of requests that are copied: a greater one would be a gap."""
    if present is None:
        return intent.model_copy(update={"requests": added})
    # Of two events of one intent the later counts.
    requests, at = present.intent.requests + added, present.intent.at + TICK
    return intent.model_copy(update={"requests": requests, "at": at})
