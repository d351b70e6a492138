"""The ref that holds the ledger: local to a clone, or on a remote."""

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from claude_batch.errors import CannotRecord
from claude_batch.git import errors, plumbing
from claude_batch.git.process import Completed, Git, GitFailed
from claude_batch.git.remotes import Remote, open_remote

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
    """The ref changed between our read and our write."""

    def __init__(self, ref: str, reason: str) -> None:
        super().__init__(
            f"{ref} was changed by others, or was busy, at each of {TRIES} tries: {reason}",
            "run the command again; nothing was lost, and nothing of this write was recorded",
        )


@dataclass(frozen=True)
class LocalRef:
    """A ref of this clone only."""

    git: Git
    ref: str

    def tip(self) -> str | None:
        return self.git.resolve(f"{self.ref}^{{commit}}")

    def fetch_tip(self) -> str | None:
        return self.tip()

    def lost_tip(self) -> str | None:
        """None: nothing else records the tip of a local ref."""
        return None

    def deepen(self) -> None:
        """Do nothing: a local ref has all of its history."""

    def push(self, commit: str, parent: str | None, *, rewrites: bool = False) -> None:
        # An empty old value means: must not exist. `rewrites` does not matter to a local ref.
        result = self.git.run("update-ref", self.ref, commit, parent or "", check=False)
        if result.code:
            raise LostRace(self.ref, result.err.strip())


@dataclass(frozen=True)
class RemoteRef:
    """A ref of a remote. A private ref of this clone remembers the tip that was seen last."""

    git: Git
    ref: str
    remote: str
    token: str | None
    marker_seen: Callable[[], bool]

    def tip(self) -> str | None:
        result = self._run("ls-remote", self._transport.name, self.ref)
        if result.code:
            raise self._error(result)
        refs = (line.split("\t") for line in result.out.decode().splitlines())
        return next((oid for oid, name in refs if name == self.ref), None)

    def fetch_tip(self) -> str | None:
        """Fetch the tip. Raises CannotRecord if the remote has lost the tip that was seen last."""
        # Nearly always the ref has grown or stands still, and one connection does.
        result = self._fetch(f"{self.ref}:{self._tracking_ref}")
        if result.code and errors.is_unreachable(result.err):
            raise self._error(result)
        if result.code:
            return self._classify_fetch_failure()
        tip = self.git.text("rev-parse", self._tracking_ref)
        self._complete(tip)
        return tip

    def _classify_fetch_failure(self) -> str | None:
        """The tip of a ref that is missing, was rewritten, or is being fetched by another run."""
        tip, seen = self.tip(), self._seen_tip()
        if tip is None and (seen or self.marker_seen()):
            raise errors.lost_ref_error(self.ref, self.remote, self._tracking_ref, seen)
        if tip is None or tip == seen:
            return tip
        fetched = self._fetch_unverified()
        if seen and not follows(self.git, fetched, seen):
            raise errors.rewritten_ref_error(self.ref, self.remote, self._tracking_ref, seen)
        self._remember(fetched)
        return fetched

    def lost_tip(self) -> str | None:
        """The tip that was seen last, if the remote has lost the ref."""
        seen = self._seen_tip()
        return seen if seen and self.tip() is None else None

    def deepen(self) -> None:
        """Fetch the whole history of this ref, and of no other ref, into a shallow clone."""
        if self.fetch_tip() and self._is_shallow:
            result = self._run(*FETCH, ALL, self._transport.name, self.ref)
            if result.code:
                raise self._error(result)

    def push(self, commit: str, parent: str | None, *, rewrites: bool = False) -> None:
        # The ref must stand at `parent`, or must not exist where that is empty.
        is_leased = rewrites or not parent
        lease = (f"--force-with-lease={self.ref}:{parent or ''}",) if is_leased else ()
        result = self._run(*PUSH, *lease, self._transport.name, f"{commit}:{self.ref}")
        if result.code == 0:
            self._remember(commit)
            return
        rejections = [
            rejection for rejection in result.out.decode().splitlines() if rejection.startswith("!")
        ]
        text = "\n".join([*rejections, result.err])
        if errors.is_final(text):
            raise errors.explain_failure(text, self.ref, self.remote, self._credentials())
        if all("rejected]" not in rejection for rejection in rejections):
            # The answer to a push may be lost after the push has landed.
            newest = self.fetch_tip()
            if newest and follows(self.git, newest, commit):
                return
        if rejections:
            raise LostRace(self.ref, rejections[0].split("\t")[-1])
        raise self._error(result)

    @cached_property
    def _transport(self) -> Remote:
        """The remote by one URL, and with the explicit token if there is one."""
        remote = open_remote(self.git, self.remote)
        if not self.token:
            return remote
        url = remote.git.text("ls-remote", "--get-url", remote.name)
        config = plumbing.token_config(url, self.token)
        return replace(remote, git=replace(remote.git, config=(*remote.git.config, *config)))

    def _run(self, *args: str, stdin: bytes = b"") -> Completed:
        return self._transport.git.run(*args, stdin=stdin, check=False)

    @property
    def _tracking_ref(self) -> str:
        is_plain = re.fullmatch(r"[A-Za-z0-9_-]+", self.remote)
        name = self.remote if is_plain else hashlib.sha256(self.remote.encode()).hexdigest()[:16]
        return f"{PRIVATE}/remote/{name}/{self.ref.removeprefix('refs/').removeprefix('heads/')}"

    def _fetch(self, refspec: str) -> Completed:
        # In a full clone `--depth` would make all of it shallow.
        is_first = self._is_shallow and self._seen_tip() is None
        depth = ("--depth=1",) if is_first else ()
        return self._run(*FETCH, *depth, self._transport.name, refspec)

    def _fetch_unverified(self) -> str:
        """Fetch the tip without recording it as seen."""
        temporary_ref = f"{PRIVATE}/fetched/{secrets.token_hex(8)}"
        result = self._fetch(f"+{self.ref}:{temporary_ref}")
        if result.code:
            raise self._error(result)
        fetched = self.git.text("rev-parse", temporary_ref)
        self.git.run("update-ref", "-d", temporary_ref)
        self._complete(fetched)
        return fetched

    def _complete(self, tip: str) -> None:
        """Fetch at once the objects that a filter left out. Git would fetch them one by one."""
        if not self._is_partial:
            return
        walk = ("rev-list", "--objects", "--no-walk", "--missing=print", tip)
        for _ in range(2):  # trees first, then their entries
            lines = self.git.run(*walk).out.splitlines()
            missing = [line[1:] for line in lines if line.startswith(b"?")]
            if missing:
                stdin = b"\n".join(missing) + b"\n"
                self._run(*FETCH, "--stdin", self._transport.name, stdin=stdin)

    @cached_property
    def _is_partial(self) -> bool:
        promisor = r"^remote\..*\.promisor$"
        return bool(self.git.run("config", "--get-regexp", promisor, check=False).out)

    @cached_property
    def _is_shallow(self) -> bool:
        return self.git.is_shallow()

    def _seen_tip(self) -> str | None:
        """The tip that was seen last."""
        return self.git.resolve(f"{self._tracking_ref}^{{commit}}")

    def _remember(self, commit: str) -> None:
        # Another run in this clone may win. An older tip serves the comparison as well.
        self.git.run("update-ref", self._tracking_ref, commit, check=False)

    def _credentials(self) -> errors.Credentials:
        if self.token:
            return "token"
        stored = r"^(http\..*extraheader|credential\..*helper)$"
        settings = self.git.run("config", "--get-regexp", stored, check=False)
        return "stored" if settings.out else "none"

    def _error(self, result: Completed) -> CannotRecord:
        return errors.explain_failure(result.err, self.ref, self.remote, self._credentials())


def follows(git: Git, tip: str, ancestor: str) -> bool:
    """Return True if `tip` descends from `ancestor`, or from a squash that replaced it."""
    is_ancestor = not git.run("merge-base", "--is-ancestor", ancestor, tip, check=False).code
    return is_ancestor or ancestor in replaced_tips(git, tip)


def replaced_tips(git: Git, tip: str) -> list[str]:
    """The tips that squashes replaced, from the messages of the root commits."""
    roots = git.run("rev-list", "--max-parents=0", tip).out.decode().split()
    contents = (git.run("cat-file", "commit", root).out for root in roots)
    return [old for content in contents for old in plumbing.old_tips(content)]


def resolve_remote(git: Git, url: str, ref: str) -> str | None:
    """The commit behind a tag or branch of a published repository, through `git ls-remote`.

    None without such a ref, and if the repository cannot be reached.
    """
    names = (f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}", f"refs/heads/{ref}")
    try:
        output = git.run("ls-remote", "--end-of-options", url, *names).out.decode()
    except GitFailed:
        return None
    commits = {name: commit for commit, name in (line.split("\t") for line in output.splitlines())}
    return next((commits[name] for name in names if name in commits), None)
