"""The ledger's first store: a ref of the user's own repository, written by compare-and-swap.

All traffic runs in the user's own git directory, because a scratch repository does not get the
credentials that actions/checkout keeps for the checkout alone. It keeps to private refs below
refs/claude-batch: work tree, index, HEAD, FETCH_HEAD, config and the shallow flag stay as they are.
"""

import hashlib
import random
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from claude_batch import folding, git_refusal, ledger_files, plumbing
from claude_batch.edges.git_process import Blob, Completed, Git, Printed
from claude_batch.errors import CannotRecord
from claude_batch.event import Answered
from claude_batch.finding import Finding
from claude_batch.ledger import View, Write
from claude_batch.ledger_files import LOG, META, SHARD, Meta, Parsed
from claude_batch.snapshot import NOTHING, Change, Snapshot

EMAIL = "claude-batch@users.noreply.github.com"
WHO = f"claude-batch <{EMAIL}>"
PRIVATE = "refs/claude-batch"
ALL = "--depth=1000000000"  # `--unshallow` would bring all of the code's history too
TRIES = 40  # of 16 writers at once, on a machine that was busy besides, the unluckiest needed 17
QUIET = ("-c", "gc.auto=0", "-c", "maintenance.auto=false")
# `--no-filter` brings the blobs at once instead of one by one on demand, and `--refmap=` spares
# the user's remote-tracking refs.
FETCH = (
    *(*QUIET, "fetch", "--quiet", "--no-write-fetch-head", "--no-tags", "--no-auto-maintenance"),
    *("--no-recurse-submodules", "--no-prune", "--no-filter", "--refmap="),
    "--show-forced-updates",  # without it a rewritten ref passes for one that has grown
)
PUSH = (
    *(*QUIET, "push", "--porcelain", "--no-verify", "--no-recurse-submodules"),
    *("--no-signed", "--no-follow-tags"),
)


class LostRace(CannotRecord):
    """Somebody else wrote between our read and our write."""

    def __init__(self, ref: str, why: str) -> None:
        super().__init__(
            f"{ref} was changed by others, or was busy, at each of {TRIES} tries: {why}",
            "run the command again; nothing was lost, and nothing of this write was recorded",
        )


@dataclass(frozen=True)
class LocalRef:
    """A ref of this clone only."""

    git: Git
    ref: str

    def tip(self) -> str | None:
        return commit_at(self.git, self.ref)

    def newest(self) -> str | None:
        return self.tip()

    def gone(self) -> str | None:
        """Nobody remembers a local ref but the ref."""
        return None

    def deepen(self) -> None:
        """Its history is here, wherever it is known."""

    def land(self, commit: str, parent: str | None, *, rewrites: bool = False) -> None:
        # An empty old value means: must not exist. Whether it rewrites is not git's business here.
        done = self.git.run("update-ref", self.ref, commit, parent or "", check=False)
        if done.code:
            raise LostRace(self.ref, done.err.strip())


@dataclass(frozen=True)
class RemoteRef:
    """A ref of a remote. A private ref of this clone remembers the tip that was seen last."""

    git: Git
    ref: str
    remote: str
    token: str | None
    marker_seen: Callable[[], bool]

    def tip(self) -> str | None:
        listed = self._wire.run("ls-remote", self.remote, self.ref, check=False)
        if listed.code:
            raise self._refused(listed)
        rows = (line.split("\t") for line in listed.out.decode().splitlines())
        return next((oid for oid, name in rows if name == self.ref), None)

    def newest(self) -> str | None:
        """The tip, fetched. Raises CannotRecord when what we remember is gone from the remote."""
        # Nearly always the ref has grown or stands still, and one connection does.
        done = self._fetch(f"{self.ref}:{self._seen}")
        if done.code and git_refusal.is_unreachable(done.err):
            raise self._refused(done)
        if done.code:
            return self._judged()
        tip = self.git.run("rev-parse", self._seen).out.decode().strip()
        self._complete(tip)
        return tip

    def _judged(self) -> str | None:
        """The tip of a ref that is missing, was rewritten, or is being fetched by a rival too."""
        tip, seen = self.tip(), commit_at(self.git, self._seen)
        if tip is None and (seen or self.marker_seen()):
            raise git_refusal.vanished(self.ref, self.remote, self._seen, seen)
        if tip is None or tip == seen:
            return tip
        fetched = self._fetched_aside()
        if seen and not follows(self.git, fetched, seen):
            raise git_refusal.rewritten(self.ref, self.remote, self._seen, seen)
        self._remember(fetched)
        return fetched

    def gone(self) -> str | None:
        """What was seen last of a ref that the remote has no more."""
        seen = commit_at(self.git, self._seen)
        return seen if seen and self.tip() is None else None

    def deepen(self) -> None:
        """Bring the past of the ref into a shallow clone, and of no other ref."""
        if self.newest() and self._is_shallow:
            done = self._wire.run(*FETCH, ALL, self.remote, self.ref, check=False)
            if done.code:
                raise self._refused(done)

    def land(self, commit: str, parent: str | None, *, rewrites: bool = False) -> None:
        # The ref must stand at `parent`, or must not exist where that is empty.
        is_leased = rewrites or not parent
        lease = (f"--force-with-lease={self.ref}:{parent or ''}",) if is_leased else ()
        done = self._wire.run(*PUSH, *lease, self.remote, f"{commit}:{self.ref}", check=False)
        if done.code == 0:
            self._remember(commit)
            return
        rejected = [row for row in done.out.decode().splitlines() if row.startswith("!")]
        text = "\n".join([*rejected, done.err])
        if git_refusal.is_final(text):
            raise git_refusal.explain(text, self.ref, self.remote, self._credentials())
        if all("rejected]" not in row for row in rejected):
            # The answer to a push may be lost after the push has landed.
            newest = self.newest()
            if newest and follows(self.git, newest, commit):
                return
        if rejected:
            raise LostRace(self.ref, rejected[0].split("\t")[-1])
        raise self._refused(done)

    @cached_property
    def _wire(self) -> Git:
        """git with the explicit token, if there is one."""
        if not self.token:
            return self.git
        url = self.git.run("ls-remote", "--get-url", self.remote).out.decode().strip()
        config = plumbing.token_config(url, self.token)
        return replace(self.git, config=(*self.git.config, *config))

    @property
    def _seen(self) -> str:
        plain = re.fullmatch(r"[A-Za-z0-9_-]+", self.remote)
        name = self.remote if plain else hashlib.sha256(self.remote.encode()).hexdigest()[:16]
        return f"{PRIVATE}/remote/{name}/{self.ref.removeprefix('refs/').removeprefix('heads/')}"

    def _fetch(self, refspec: str) -> Completed:
        # In a full clone `--depth` would make all of it shallow.
        is_first = self._is_shallow and commit_at(self.git, self._seen) is None
        depth = ("--depth=1",) if is_first else ()
        return self._wire.run(*FETCH, *depth, self.remote, refspec, check=False)

    def _fetched_aside(self) -> str:
        """The tip, to be judged before it is remembered."""
        landing = f"{PRIVATE}/fetched/{secrets.token_hex(8)}"
        done = self._fetch(f"+{self.ref}:{landing}")
        if done.code:
            raise self._refused(done)
        fetched = self.git.run("rev-parse", landing).out.decode().strip()
        self.git.run("update-ref", "-d", landing)
        self._complete(fetched)
        return fetched

    def _complete(self, tip: str) -> None:
        """Bring at once what a filter left out. The rest comes on demand, each object alone."""
        if not self._is_partial:
            return
        walk = ("rev-list", "--objects", "--no-walk", "--missing=print", tip)
        for _ in range(2):  # trees first, then what stands in them
            rows = self.git.run(*walk).out.splitlines()
            missing = [row[1:] for row in rows if row.startswith(b"?")]
            if missing:
                wanted = b"\n".join(missing) + b"\n"
                self._wire.run(*FETCH, "--stdin", self.remote, stdin=wanted, check=False)

    @cached_property
    def _is_partial(self) -> bool:
        promisor = r"^remote\..*\.promisor$"
        return bool(self.git.run("config", "--get-regexp", promisor, check=False).out)

    @cached_property
    def _is_shallow(self) -> bool:
        return self.git.run("rev-parse", "--is-shallow-repository").out.strip() == b"true"

    def _remember(self, commit: str) -> None:
        """A rival in this clone may win: an older memory is compared in the same way."""
        self.git.run("update-ref", self._seen, commit, check=False)

    def _credentials(self) -> git_refusal.Credentials:
        if self.token:
            return "token"
        stored = r"^(http\..*extraheader|credential\..*helper)$"
        found = self.git.run("config", "--get-regexp", stored, check=False)
        return "stored" if found.out else "none"

    def _refused(self, done: Completed) -> CannotRecord:
        return git_refusal.explain(done.err, self.ref, self.remote, self._credentials())


def commit_at(git: Git, ref: str) -> str | None:
    found = git.run("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", check=False)
    return found.out.decode().strip() or None


def follows(git: Git, tip: str, old: str) -> bool:
    """`tip` descends from `old`, or from a squash that names it."""
    is_ancestor = not git.run("merge-base", "--is-ancestor", old, tip, check=False).code
    return is_ancestor or old in _named(git, tip)


def _named(git: Git, tip: str) -> list[str]:
    """The tips that squashes stand for, as their root says."""
    roots = git.run("rev-list", "--max-parents=0", tip).out.decode().split()
    said = (git.run("cat-file", "commit", root).out for root in roots)
    return [old for raw in said for old in plumbing.old_tips(raw)]


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
    _parsed: dict[tuple[str, str], Parsed] = field(default_factory=dict, init=False, repr=False)
    _metas: dict[str, Meta | None] = field(default_factory=dict, init=False, repr=False)
    _last: Snapshot | None = field(default=None, init=False, repr=False)

    def view(self) -> View:
        return self._read(self._place.newest()).view

    def tip(self) -> str | None:
        """The commit that the ledger stands at, for the price of one `git ls-remote`."""
        return self._place.tip()

    def transact(self, decide: Callable[[View], Write], *, patient: bool = True) -> View:
        return self._landed(lambda base: self._packed(base, decide(base.view)), patient)

    def gone(self) -> str | None:
        """The commit that this clone saw last, if the remote has lost the ref."""
        return self._place.gone()

    def bring_back(self, commit: str) -> None:
        """Only where the ref does not exist. Raises CannotRecord."""
        self._place.land(commit, None)

    def mend(self, find: Callable[[str], Mapping[str, bytes]]) -> View:
        """Put files back: those that `find` returns for a tip, in a commit on that tip."""
        return self._landed(
            lambda base: Change(self._kept(find(base.tip)), "repair") if base.tip else None
        )

    def squash(self, check: Callable[[str], None]) -> int:
        """Put one commit in the place of all; how many it stands for. `check` may refuse a tip."""
        return self._retrying()(self._try_to_squash, check)

    def _try_to_squash(self, check: Callable[[str], None]) -> int:
        self._began = self.clock()
        place = self._place
        place.deepen()
        base = self._read(place.newest())
        commits = self.git.run("rev-list", base.tip).out.decode().split() if base.tip else []
        if base.tip is None or len(commits) == 1:
            return 0
        ledger_files.check_writable(base.meta, self.ref)
        check(base.tip)
        old = (*commits, *_named(self.git, base.tip))
        message = plumbing.squash_message(f"squash\n\nrun {self.run}", old)
        root = self.git.run(
            *("commit-tree", f"{base.tip}^{{tree}}"),
            stdin=message,
            extra=plumbing.identity("claude-batch", EMAIL, int(self.now().timestamp())),
        )
        place.land(root.out.decode().strip(), base.tip, rewrites=True)
        return len(commits)

    def _landed(self, build: Callable[[Snapshot], Change | None], patient: bool = True) -> View:
        return self._retrying(patient)(self._attempt, build, [])

    def _retrying(self, patient: bool = True) -> Retrying:
        return Retrying(
            retry=retry_if_exception_type(LostRace),
            stop=stop_after_attempt(TRIES if patient else 1),
            wait=self._back_off,
            sleep=self.sleep,
            reraise=True,
        )

    def findings(self, answers: Iterable[Answered]) -> Iterator[Finding]:
        asked = list(answers)
        known = (self._last or self._read(self._place.newest())).blobs
        blob_of = {a.shard: known[a.shard] for a in asked if a.shard and a.shard in known}
        found = self._printed.objects(sorted(set(blob_of.values())))
        rows = {
            path: ledger_files.parse_shard(path, found[oid].read())
            for path, oid in blob_of.items()
            if oid in found
        }
        for answer in asked:
            yield from rows.get(answer.shard or "", {}).get(answer.n, ())

    @cached_property
    def _printed(self) -> Printed:
        return Printed(self.git)

    @cached_property
    def _place(self) -> LocalRef | RemoteRef:
        if self.remote is None:
            return LocalRef(self.git, self.ref)
        return RemoteRef(self.git, self.ref, self.remote, self.token, lambda: self.marker_seen())

    def _back_off(self, _: RetryCallState) -> float:
        return self.rng.uniform(0, self.spread) * (self.clock() - self._began)

    def _attempt(self, build: Callable[[Snapshot], Change | None], tried: list[Change]) -> View:
        """`tried`: those of this write that were rejected, as far as anybody said."""
        self._began = self.clock()
        place = self._place
        base = self._read(place.newest())
        if tried and tried[-1].is_in(base.blobs):
            return base.view
        change = build(base)
        if change is None or not (change.files or change.drops):
            return base.view
        commit = self._commit(change, base.tip)
        tried.append(change)
        place.land(commit, base.tip)
        self._last = self._changed(base, change, commit)
        return self._last.view

    def _packed(self, base: Snapshot, write: Write) -> Change | None:
        files: dict[str, Blob] = {}
        logs: dict[str, Parsed] = {}
        for new in ledger_files.pack(write, self.now(), self.run):
            blob = files[new.path] = self._printed.add(new.content)
            if new.events:
                logs[new.path] = ledger_files.written(new.events, blob, self.large)
        drops = [path for path in write.drops if path in base.blobs and SHARD.fullmatch(path)]
        if write.fold_before:
            left = replace(base.view, shards=base.view.shards.difference(drops))
            folded = folding.fold(base.logs, left, write.fold_before)
            files |= self._kept(folded.files)
            drops += folded.gone
        if not files and not drops:
            return None
        if base.tip:
            ledger_files.check_writable(base.meta, self.ref)
        else:
            files |= self._kept(ledger_files.first_files(self.ref))
        return Change(files, ledger_files.title(write), drops, logs)

    def _kept(self, files: Mapping[str, bytes]) -> dict[str, Blob]:
        return {path: self._printed.add(content) for path, content in files.items()}

    def _commit(self, change: Change, parent: str | None) -> str:
        message = f"{change.title}\n\nrun {self.run}\n"
        stamp = f"{WHO} {int(self.now().timestamp())} +0000"
        start = parent or self._zeros()
        stream = plumbing.import_stream(change.files, change.drops, start, stamp, message)
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
            self._last = self._listed(tip) if tip else NOTHING
        return self._last

    def _listed(self, tip: str) -> Snapshot:
        listing = self.git.run("ls-tree", "-r", "-z", "--full-tree", tip).out
        return self._snapshot(tip, plumbing.parse_tree(listing))

    def _changed(self, base: Snapshot, change: Change, commit: str) -> Snapshot:
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
        found = self._printed.objects(sorted(wanted))
        if meta_oid not in self._metas:
            stored = found.get(meta_oid)
            self._metas[meta_oid] = Meta.parse(stored.read() if stored else None)
        meta = self._metas[meta_oid]
        ledger_files.check_readable(meta)
        for path, oid in new:
            self._parsed[path, oid] = ledger_files.parse_log(path, found.get(oid), self.large)
        parsed = {path: self._parsed[path, oid] for path, oid in logs}
        return Snapshot.of(tip, blobs, meta, parsed)
