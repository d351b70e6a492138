"""What of a ledger's files is broken, which earlier version of each fits its name, and what the
loss of the others means in money."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from pydantic import ValidationError

from claude_batch.formatting import count, dollars
from claude_batch.git import plumbing
from claude_batch.git.objects import ObjectReader, ObjectSpool
from claude_batch.git.process import Git
from claude_batch.ledger import files as ledger_files
from claude_batch.ledger.events import AnswerRecorded, AnyEvent, RequestRecorded, from_line
from claude_batch.ledger.files import LOG, META, SHARD, Meta, checksum
from claude_batch.ledger.git_store import GitLedger

STEP = re.compile(rb":\d+ \d+ ([0-9a-f]+) ([0-9a-f]+) [A-Z]\d*\t(.+)")


@dataclass(frozen=True, slots=True)
class FileRevision:
    """One file in one commit: blob ids, "" for none."""

    by_us: bool
    path: str
    was: str
    became: str


@dataclass(frozen=True, slots=True)
class DamageReport:
    """Of one tip: what its files hold, which of them are broken, and those as they were before,
    as far as git has them."""

    files: Mapping[str, bytes]
    damaged: tuple[str, ...]
    intact: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class LostFile:
    path: str
    consequence: str


def parse_revisions(printed: bytes, our_email: str) -> list[FileRevision]:
    """`git diff-tree --stdin -r --no-abbrev --format=%ce`, in its order."""
    steps = []
    by_us = False
    for line in printed.splitlines():
        if found := STEP.fullmatch(line):
            was, became, path = (part.decode() for part in found.groups())
            steps.append(
                FileRevision(by_us, path, was.strip("0") and was, became.strip("0") and became)
            )
        elif line:
            by_us = line.decode("utf-8", "replace") == our_email
    return steps


def find_damaged(now: Mapping[str, bytes], steps: Iterable[FileRevision]) -> dict[str, list[str]]:
    """By path, the blobs that it ever was, newest first. `steps`: newest first.

    A file that is gone is broken if somebody else took it away: we do so when we fold and prune.
    """
    versions: dict[str, list[str]] = {}
    taken = set()
    for step in steps:
        if step.path not in versions and not step.became and not step.by_us:
            taken.add(step.path)
        versions.setdefault(step.path, []).extend(filter(None, (step.became, step.was)))
    unfit = {
        path
        for path, content in now.items()
        if _is_ours(path) and not has_valid_checksum(path, content)
    }
    gone = {path for path in taken if _is_ours(path) and path not in now}
    return {path: versions.get(path, []) for path in sorted(unfit | gone)}


def intact_versions(
    found: Mapping[str, list[str]], contents: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Of each path the newest version that fits."""
    fitting = {
        path: [
            contents[oid]
            for oid in oids
            if oid in contents and has_valid_checksum(path, contents[oid])
        ]
        for path, oids in found.items()
    }
    return {path: versions[0] for path, versions in fitting.items() if versions}


def has_valid_checksum(path: str, content: bytes) -> bool:
    if path == META:
        return Meta.parse(content) is not None
    match = LOG.fullmatch(path) or SHARD.fullmatch(path)
    return match is not None and checksum(content) == match[1]


def _is_ours(path: str) -> bool:
    return path == META or bool(LOG.fullmatch(path) or SHARD.fullmatch(path))


def describe_lost_file(path: str, content: bytes) -> LostFile:
    """What it means that this file stays broken. `content`: what there is of it."""
    if path == META:
        return LostFile(path, "nothing is written to this ledger until it is back")
    if SHARD.fullmatch(path):
        _, intent, _ = path.split("/")
        return LostFile(
            path, f"findings of intent {intent} cannot be posted; nothing is paid again"
        )
    said = "; ".join(_describe_loss(list(_readable_events(content))))
    return LostFile(path, said or "none of its lines can be read, so nobody can say what they were")


def _readable_events(content: bytes) -> Iterator[AnyEvent]:
    """The lines of a damaged file that can still be read: good for telling, not for counting."""
    for line in content.splitlines():
        try:
            yield from_line(line)
        except ValidationError:
            continue  # told by what is missing from the others


def _describe_loss(events: list[AnyEvent]) -> Iterator[str]:
    asked = [event for event in events if isinstance(event, RequestRecorded)]
    answers = [event for event in events if isinstance(event, AnswerRecorded)]
    if asked:
        most = sum((event.estimate.usd_max for event in asked), Decimal(0))
        yield (
            f"lost {count(len(asked), 'request')} of intent {_intents(asked)}: the tasks will be "
            f"asked again, for up to {dollars(most)}"
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


@dataclass(frozen=True, slots=True)
class RepairResult:
    """`brought_back`: the commit, if the remote had lost the whole ref."""

    ref: str
    restored_commit: str | None
    restored_files: tuple[str, ...]
    lost: tuple[LostFile, ...]


@dataclass(frozen=True)
class LedgerHistory:
    git: Git

    def examine(self, tip: str) -> DamageReport:
        now = self._files(tip)
        found = find_damaged(now, self._revisions(tip))
        contents = self._contents({oid for oids in found.values() for oid in oids})
        return DamageReport(now, tuple(found), intact_versions(found, contents))

    def _files(self, tip: str) -> dict[str, bytes]:
        blobs = plumbing.blob_ids(ObjectReader(self.git).entries(tip))
        contents = self._contents(set(blobs.values()))
        return {path: contents[oid] for path, oid in blobs.items() if oid in contents}

    def _revisions(self, tip: str) -> list[FileRevision]:
        """Newest first."""
        commits = self.git.run("rev-list", tip).out
        printed = self.git.run(*STEPS, "--format=%ce", stdin=commits).out
        return parse_revisions(printed, plumbing.EMAIL)

    def _contents(self, oids: set[str]) -> dict[str, bytes]:
        """Those that are there: a shallow clone has not all of them."""
        return {
            oid: blob.read() for oid, blob in ObjectSpool(self.git).objects(sorted(oids)).items()
        }


def repair(ledger: GitLedger, history: LedgerHistory, tell: Callable[[str], None]) -> RepairResult:
    gone = ledger.lost_tip()
    if gone:
        tell(f"{ledger.ref} is gone from {ledger.remote}: what was seen last here is pushed again")
        ledger.restore_ref(gone)
    mended: Mapping[str, bytes] = {}
    lost: tuple[LostFile, ...] = ()

    def find(tip: str) -> Mapping[str, bytes]:
        nonlocal mended, lost
        found = history.examine(tip)
        now, mended = found.files, found.intact
        ledger_files.check_readable(Meta.parse(now.get(META)))
        if META in mended:
            ledger_files.check_writable(Meta.parse(mended[META]), ledger.ref)
        gone = [path for path in found.damaged if path not in mended]
        lost = tuple(describe_lost_file(path, now.get(path, b"")) for path in gone)
        return mended

    ledger.restore_files(find)
    return RepairResult(ledger.ref, gone, tuple(mended), lost)


STEPS = ("diff-tree", "--stdin", "--root", "-r", "-m", "--no-renames", "--no-abbrev")
