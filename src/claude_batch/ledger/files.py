"""The ledger's files: their names, bytes and checksums. docs/ledger-format.md has the format.

Each file is written once. Its name contains the first 16 hex digits of the SHA-256 of its bytes,
so a damaged file is found by its name alone, and two writers never use the same name.
"""

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, ValidationError

from claude_batch.findings.finding import Finding
from claude_batch.formatting import first_error
from claude_batch.git.objects import SpooledObject
from claude_batch.ledger.event_index import AnyLogFileIndex, LogFileIndexBuilder
from claude_batch.ledger.events import (
    FORMAT,
    AnswerRecorded,
    AnyEvent,
    IntentId,
    from_line,
    may_be_money,
    to_line,
)
from claude_batch.ledger.store import Shard, Write

LARGE = 1_000_000  # bytes of a log file; 1,000 requests have two thirds of that
LOG_BYTES = 8_000_000  # about; git hosts refuse files of 100 MB, and the requests may have more
SHARD_BYTES = 8_000_000  # before compression, so that reading one takes little memory
META = "format.json"
README = "README.md"
LOG = re.compile(r"(?:log/\d{4}/\d\d/\d\d/[^/]+|snap/\d{4}-\d\d)-([0-9a-f]{16})\.jsonl")
SHARD = re.compile(r"answers/[^/]+/\d+-([0-9a-f]{16})\.jsonl\.gz")

# Without these, a preview would be built of each commit of the branch.
# https://vercel.com/docs/project-configuration/git-configuration#git.deploymentenabled
# https://docs.netlify.com/build/configure-builds/ignore-builds/
NO_DEPLOYMENTS = {
    "vercel.json": b'{"git": {"deploymentEnabled": false}}\n',
    "netlify.toml": b'[build]\nignore = "exit 0"\n',
}

README_TEXT = """\
# The memory of claude-batch

This branch is written by claude-batch. It holds what was sent to the Message Batches API, what
came back, what it cost and what was posted. It shares no history with your code, and nothing
here needs to be merged or reviewed.

* `log/`: one file for each write, never changed afterwards
* `snap/`: older months, folded
* `answers/`: the findings themselves, compressed
* `format.json`: the version of the format
* `vercel.json`, `netlify.toml`: no deployments of this branch

To delete everything that claude-batch remembers, delete the branch, and in each clone what
it noted about it:

    git push origin --delete {ref}
    git for-each-ref --format='delete %(refname)' refs/claude-batch | git update-ref --stdin

What was reviewed before is then paid for again.
"""


def first_files(ref: str) -> dict[str, bytes]:
    """The files of the first commit, without its events."""
    meta = f'{{"format": {FORMAT}, "min_reader": {FORMAT}}}\n'
    readme = README_TEXT.format(ref=ref).encode()
    return {README: readme, META: meta.encode(), **NO_DEPLOYMENTS}


def is_unknown_file(path: str) -> bool:
    return not (
        path in (META, README, *NO_DEPLOYMENTS) or LOG.fullmatch(path) or SHARD.fullmatch(path)
    )


def is_older(path: str, before: datetime) -> bool:
    """True for a log file of a day before that of `before`. A snapshot has no day."""
    return path.startswith("log/") and path[4:14] < f"{before.astimezone(UTC):%Y/%m/%d}"


def checksum(content: bytes) -> str:
    return _checksum([content])


def _checksum(chunks: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()[:16]


# Reading


@dataclass(frozen=True, slots=True)
class ParsedLog:
    """The events of a log file, and "path: reason" for what could not be read."""

    events: tuple[AnyEvent, ...] = ()
    damaged: tuple[str, ...] = ()
    hides_money: bool = False  # something in it that costs or cost money may be unreadable
    indexes: tuple[AnyLogFileIndex, ...] = ()  # of the rows that are not in `events`
    size: int = 0

    def all_events(self) -> Iterator[AnyEvent]:
        """The events, including those that must be read from the file."""
        yield from self.events
        for index in self.indexes:
            yield from map(index.row, index.offsets)


def parse_log(path: str, stored: SpooledObject | None, large: int = LARGE) -> ParsedLog:
    """Parse a log file. A file with a wrong checksum is damaged as a whole, else each line that is
    not an event.

    The requests and answers of a file of `large` bytes or more are indexed and not kept.
    """
    match = LOG.fullmatch(path)
    if match is None or stored is None:
        reason = "missing" if match else "not a file of the ledger"
        return ParsedLog(damaged=(f"{path}: {reason}",), hides_money=bool(match))
    if _checksum(stored.chunks()) != match[1]:
        reason = "its bytes do not fit the checksum in its name"
        return ParsedLog(damaged=(f"{path}: {reason}",), hides_money=True)
    damaged: dict[str, bool] = {}
    parsed = _index(_parse_lines(path, stored, damaged), stored, large)
    if not damaged:
        return parsed
    return replace(parsed, damaged=tuple(damaged), hides_money=any(damaged.values()))


def index_written(
    events: Iterable[AnyEvent], stored: SpooledObject, large: int = LARGE
) -> ParsedLog:
    """The same as `parse_log`, for a new file whose events are known."""
    offsets = (offset for offset, _ in stored.lines())
    return _index(zip(offsets, events, strict=True), stored, large)


def _parse_lines(
    path: str, stored: SpooledObject, damaged: dict[str, bool]
) -> Iterator[tuple[int, AnyEvent]]:
    for number, (offset, line) in enumerate(stored.lines(), 1):
        try:
            yield offset, from_line(line)
        except ValidationError as error:
            damaged[f"{path}: line {number}: {first_error(error)}"] = may_be_money(line)


def _index(rows: Iterable[tuple[int, AnyEvent]], stored: SpooledObject, large: int) -> ParsedLog:
    builder = LogFileIndexBuilder()
    events = tuple(
        event for offset, event in rows if stored.size < large or not builder.add(event, offset)
    )
    return ParsedLog(events, indexes=tuple(builder.build(stored.line_at)), size=stored.size)


def parse_shard(path: str, content: bytes) -> dict[int, tuple[Finding, ...]]:
    """Findings by request. Empty if the shard is damaged; its answers can be fetched again."""
    match = SHARD.fullmatch(path)
    if match is None or checksum(content) != match[1]:
        return {}
    try:
        lines = gzip.decompress(content).splitlines()
        rows = [_ShardRow.model_validate_json(line) for line in lines]
    except (ValidationError, EOFError, zlib.error, gzip.BadGzipFile):
        return {}
    return {row.n: row.findings for row in rows}


# Writing


@dataclass(frozen=True, slots=True)
class NewFile:
    """A new file; of a log file also the events."""

    path: str
    content: bytes
    events: tuple[AnyEvent, ...] = ()


def encode_write(
    write: Write, now: datetime, run: str, max_bytes: int = LOG_BYTES
) -> Iterator[NewFile]:
    """The new files of a write. Each answer gets the path of the shard with its findings."""
    shard_paths: dict[tuple[IntentId, int], str] = {}
    for shards in _group_shards(write.shards):
        path, content = _encode_shards(shards)
        yield NewFile(path, content)
        shard_paths |= {(shard.intent, shard.n): path for shard in shards}
    time = now.astimezone(UTC).strftime("%Y/%m/%d/%H%M%S")
    safe_run = re.sub(r"[^A-Za-z0-9_.]+", "_", run)
    with_shards = (_with_shard(event, shard_paths) for event in write.events)
    for events, content in _encode_logs(with_shards, max_bytes):
        name = f"{time}-{safe_run}-{events[0].type}-{checksum(content)}"
        yield NewFile(f"log/{name}.jsonl", content, events)


def encode_snapshot(month: str, events: Iterable[AnyEvent]) -> tuple[str, bytes]:
    """The path and bytes of the snapshot with these events: sorted, each once."""
    lines = sorted({(event.at, to_line(event)) for event in events})
    content = b"".join(line + b"\n" for _, line in lines)
    return f"snap/{month}-{checksum(content)}.jsonl", content


def commit_title(write: Write) -> str:
    verbs = (
        write.events[0].type if write.events else "",
        "prune" if write.drops else "",
        "fold" if write.fold_before else "",
    )
    return ", ".join(filter(None, verbs))


def _encode_logs(
    events: Iterable[AnyEvent], max_bytes: int
) -> Iterator[tuple[tuple[AnyEvent, ...], bytes]]:
    """One file, or several if the write is large."""
    part: list[AnyEvent] = []
    content = bytearray()
    for event in events:
        part.append(event)
        content += to_line(event) + b"\n"
        if len(content) >= max_bytes:
            yield tuple(part), bytes(content)
            part, content = [], bytearray()
    if part:
        yield tuple(part), bytes(content)


def _with_shard(event: AnyEvent, shard_paths: dict[tuple[IntentId, int], str]) -> AnyEvent:
    if isinstance(event, AnswerRecorded) and (path := shard_paths.get((event.intent, event.n))):
        return event.model_copy(update={"shard": path})
    return event


class _ShardRow(BaseModel):
    model_config = ConfigDict(extra="ignore")

    n: int
    findings: tuple[Finding, ...]

    @classmethod
    def line_of(cls, shard: Shard) -> bytes:
        return cls(n=shard.n, findings=shard.findings).model_dump_json().encode()


def _group_shards(shards: Iterable[Shard]) -> Iterator[list[Shard]]:
    """Groups of shards with findings: of one intent, and at most SHARD_BYTES."""
    group: list[Shard] = []
    size = 0
    for shard in sorted(shards, key=lambda shard: (shard.intent, shard.n)):
        if not shard.findings:
            continue
        length = len(_ShardRow.line_of(shard)) + 1
        if group and (group[0].intent != shard.intent or size + length > SHARD_BYTES):
            yield group
            group, size = [], 0
        group.append(shard)
        size += length
    if group:
        yield group


def _encode_shards(shards: list[Shard]) -> tuple[str, bytes]:
    rows = b"".join(_ShardRow.line_of(shard) + b"\n" for shard in shards)
    content = gzip.compress(rows, mtime=0)
    first = shards[0]
    return f"answers/{first.intent}/{first.n}-{checksum(content)}.jsonl.gz", content
