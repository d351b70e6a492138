"""Repair of a ledger: damaged and deleted files are restored from the history of its branch."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from pydantic import ValidationError

from claude_batch.formatting import count, dollars
from claude_batch.git import plumbing
from claude_batch.git.objects import ObjectReader, ObjectSpool
from claude_batch.git.process import Git
from claude_batch.ledger.events import AnswerRecorded, AnyEvent, RequestRecorded, from_line
from claude_batch.ledger.files import LOG, META, SHARD, checksum
from claude_batch.ledger.git_store import GitLedger
from claude_batch.ledger.snapshot import Meta, check_readable, check_writable

DIFF_TREE = ("diff-tree", "--stdin", "--root", "-r", "-m", "--no-renames", "--no-abbrev")
DIFF_LINE = re.compile(rb":\d+ \d+ ([0-9a-f]+) ([0-9a-f]+) [A-Z]\d*\t(.+)")


@dataclass(frozen=True, slots=True)
class LostFile:
    path: str
    consequence: str


# The files of the branch and their earlier versions


@dataclass(frozen=True, slots=True)
class FileRevision:
    """The change of one file in one commit: blob ids, "" for no file."""

    by_us: bool
    path: str
    was: str
    became: str


@dataclass(frozen=True, slots=True)
class DamageReport:
    """The files at one tip, the damaged paths, and the intact versions that git has of them."""

    files: Mapping[str, bytes]
    damaged: tuple[str, ...]
    intact: Mapping[str, bytes]


@dataclass(frozen=True)
class LedgerHistory:
    git: Git

    def examine(self, tip: str) -> DamageReport:
        files = self._files(tip)
        versions = find_damaged(files, self._revisions(tip))
        contents = self._contents({oid for oids in versions.values() for oid in oids})
        return DamageReport(files, tuple(versions), intact_versions(versions, contents))

    def _files(self, tip: str) -> dict[str, bytes]:
        blobs = plumbing.blob_ids(ObjectReader(self.git).entries(tip))
        contents = self._contents(set(blobs.values()))
        return {path: contents[oid] for path, oid in blobs.items() if oid in contents}

    def _revisions(self, tip: str) -> list[FileRevision]:
        """Newest first."""
        commits = self.git.run("rev-list", tip).out
        output = self.git.run(*DIFF_TREE, "--format=%ce", stdin=commits).out
        return parse_revisions(output, plumbing.EMAIL)

    def _contents(self, oids: set[str]) -> dict[str, bytes]:
        """The blobs that are here: a shallow clone does not have all of them."""
        spooled = ObjectSpool(self.git).objects(sorted(oids))
        return {oid: blob.read() for oid, blob in spooled.items()}


def parse_revisions(output: bytes, our_email: str) -> list[FileRevision]:
    """Parse the output of `git diff-tree --stdin -r --no-abbrev --format=%ce`, in its order."""
    revisions = []
    by_us = False
    for line in output.splitlines():
        if match := DIFF_LINE.fullmatch(line):
            was, became, path = (part.decode() for part in match.groups())
            revisions.append(
                FileRevision(by_us, path, was.strip("0") and was, became.strip("0") and became)
            )
        elif line:
            by_us = line.decode("utf-8", "replace") == our_email
    return revisions


def find_damaged(
    files: Mapping[str, bytes], revisions: Iterable[FileRevision]
) -> dict[str, list[str]]:
    """The damaged and deleted paths, each with the ids of its versions, newest first.

    `revisions`: newest first.
    """
    versions: dict[str, list[str]] = {}
    deleted = set()
    for revision in revisions:
        # We delete files ourselves when we fold and prune; those are not damaged.
        if revision.path not in versions and not revision.became and not revision.by_us:
            deleted.add(revision.path)
        oids = filter(None, (revision.became, revision.was))
        versions.setdefault(revision.path, []).extend(oids)
    invalid = {
        path
        for path, content in files.items()
        if _is_ours(path) and not has_valid_checksum(path, content)
    }
    missing = {path for path in deleted if _is_ours(path) and path not in files}
    return {path: versions.get(path, []) for path in sorted(invalid | missing)}


def intact_versions(
    versions: Mapping[str, list[str]], contents: Mapping[str, bytes]
) -> dict[str, bytes]:
    """The newest version of each path that has a valid checksum."""
    valid = {
        path: [
            contents[oid]
            for oid in oids
            if oid in contents and has_valid_checksum(path, contents[oid])
        ]
        for path, oids in versions.items()
    }
    return {path: candidates[0] for path, candidates in valid.items() if candidates}


def has_valid_checksum(path: str, content: bytes) -> bool:
    if path == META:
        return Meta.parse(content) is not None
    match = LOG.fullmatch(path) or SHARD.fullmatch(path)
    return match is not None and checksum(content) == match[1]


def _is_ours(path: str) -> bool:
    return path == META or bool(LOG.fullmatch(path) or SHARD.fullmatch(path))


# The consequences of a lost file


def describe_lost_file(path: str, content: bytes) -> LostFile:
    """`content` is the rest of the file, if there is any."""
    if path == META:
        return LostFile(path, "nothing is written to this ledger until it is back")
    if SHARD.fullmatch(path):
        _, intent, _ = path.split("/")
        return LostFile(
            path, f"findings of intent {intent} cannot be posted; its tasks may be sent again"
        )
    consequence = "; ".join(_describe_loss(list(_readable_events(content))))
    return LostFile(
        path, consequence or "none of its lines can be read, so nobody can say what they were"
    )


def _readable_events(content: bytes) -> Iterator[AnyEvent]:
    # These lines are good for a message and not for the state, since others may be missing.
    for line in content.splitlines():
        try:
            yield from_line(line)
        except ValidationError:
            continue


def _describe_loss(events: list[AnyEvent]) -> Iterator[str]:
    requests = [event for event in events if isinstance(event, RequestRecorded)]
    answers = [event for event in events if isinstance(event, AnswerRecorded)]
    if requests:
        reserved = sum((event.estimate.usd_max for event in requests), Decimal(0))
        yield (
            f"lost {count(len(requests), 'request')} of intent {_intents(requests)}: the tasks "
            f"will be asked again, for up to {dollars(reserved)}"
        )
    if answers:
        paid = sum((event.usd or Decimal(0) for event in answers), Decimal(0))
        yield (
            f"lost {count(len(answers), 'answer')} of intent {_intents(answers)}: {dollars(paid)} "
            "paid is missing from budgets and receipts, and the tasks may be asked again"
        )
    others = sorted({event.type for event in events} - {"request", "answer"})
    if others:
        yield f"lost as well: {', '.join(others)}"


def _intents(events: Iterable[RequestRecorded | AnswerRecorded]) -> str:
    return ", ".join(sorted({event.intent for event in events}))


# The repair


@dataclass(frozen=True, slots=True)
class RepairResult:
    ref: str
    restored_commit: str | None  # if the remote had lost the whole ref
    restored_files: tuple[str, ...]
    lost: tuple[LostFile, ...]


def repair(ledger: GitLedger, history: LedgerHistory, tell: Callable[[str], None]) -> RepairResult:
    """Restore the ref if the remote has lost it, then the files. Raises CannotRecord."""
    lost_tip = ledger.lost_tip()
    if lost_tip:
        tell(f"{ledger.ref} is gone from {ledger.remote}: what was seen last here is pushed again")
        ledger.restore_ref(lost_tip)
    restored: Mapping[str, bytes] = {}
    lost: tuple[LostFile, ...] = ()

    def find(tip: str) -> Mapping[str, bytes]:
        nonlocal restored, lost
        report = history.examine(tip)
        files, restored = report.files, report.intact
        check_readable(Meta.parse(files.get(META)))
        if META in restored:
            check_writable(Meta.parse(restored[META]), ledger.ref)
        lost = tuple(
            describe_lost_file(path, files.get(path, b""))
            for path in report.damaged
            if path not in restored
        )
        return restored

    ledger.restore_files(find)
    return RepairResult(ledger.ref, lost_tip, tuple(restored), lost)
