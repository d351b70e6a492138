"""The ledger in git: a ref of the user's repository, written by compare-and-swap.

All traffic runs in the user's own git directory, because a scratch repository does not get the
credentials that actions/checkout keeps for the checkout alone. Only refs below refs/claude-batch
change there: work tree, index, HEAD, FETCH_HEAD, config and the shallow flag stay as they are.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from claude_batch.findings.finding import Finding
from claude_batch.git import errors, plumbing
from claude_batch.git.objects import ObjectReader, ObjectSpool, SpooledObject
from claude_batch.git.process import Git
from claude_batch.git.refs import TRIES, LocalRef, LostRace, RemoteRef, replaced_tips
from claude_batch.ledger import compaction
from claude_batch.ledger import files as ledger_files
from claude_batch.ledger.events import AnswerRecorded
from claude_batch.ledger.files import LOG, META, SHARD, ParsedLog
from claude_batch.ledger.snapshot import (
    NO_SNAPSHOT,
    Meta,
    PendingChange,
    Snapshot,
    check_readable,
    check_writable,
)
from claude_batch.ledger.store import Write
from claude_batch.ledger.view import LedgerState


@dataclass
class GitLedger:
    """A ledger in `ref`, a full name such as refs/heads/claude-batch-state.

    `remote` None: the ref is in this clone only. `marker_seen` is called if there is no ref: True
    if anything else, such as a comment of ours, shows that there was a ledger.
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
    # The longest wait after a lost race, in durations of an attempt: after 0.1 s wait 0 to 1 s.
    # Waits are uniform and wide: with short or exponential ones some of many writers never win.
    # In seconds they would be too long for a fast remote or too short for a slow one.
    spread: float = 10.0
    clock: Callable[[], float] = time.monotonic
    large: int = ledger_files.LARGE
    # False: `view` returns what this process has read or written last. A write reads the tip anew.
    rereads: bool = True
    _is_preloaded: bool = field(default=False, init=False, repr=False)
    _began: float = field(default=0.0, init=False, repr=False)
    _parsed: dict[tuple[str, str], ParsedLog] = field(default_factory=dict, init=False, repr=False)
    _metas: dict[str, Meta | None] = field(default_factory=dict, init=False, repr=False)
    _last: Snapshot | None = field(default=None, init=False, repr=False)

    # The Ledger protocol

    def view(self) -> LedgerState:
        if self._last and (self._is_preloaded or not self.rereads):
            self._is_preloaded = False
            return self._last.state
        return self._read(self._store.fetch_tip()).state

    def preload(self) -> None:
        """Read the ledger now, for the next `view`."""
        self.view()
        self._is_preloaded = True

    def transact(
        self, decide: Callable[[LedgerState], Write], *, patient: bool = True
    ) -> LedgerState:
        return self._commit_with_retry(lambda base: self._encode(base, decide(base.state)), patient)

    def findings(self, answers: Iterable[AnswerRecorded]) -> Iterator[Finding]:
        wanted = list(answers)
        blobs = (self._last or self._read(self._store.fetch_tip())).blobs
        blob_of = {a.shard: blobs[a.shard] for a in wanted if a.shard and a.shard in blobs}
        objects = self._spool.objects(sorted(set(blob_of.values())))
        rows = {
            path: ledger_files.parse_shard(path, objects[oid].read())
            for path, oid in blob_of.items()
            if oid in objects
        }
        for answer in wanted:
            yield from rows.get(answer.shard or "", {}).get(answer.n, ())

    # Maintenance

    def tip(self) -> str | None:
        """The newest commit, by one `git ls-remote`."""
        return self._store.tip()

    def lost_tip(self) -> str | None:
        """The commit that this clone saw last, if the remote has lost the ref."""
        return self._store.lost_tip()

    def restore_ref(self, commit: str) -> None:
        """Create the ref. Raises CannotRecord if it exists."""
        self._store.push(commit, None)

    def restore_files(self, find: Callable[[str], Mapping[str, bytes]]) -> LedgerState:
        """Commit the files that `find` returns for a tip."""

        def build(base: Snapshot) -> PendingChange | None:
            if base.tip is None:
                return None
            return PendingChange(self._spool_files(find(base.tip)), "repair")

        return self._commit_with_retry(build)

    def squash(self, check: Callable[[str], None]) -> int:
        """Replace all commits by one, and return their number. `check` may refuse a tip."""
        return self._retrying()(self._try_to_squash, check)

    def _try_to_squash(self, check: Callable[[str], None]) -> int:
        self._began = self.clock()
        self._store.deepen()
        base = self._read(self._store.fetch_tip())
        commits = self.git.run("rev-list", base.tip).out.decode().split() if base.tip else []
        if base.tip is None or len(commits) == 1:
            return 0
        check_writable(base.meta, self.ref)
        check(base.tip)
        replaced = (*commits, *replaced_tips(self.git, base.tip))
        root = self.git.run(
            *("commit-tree", f"{base.tip}^{{tree}}"),
            stdin=plumbing.squash_message(f"squash\n\nrun {self.run}", replaced),
            extra_environ=plumbing.identity(int(self.now().timestamp())),
        )
        self._store.push(root.out.decode().strip(), base.tip, rewrites=True)
        return len(commits)

    # Writing

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

    def _back_off(self, _: RetryCallState) -> float:
        return self.rng.uniform(0, self.spread) * (self.clock() - self._began)

    def _attempt(
        self, build: Callable[[Snapshot], PendingChange | None], rejected: list[PendingChange]
    ) -> LedgerState:
        self._began = self.clock()
        base = self._read(self._store.fetch_tip())
        # A push may land although the remote reported that it was rejected.
        if rejected and rejected[-1].is_in(base.blobs):
            return base.state
        change = build(base)
        if change is None or not (change.files or change.drops):
            return base.state
        commit = self._commit(change, base.tip)
        rejected.append(change)
        self._store.push(commit, base.tip)
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
            state = replace(base.state, shards=base.state.shards.difference(drops))
            compacted = compaction.fold(base.logs, state, write.fold_before)
            files |= self._spool_files(compacted.files)
            drops += compacted.removed
        if not files and not drops:
            return None
        if base.tip:
            check_writable(base.meta, self.ref)
        else:
            files |= self._spool_files(ledger_files.first_files(self.ref))
        return PendingChange(files, ledger_files.commit_title(write), drops, logs)

    def _spool_files(self, files: Mapping[str, bytes]) -> dict[str, SpooledObject]:
        return {path: self._spool.add(content) for path, content in files.items()}

    def _commit(self, change: PendingChange, parent: str | None) -> str:
        message = f"{change.title}\n\nrun {self.run}\n\n[skip ci]\n"
        seconds, start = int(self.now().timestamp()), parent or self._zeros()
        stream = plumbing.import_stream(change.files, change.drops, start, seconds, message)
        done = self.git.run(
            "fast-import", "--quiet", "--done", "--force", stdin=stream, check=False
        )
        if done.code:
            raise errors.explain_failure(done.err, self.ref, self.remote or "this clone", "stored")
        return done.out.decode().strip()

    def _zeros(self) -> str:
        """The object id that means no object; its length depends on the repository."""
        object_format = self.git.run("rev-parse", "--show-object-format").out.decode().strip()
        return "0" * (64 if object_format == "sha256" else 40)

    # Reading

    def _read(self, tip: str | None) -> Snapshot:
        if self._last is None or self._last.tip != tip:
            self._last = self._read_files(tip) if tip else NO_SNAPSHOT
        return self._last

    def _read_files(self, tip: str) -> Snapshot:
        return self._snapshot(tip, plumbing.blob_ids(ObjectReader(self.git).entries(tip)))

    def _apply(self, base: Snapshot, change: PendingChange, commit: str) -> Snapshot:
        """The snapshot of `commit`, which is `change` on top of `base`, without reading it."""
        digits = len(commit)
        new = {path: plumbing.blob_id(file, digits) for path, file in change.files.items()}
        self._parsed |= {(path, new[path]): parsed for path, parsed in change.logs.items()}
        kept = base.blobs.keys() - set(change.drops)
        return self._snapshot(commit, {path: base.blobs[path] for path in kept} | new)

    def _snapshot(self, tip: str, blobs: dict[str, str]) -> Snapshot:
        # Log files never change, so none is parsed twice.
        logs = sorted((path, oid) for path, oid in blobs.items() if LOG.fullmatch(path))
        new = [key for key in logs if key not in self._parsed]
        meta_oid = blobs.get(META, "")
        wanted = {oid for _, oid in new} | ({meta_oid} - self._metas.keys())
        objects = self._spool.objects(sorted(wanted))
        if meta_oid not in self._metas:
            stored = objects.get(meta_oid)
            self._metas[meta_oid] = Meta.parse(stored.read() if stored else None)
        meta = self._metas[meta_oid]
        check_readable(meta)
        for path, oid in new:
            self._parsed[path, oid] = ledger_files.parse_log(path, objects.get(oid), self.large)
        return Snapshot.from_files(tip, blobs, meta, {key[0]: self._parsed[key] for key in logs})

    @cached_property
    def _spool(self) -> ObjectSpool:
        return ObjectSpool(self.git)

    @cached_property
    def _store(self) -> LocalRef | RemoteRef:
        if self.remote is None:
            return LocalRef(self.git, self.ref)
        # A lambda, because `marker_seen` may be set later.
        return RemoteRef(self.git, self.ref, self.remote, self.token, lambda: self.marker_seen())
