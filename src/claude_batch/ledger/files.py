"""The ledger as files: names, bytes and checksums. docs/ledger-format.md says it for other readers.

Every file is written once. Its name carries the first 16 hex digits of the SHA-256 of its bytes,
so a damaged file is known by its name alone, and two writers never want the same name.
"""

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from claude_batch.errors import CannotRecord, LedgerIsNewer
from claude_batch.findings.finding import Finding
from claude_batch.formatting import first_error
from claude_batch.ledger.events import (
    SCHEMA,
    AnswerRecorded,
    AnyEvent,
    IntentId,
    from_line,
    to_line,
)
from claude_batch.ledger.lazy_rows import AnyLogFileIndex, LogFileIndexBuilder
from claude_batch.ledger.store import Shard, Write

READER = 1
WRITER = 1
LARGE = 1_000_000  # bytes of a log file, of which 1,000 requests take two thirds
LOG_BYTES = 8_000_000  # about; git hosts refuse a file of 100 MB, and a claim may have more
SHARD_BYTES = 8_000_000  # before compression, so that reading one needs little memory
META = "meta.json"
README = "README.md"
LOG = re.compile(r"(?:log/\d{4}/\d\d/\d\d/[^/]+|snap/\d{4}-\d\d)-([0-9a-f]{16})\.jsonl")
SHARD = re.compile(r"answers/[^/]+/\d+-([0-9a-f]{16})\.jsonl\.gz")

README_TEXT = """\
# The memory of claude-batch

This branch is written by claude-batch. It holds what was sent to the Message Batches API, what
came back, what it cost and what was posted. It shares no history with your code, and nothing
here needs to be merged or reviewed.

* `log/`: one file for each write, never changed afterwards
* `snap/`: older months, folded
* `answers/`: the findings themselves, compressed
* `meta.json`: the version of the format

To delete everything that claude-batch remembers, delete the branch, and in each clone what
it noted about it:

    git push origin --delete {ref}
    git for-each-ref --format='delete %(refname)' refs/claude-batch | git update-ref --stdin

What was reviewed before is then paid for again.
"""


class Meta(BaseModel):
    """Unknown keys are welcome: a newer writer may add some without raising `min_reader`."""

    model_config = ConfigDict(frozen=True, strict=True)

    version: int = Field(alias="schema")
    min_reader: int
    min_writer: int

    @classmethod
    def parse(cls, content: bytes | None) -> "Meta | None":
        """None: it is not there or not readable."""
        try:
            return cls.model_validate_json(content or b"")
        except ValidationError:
            return None


def first_files(ref: str) -> dict[str, bytes]:
    """What the first commit holds besides its events."""
    meta = f'{{"schema": {SCHEMA}, "min_reader": {READER}, "min_writer": {WRITER}}}\n'
    return {README: README_TEXT.format(ref=ref).encode(), META: meta.encode()}


def check_readable(meta: Meta | None) -> None:
    """Raises LedgerIsNewer."""
    if meta and meta.min_reader > READER:
        raise LedgerIsNewer(
            f"the ledger asks for reader {meta.min_reader}, and this claude-batch is {READER}",
            "upgrade claude-batch to the version that your workflows use",
        )


def check_writable(meta: Meta | None, ref: str) -> None:
    """Raises LedgerIsNewer or CannotRecord: what we cannot understand we do not add to."""
    if meta is None:
        raise CannotRecord(
            f"{ref} has no readable {META}, so nothing is written there",
            f"restore {META} from an older commit of that ref, or let `state.branch` name another",
        )
    if meta.min_writer > WRITER:
        raise LedgerIsNewer(
            f"the ledger asks for writer {meta.min_writer}, and this claude-batch is {WRITER}",
            "upgrade claude-batch to the version that your workflows use; reading still works",
        )


@dataclass(frozen=True, slots=True)
class ParsedLog:
    """A log file's events, and "path: why" for what could not be read of it."""

    events: tuple[AnyEvent, ...] = ()
    damaged: tuple[str, ...] = ()
    indexes: tuple[AnyLogFileIndex, ...] = ()
    size: int = 0

    def all_events(self) -> Iterator[AnyEvent]:
        """Those on sheets are read now."""
        yield from self.events
        for sheet in self.indexes:
            yield from map(sheet.row, sheet.offsets)


class Stored(Protocol):
    """The bytes of a file in the store, which need not be in memory."""

    @property
    def size(self) -> int: ...

    def chunks(self) -> Iterator[bytes]: ...

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Where each begins, and what it is."""

    def line_at(self, place: int) -> bytes: ...


def parse_log(path: str, stored: Stored | None, large: int = LARGE) -> ParsedLog:
    """A file that does not fit its name is left alone whole, else each line that does not parse.

    The requests and answers of a file of `large` bytes or more stay on sheets.
    """
    match = LOG.fullmatch(path)
    if match is None or stored is None:
        return ParsedLog(damaged=(f"{path}: {'missing' if match else 'not a file of the ledger'}",))
    if _checksum(stored.chunks()) != match[1]:
        return ParsedLog(damaged=(f"{path}: its bytes do not fit the checksum in its name",))
    damaged: list[str] = []
    found = _index(_parse_lines(path, stored, damaged), stored, large)
    return replace(found, damaged=tuple(damaged)) if damaged else found


def index_written(events: Iterable[AnyEvent], stored: Stored, large: int = LARGE) -> ParsedLog:
    """What `parse_log` would say of a file that was just made of `events`."""
    places = (place for place, _ in stored.lines())
    return _index(zip(places, events, strict=True), stored, large)


def _parse_lines(path: str, stored: Stored, damaged: list[str]) -> Iterator[tuple[int, AnyEvent]]:
    for number, (place, line) in enumerate(stored.lines(), 1):
        try:
            yield place, from_line(line)
        except ValidationError as error:
            damaged.append(f"{path}: line {number}: {first_error(error)}")


def _index(rows: Iterable[tuple[int, AnyEvent]], stored: Stored, large: int) -> ParsedLog:
    places = LogFileIndexBuilder()
    events = tuple(
        event for place, event in rows if stored.size < large or not places.add(event, place)
    )
    return ParsedLog(events, indexes=tuple(places.build(stored.line_at)), size=stored.size)


def checksum(content: bytes) -> str:
    return _checksum([content])


def _checksum(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]


def is_unknown_file(path: str) -> bool:
    """Not a name that we give."""
    return not (path in (META, README) or LOG.fullmatch(path) or SHARD.fullmatch(path))


@dataclass(frozen=True, slots=True)
class NewFile:
    """A new file; of a log file the events too."""

    path: str
    content: bytes
    events: tuple[AnyEvent, ...] = ()


def encode_write(write: Write, now: datetime, run: str, most: int = LOG_BYTES) -> Iterator[NewFile]:
    """The new files of a write. Each answer learns the name of the shard with its findings."""
    shard_of: dict[tuple[IntentId, int], str] = {}
    for shards in _group_shards(write.shards):
        path, content = _encode_shards(shards)
        yield NewFile(path, content)
        shard_of |= {(shard.intent, shard.n): path for shard in shards}
    stamp = now.astimezone(UTC).strftime("%Y/%m/%d/%H%M%S")
    safe_run = re.sub(r"[^A-Za-z0-9_.]+", "_", run)
    for events, content in _encode_logs(
        (_with_shard(event, shard_of) for event in write.events), most
    ):
        name = f"{stamp}-{safe_run}-{events[0].type}-{checksum(content)}"
        yield NewFile(f"log/{name}.jsonl", content, events)


def _encode_logs(
    events: Iterable[AnyEvent], most: int
) -> Iterator[tuple[tuple[AnyEvent, ...], bytes]]:
    """One file, but for a large claim."""
    filling: list[AnyEvent] = []
    content = bytearray()
    for event in events:
        filling.append(event)
        content += to_line(event) + b"\n"
        if len(content) >= most:
            yield tuple(filling), bytes(content)
            filling, content = [], bytearray()
    if filling:
        yield tuple(filling), bytes(content)


def is_older(path: str, before: datetime) -> bool:
    """Of a day before that of `before`; a snapshot is of none."""
    return path.startswith("log/") and path[4:14] < f"{before.astimezone(UTC):%Y/%m/%d}"


def encode_snapshot(month: str, events: Iterable[AnyEvent]) -> tuple[str, bytes]:
    """The file for these events, of whatever order; each stands there once."""
    lines = sorted({(event.at, to_line(event)) for event in events})
    content = b"".join(line + b"\n" for _, line in lines)
    return f"snap/{month}-{checksum(content)}.jsonl", content


def commit_title(write: Write) -> str:
    """Of the commit."""
    verbs = (
        write.events[0].type if write.events else "",
        "prune" if write.drops else "",
        "fold" if write.fold_before else "",
    )
    return ", ".join(filter(None, verbs))


def _with_shard(event: AnyEvent, shard_of: dict[tuple[IntentId, int], str]) -> AnyEvent:
    if isinstance(event, AnswerRecorded) and (path := shard_of.get((event.intent, event.n))):
        return event.model_copy(update={"shard": path})
    return event


class _ShardRow(BaseModel):
    model_config = ConfigDict(extra="forbid")

    n: int
    findings: tuple[Finding, ...]

    @classmethod
    def line_of(cls, shard: Shard) -> bytes:
        return cls(n=shard.n, findings=shard.findings).model_dump_json().encode()


def _group_shards(shards: Iterable[Shard]) -> Iterator[list[Shard]]:
    """Shards with findings, of one intent each and of SHARD_BYTES at most."""
    package: list[Shard] = []
    size = 0
    for shard in sorted(shards, key=lambda shard: (shard.intent, shard.n)):
        if not shard.findings:
            continue
        length = len(_ShardRow.line_of(shard)) + 1
        if package and (package[0].intent != shard.intent or size + length > SHARD_BYTES):
            yield package
            package, size = [], 0
        package.append(shard)
        size += length
    if package:
        yield package


def _encode_shards(shards: list[Shard]) -> tuple[str, bytes]:
    rows = b"".join(_ShardRow.line_of(shard) + b"\n" for shard in shards)
    content = gzip.compress(rows, mtime=0)
    first = shards[0]
    return f"answers/{first.intent}/{first.n}-{checksum(content)}.jsonl.gz", content


def parse_shard(path: str, content: bytes) -> dict[int, tuple[Finding, ...]]:
    """Findings by request. A shard that is damaged holds nothing: its answers are fetched again."""
    match = SHARD.fullmatch(path)
    if match is None or checksum(content) != match[1]:
        return {}
    try:
        rows = [
            _ShardRow.model_validate_json(line) for line in gzip.decompress(content).splitlines()
        ]
    except (ValidationError, EOFError, zlib.error, gzip.BadGzipFile):
        return {}
    return {row.n: row.findings for row in rows}
