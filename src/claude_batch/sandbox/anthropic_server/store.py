"""The life of the sandbox's message batches.

Requests and results are kept in files, one line each. Only while a batch is being created is its
body in memory, once as bytes and once as parsed values; afterwards a request costs an offset.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, TypedDict

from pydantic_core import from_json, to_json

from claude_batch.sandbox.anthropic_server.responses import (
    AnthropicErrorResponse,
    Json,
    error_envelope,
    new_id,
    render_message,
)
from claude_batch.sandbox.anthropic_server.reviewer import ModelReply
from claude_batch.sandbox.anthropic_server.usage import PrefixCache
from claude_batch.sandbox.anthropic_server.validation import find_params_error

MOST_REQUESTS = 100_000
EXPIRY = timedelta(hours=24)
ARCHIVE = timedelta(days=29)
CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
KINDS = ("processing", "succeeded", "errored", "canceled", "expired")


class BatchRequest(TypedDict):
    custom_id: str
    params: Json


@dataclass
class SandboxBatch:
    id: str
    created: datetime
    version: str  # the anthropic-version under which it was created
    file: Path
    offsets: list[int] = field(default_factory=list)
    canceled: datetime | None = None
    counts: Counter[str] | None = None  # when its results are written

    @property
    def results(self) -> Path:
        return self.file.with_suffix(".results.jsonl")


class BatchStore:
    """Not safe for threads by itself: the server holds a lock."""

    def __init__(
        self,
        folder: Path,
        now: Callable[[], datetime],
        reviewer: Callable[[Json], ModelReply],
        seconds: float,
        cancel_seconds: float,
    ) -> None:
        self.cache = PrefixCache()
        self._folder = folder
        self._now = now
        self._reviewer = reviewer
        self._takes = timedelta(seconds=seconds)
        self._cancel_takes = timedelta(seconds=cancel_seconds)
        self._batches: dict[str, SandboxBatch] = {}  # oldest first

    def create(self, body: bytes, version: str) -> SandboxBatch:
        rows = _envelope(body)
        name = new_id("msgbatch")
        batch = SandboxBatch(name, self._now(), version, self._folder / f"{name}.jsonl")
        with batch.file.open("wb") as file:
            for row in rows:
                batch.offsets.append(file.tell())
                file.write(to_json(row, inf_nan_mode="constants") + b"\n")
        self._batches[name] = batch
        return batch

    def get(self, name: str) -> SandboxBatch:
        batch = self._batches.get(name)
        if batch is None:
            raise AnthropicErrorResponse(404, "not_found_error", f"No batch with id {name}")
        if self.status(batch) == "ended" and batch.counts is None:
            self._settle(batch)
        return batch

    def newest_first(self) -> list[SandboxBatch]:
        return [self.get(name) for name in reversed(self._batches)]

    def cancel(self, name: str) -> Json:
        batch = self.get(name)
        if self.status(batch) == "ended":
            raise AnthropicErrorResponse(
                400, "invalid_request_error", f"Batch {name} has already ended"
            )
        batch.canceled = batch.canceled or self._now()
        return self.json(batch, "", "canceling")

    def delete(self, name: str) -> Json:
        batch = self.get(name)
        if self.status(batch) != "ended":
            raise AnthropicErrorResponse(
                400, "invalid_request_error", f"Batch {name} has not ended"
            )
        batch.file.unlink()
        batch.results.unlink(missing_ok=True)
        del self._batches[name]
        return {"id": name, "type": "message_batch_deleted"}

    def results(self, name: str) -> bytes:
        batch = self.get(name)
        if self.status(batch) != "ended":
            raise AnthropicErrorResponse(
                400, "invalid_request_error", f"Batch {name} has no results yet"
            )
        if self._archived(batch):
            raise AnthropicErrorResponse(
                404, "not_found_error", f"The results of {name} are no longer available"
            )
        return batch.results.read_bytes()

    def requests(self, name: str) -> Iterator[tuple[str, Json]]:
        """The requests as they were sent: (custom_id, params)."""
        with self._batches[name].file.open("rb") as file:
            for line in file:
                row: BatchRequest = json.loads(line)
                yield row["custom_id"], row["params"]

    def status(self, batch: SandboxBatch) -> str:
        if self._now() >= self._ends(batch):
            return "ended"
        return "canceling" if batch.canceled else "in_progress"

    def json(self, batch: SandboxBatch, base: str, status: str | None = None) -> Json:
        status = status or self.status(batch)
        ended, archived = status == "ended", self._archived(batch)
        counts = batch.counts if ended else Counter(processing=len(batch.offsets))
        url = f"{base}/v1/messages/batches/{batch.id}/results"
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": status,
            "request_counts": {kind: (counts or Counter())[kind] for kind in KINDS},
            "ended_at": self._ends(batch).isoformat() if ended else None,
            "created_at": batch.created.isoformat(),
            "expires_at": (batch.created + EXPIRY).isoformat(),
            "archived_at": (batch.created + ARCHIVE).isoformat() if archived else None,
            "cancel_initiated_at": batch.canceled.isoformat() if batch.canceled else None,
            "results_url": url if ended and not archived else None,
        }

    def _archived(self, batch: SandboxBatch) -> bool:
        return self._now() >= batch.created + ARCHIVE

    def _ends(self, batch: SandboxBatch) -> datetime:
        ends = [batch.created + self._takes, batch.created + EXPIRY]
        if batch.canceled:
            ends.append(batch.canceled + self._cancel_takes)
        return min(ends)

    def _done(self, batch: SandboxBatch) -> int:
        """How many were processed, in the order of sending, before the batch was stopped."""
        stopped = min(batch.canceled or batch.created + EXPIRY, batch.created + EXPIRY)
        if batch.created + self._takes <= stopped:
            return len(batch.offsets)
        return int(len(batch.offsets) * ((stopped - batch.created) / self._takes))

    def _settle(self, batch: SandboxBatch) -> None:
        """Write all results at once: there are no partial ones. Their order is not kept."""
        done, counts = self._done(batch), Counter[str]()
        missed = "canceled" if batch.canceled else "expired"
        order = list(range(len(batch.offsets)))
        random.Random(batch.id).shuffle(order)  # noqa: S311
        with batch.file.open("rb") as sent, batch.results.open("wb") as results:
            for at in order:
                row = _row(sent, batch.offsets[at])
                result = self._result(row["params"], batch) if at < done else {"type": missed}
                counts[str(result["type"])] += 1
                results.write(to_json({"custom_id": row["custom_id"], "result": result}) + b"\n")
        batch.counts = counts

    def _result(self, params: Json, batch: SandboxBatch) -> Json:
        """Params are looked at here and no earlier, as on the real API."""
        refused = find_params_error(params, batch.version, batch=True)
        if refused:
            return {"type": "errored", "error": error_envelope(*refused, None)}
        reply = self._reviewer(params)
        if reply.result == "errored":
            return {"type": "errored", "error": error_envelope(*reply.error, None)}
        if reply.result != "succeeded":
            return {"type": reply.result}
        counts = self.cache.count(params, batch.created, self._ends(batch))
        return {"type": "succeeded", "message": render_message(params, reply, counts, "batch")}


def _row(file: BinaryIO, offset: int) -> BatchRequest:
    file.seek(offset)
    row: BatchRequest = json.loads(file.readline())
    return row


def _envelope(body: bytes) -> list[Json]:
    """The requests, of which only the envelope is looked at. Raises Refused."""
    try:
        envelope = from_json(body)
    except ValueError as reason:
        raise _bad(f"The request body is not valid JSON: {reason}") from reason
    if not isinstance(envelope, dict) or not isinstance(envelope.get("requests"), list):
        raise _bad("requests: Field required")
    for key in envelope.keys() - {"requests"}:
        raise _bad(f"{key}: Extra inputs are not permitted")
    rows: list[Json] = envelope["requests"]
    if not 1 <= len(rows) <= MOST_REQUESTS:
        raise _bad(f"requests: List should have between 1 and {MOST_REQUESTS} items")
    seen: set[object] = set()
    for at, row in enumerate(rows):
        _check_row(row, at, seen)
    return rows


def _check_row(row: object, at: int, seen: set[object]) -> None:
    if not isinstance(row, dict):
        raise _bad(f"requests.{at}: Input should be a valid dictionary")
    for key in row.keys() - {"custom_id", "params"}:
        raise _bad(f"requests.{at}.{key}: Extra inputs are not permitted")
    name = row.get("custom_id")
    if not isinstance(name, str) or not CUSTOM_ID.fullmatch(name):
        pattern = f"^{CUSTOM_ID.pattern}$"
        raise _bad(f"requests.{at}.custom_id: String should match pattern '{pattern}'")
    if name in seen:
        raise _bad(f"requests.{at}.custom_id: duplicate custom_id '{name}'")
    if not isinstance(row.get("params"), dict):
        raise _bad(f"requests.{at}.params: Input should be a valid dictionary")
    seen.add(name)


def _bad(said: str) -> AnthropicErrorResponse:
    return AnthropicErrorResponse(400, "invalid_request_error", said)
