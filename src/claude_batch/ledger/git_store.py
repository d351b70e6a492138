"""The ledger's first store: a ref of the user's own repository, written by compare-and-swap.

All traffic runs in the user's own git directory, because a scratch repository does not get the
credentials that actions/checkout keeps for the checkout alone. It keeps to private refs below
refs/claude-batch: work tree, index, HEAD, FETCH_HEAD, config and the shallow flag stay as they are.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from claude_batch.findings.finding import Finding
from claude_batch.git import errors as git_refusal
from claude_batch.git import plumbing
from claude_batch.git.objects import ObjectReader, ObjectSpool, SpooledObject
from claude_batch.git.plumbing import Content
from claude_batch.git.process import Git
from claude_batch.git.refs import TRIES, LocalRef, LostRace, RemoteRef, replaced_tips
from claude_batch.ledger import compaction as folding
from claude_batch.ledger import files as ledger_files
from claude_batch.ledger.events import AnswerRecorded
from claude_batch.ledger.files import LOG, META, SHARD, Meta, ParsedLog
from claude_batch.ledger.store import Write
from claude_batch.ledger.view import LedgerState


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was read at one tip."""

    tip: str | None
    blobs: dict[str, str]  # path to id
    meta: Meta | None
    state: LedgerState
    logs: dict[str, ParsedLog] = field(default_factory=dict)

    @classmethod
    def from_files(
        cls, tip: str, blobs: dict[str, str], meta: Meta | None, logs: dict[str, ParsedLog]
    ) -> "Snapshot":
        damaged = [line for file in logs.values() for line in file.damaged]
        events = (event for file in logs.values() for event in file.events)
        sheets = (sheet for file in logs.values() for sheet in file.indexes)
        view = LedgerState.from_events(
            events,
            (*damaged, *_describe_unknown_files(blobs, meta)),
            filter(SHARD.fullmatch, blobs),
            sheets,
        )
        sizes = {path: file.size for path, file in logs.items()}
        return cls(tip, blobs, meta, replace(view, log_sizes=sizes), logs)


@dataclass(frozen=True, slots=True)
class PendingChange:
    """What a commit does to the files."""

    files: Mapping[str, Content]
    title: str
    drops: Sequence[str] = ()
    logs: Mapping[str, ParsedLog] = field(default_factory=dict)  # what is known of the files

    def is_in(self, blobs: Mapping[str, str]) -> bool:
        """Names are enough: they carry the checksum of what is in the file."""
        return self.files.keys() <= blobs.keys() and blobs.keys().isdisjoint(self.drops)


@dataclass
class GitLedger:
    """`ref` is full: refs/heads/claude-batch-state. `remote` None: a ref of this clone only.

    `spread` is the longest wait after a lost race, in tries: one that takes 0.1 s is followed by
    0 to 1 s. Waits are uniform and wide, because short or exponential ones starve some of many
    writers; counted in seconds they are too long on a fast remote or too short on a slow one.
    `marker_seen`: whether something outside of the ledger, such as a comment of ours, shows that
    there has been one. It is asked only where there is none.
    """

    git: Git
    ref: str
    remote: str | None
    run: str
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    rng: random.Random = field(default_factory=random.Random, repr=False)
    token: str | None = field(default=None, repr=False)
    marker_seen: Callable[[], bool] = field(default=lambda: False, repr=False)
    spread: float = 10.0
    clock: Callable[[], float] = time.monotonic
    large: int = ledger_files.LARGE
    _began: float = field(default=0.0, init=False, repr=False)
    _parsed: dict[tuple[str, str], ParsedLog] = field(default_factory=dict, init=False, repr=False)
    _metas: dict[str, Meta | None] = field(default_factory=dict, init=False, repr=False)
    _last: Snapshot | None = field(default=None, init=False, repr=False)

    def view(self) -> LedgerState:
        return self._read(self._store.fetch_tip()).state

    def tip(self) -> str | None:
        """The commit that the ledger stands at, for the price of one `git ls-remote`."""
        return self._store.tip()

    def transact(
        self, decide: Callable[[LedgerState], Write], *, patient: bool = True
    ) -> LedgerState:
        return self._commit_with_retry(lambda base: self._encode(base, decide(base.state)), patient)

    def lost_tip(self) -> str | None:
        """The commit that this clone saw last, if the remote has lost the ref."""
        return self._store.lost_tip()

    def restore_ref(self, commit: str) -> None:
        """Only where the ref does not exist. Raises CannotRecord."""
        self._store.push(commit, None)

    def restore_files(self, find: Callable[[str], Mapping[str, bytes]]) -> LedgerState:
        """Put files back: those that `find` returns for a tip, in a commit on that tip."""
        return self._commit_with_retry(
            lambda base: (
                PendingChange(self._spool_files(find(base.tip)), "repair") if base.tip else None
            )
        )

    def squash(self, check: Callable[[str], None]) -> int:
        """Put one commit in the place of all; how many it stands for. `check` may refuse a tip."""
        return self._retrying()(self._try_to_squash, check)

    def _try_to_squash(self, check: Callable[[str], None]) -> int:
        self._began = self.clock()
        place = self._store
        place.deepen()
        base = self._read(place.fetch_tip())
        commits = self.git.run("rev-list", base.tip).out.decode().split() if base.tip else []
        if base.tip is None or len(commits) == 1:
            return 0
        ledger_files.check_writable(base.meta, self.ref)
        check(base.tip)
        old = (*commits, *replaced_tips(self.git, base.tip))
        message = plumbing.squash_message(f"squash\n\nrun {self.run}", old)
        root = self.git.run(
            *("commit-tree", f"{base.tip}^{{tree}}"),
            stdin=message,
            extra=plumbing.identity(int(self.now().timestamp())),
        )
        place.push(root.out.decode().strip(), base.tip, rewrites=True)
        return len(commits)

    def _commit_with_retry(
        self, build: Callable[[Snapshot], PendingChange | None], patient: bool = True
    ) -> LedgerState:
        return self._retrying(patient)(self._attempt, build, [])

    def _retrying(self, patient: bool = True) -> Retrying:
        return Retrying(
            retry=retry_if_exception_type(LostRace),
            stop=stop_after_attempt(TRIES if patient else 1),
            wait=self._back_off,
            sleep=self.sleep,
            reraise=True,
        )

    def findings(self, answers: Iterable[AnswerRecorded]) -> Iterator[Finding]:
        asked = list(answers)
        known = (self._last or self._read(self._store.fetch_tip())).blobs
        blob_of = {a.shard: known[a.shard] for a in asked if a.shard and a.shard in known}
        found = self._spool.objects(sorted(set(blob_of.values())))
        rows = {
            path: ledger_files.parse_shard(path, found[oid].read())
            for path, oid in blob_of.items()
            if oid in found
        }
        for answer in asked:
            yield from rows.get(answer.shard or "", {}).get(answer.n, ())

    @cached_property
    def _spool(self) -> ObjectSpool:
        return ObjectSpool(self.git)

    @cached_property
    def _store(self) -> LocalRef | RemoteRef:
        if self.remote is None:
            return LocalRef(self.git, self.ref)
        return RemoteRef(self.git, self.ref, self.remote, self.token, lambda: self.marker_seen())

    def _back_off(self, _: RetryCallState) -> float:
        return self.rng.uniform(0, self.spread) * (self.clock() - self._began)

    def _attempt(
        self, build: Callable[[Snapshot], PendingChange | None], tried: list[PendingChange]
    ) -> LedgerState:
        """`tried`: those of this write that were rejected, as far as anybody said."""
        self._began = self.clock()
        place = self._store
        base = self._read(place.fetch_tip())
        if tried and tried[-1].is_in(base.blobs):
            return base.state
        change = build(base)
        if change is None or not (change.files or change.drops):
            return base.state
        commit = self._commit(change, base.tip)
        tried.append(change)
        place.push(commit, base.tip)
        self._last = self._apply(base, change, commit)
        return self._last.state

    def _encode(self, base: Snapshot, write: Write) -> PendingChange | None:
        files: dict[str, SpooledObject] = {}
        logs: dict[str, ParsedLog] = {}
        for new in ledger_files.encode_write(write, self.now(), self.run):
            blob = files[new.path] = self._spool.add(new.content)
            if new.events:
                logs[new.path] = ledger_files.index_written(new.events, blob, self.large)
        drops = [path for path in write.drops if path in base.blobs and SHARD.fullmatch(path)]
        if write.fold_before:
            left = replace(base.state, shards=base.state.shards.difference(drops))
            folded = folding.fold(base.logs, left, write.fold_before)
            files |= self._spool_files(folded.files)
            drops += folded.removed
        if not files and not drops:
            return None
        if base.tip:
            ledger_files.check_writable(base.meta, self.ref)
        else:
            files |= self._spool_files(ledger_files.first_files(self.ref))
        return PendingChange(files, ledger_files.commit_title(write), drops, logs)

    def _spool_files(self, files: Mapping[str, bytes]) -> dict[str, SpooledObject]:
        return {path: self._spool.add(content) for path, content in files.items()}

    def _commit(self, change: PendingChange, parent: str | None) -> str:
        message = f"{change.title}\n\nrun {self.run}\n"
        seconds, start = int(self.now().timestamp()), parent or self._zeros()
        stream = plumbing.import_stream(change.files, change.drops, start, seconds, message)
        done = self.git.run(
            "fast-import", "--quiet", "--done", "--force", stdin=stream, check=False
        )
        if done.code:
            raise git_refusal.explain(done.err, self.ref, self.remote or "this clone", "stored")
        return done.out.decode().strip()

    def _zeros(self) -> str:
        form = self.git.run("rev-parse", "--show-object-format").out.decode().strip()
        return "0" * (64 if form == "sha256" else 40)

    def _read(self, tip: str | None) -> Snapshot:
        if self._last is None or self._last.tip != tip:
            self._last = self._read_files(tip) if tip else NOTHING
        return self._last

    def _read_files(self, tip: str) -> Snapshot:
        return self._snapshot(tip, plumbing.blob_ids(ObjectReader(self.git).entries(tip)))

    def _apply(self, base: Snapshot, change: PendingChange, commit: str) -> Snapshot:
        """What git would say of `commit`, which is `change` on top of `base`."""
        digits = len(commit)
        new = {path: plumbing.blob_id(file, digits) for path, file in change.files.items()}
        self._parsed |= {(path, new[path]): parsed for path, parsed in change.logs.items()}
        kept = base.blobs.keys() - set(change.drops)
        return self._snapshot(commit, {path: base.blobs[path] for path in kept} | new)

    def _snapshot(self, tip: str, blobs: dict[str, str]) -> Snapshot:
        """Log files never change, so those that are known are not read again."""
        logs = sorted((path, oid) for path, oid in blobs.items() if LOG.fullmatch(path))
        new = [key for key in logs if key not in self._parsed]
        meta_oid = blobs.get(META, "")
        wanted = {oid for _, oid in new} | ({meta_oid} - self._metas.keys())
        found = self._spool.objects(sorted(wanted))
        if meta_oid not in self._metas:
            stored = found.get(meta_oid)
            self._metas[meta_oid] = Meta.parse(stored.read() if stored else None)
        meta = self._metas[meta_oid]
        ledger_files.check_readable(meta)
        for path, oid in new:
            self._parsed[path, oid] = ledger_files.parse_log(path, found.get(oid), self.large)
        parsed = {path: self._parsed[path, oid] for path, oid in logs}
        return Snapshot.from_files(tip, blobs, meta, parsed)


NOTHING = Snapshot(None, {}, None, LedgerState())


def _describe_unknown_files(blobs: Iterable[str], meta: Meta | None) -> list[str]:
    if meta is None:
        return [f"{META}: not readable, so nothing is written there"]
    return [
        f"{path}: not a file of the ledger" for path in filter(ledger_files.is_unknown_file, blobs)
    ]
