"""Many processes that write to one ledger, against one process that writes as much alone.

    python -m bench.ledger_writers

Every writer is a process with a clone of its own and the ledger as the program builds it. The
remote is a bare repository on this machine; latency is a `sleep` before each connection to it,
so that every `ls-remote`, `fetch` and `push` pays it once. Imports are not timed. Prints Markdown.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from bench.tables import write_targets
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.git.process import Git
from claude_batch.ledger.events import Estimate, Intent, IntentId, RequestRecorded
from claude_batch.ledger.git_store import GitLedger
from claude_batch.ledger.store import Write
from claude_batch.ledger.view import LedgerState
from claude_batch.tasks.task import TaskId

REF = "refs/heads/claude-batch-state"
UPDATES, WRITERS = 100, 16
LATENCIES = (0.0, 0.6)  # seconds a connection
MOST = 1.5  # times the one writer
WAIT = 3_600


@dataclass(frozen=True)
class WriterRun:
    """`most_tries`: how often the unluckiest update was decided."""

    seconds: float
    lost: int
    decided: int
    most_tries: int


def rows() -> Iterator[tuple[str, str, str]]:
    """What, target, measured."""
    for latency in LATENCIES:
        alone, together = (measure(writers, latency) for writers in (1, WRITERS))
        ratio = together.seconds / alone.seconds
        yield (
            f"{UPDATES} updates of the ledger by {WRITERS} processes, {latency:.1f} s a connection",
            f"≤ {MOST} × one writer, 0 lost",
            f"{ratio:.2f} × ({together.seconds:.1f} s, alone {alone.seconds:.1f} s), "
            f"{together.lost + alone.lost} lost, {together.decided / UPDATES:.2f} tries an update, "
            f"at most {together.most_tries}",
        )


def measure(writers: int, latency: float) -> WriterRun:
    with tempfile.TemporaryDirectory(prefix="claude-batch-bench-") as name:
        folder = Path(name)
        _git(folder, "init", "-q", "--bare", "remote.git")
        clones = [_clone(folder, number, latency) for number in range(writers)]
        return _raced(clones, _shares(writers))


def _shares(writers: int) -> list[int]:
    return [UPDATES * (n + 1) // writers - UPDATES * n // writers for n in range(writers)]


def _clone(folder: Path, number: int, latency: float) -> Path:
    clone = folder / f"clone-{number}"
    _git(folder, "init", "-q", clone.name)
    _git(clone, "remote", "add", "origin", str(folder / "remote.git"))
    if latency:
        for service in ("upload", "receive"):
            slow = f"sleep {latency}; git-{service}-pack"
            _git(clone, "config", f"remote.origin.{service}pack", slow)
    return clone


def _raced(clones: list[Path], shares: list[int]) -> WriterRun:
    """All start at once, when all have been imported."""
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.ledger_writers", "write", str(clone), str(share)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for clone, share in zip(clones, shares, strict=True)
    ]
    for process in running:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        process.stdout.readline()
    began = time.monotonic()
    for process in running:
        assert process.stdin is not None  # noqa: S101
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=WAIT)[0] for process in running]
    seconds = time.monotonic() - began
    tries = [int(number) for line in said for number in line.split()]
    lost = UPDATES - len(_ledger(clones[0]).view().requests)
    return WriterRun(seconds, lost, sum(tries), max(tries))


def write(clone: Path, updates: int) -> None:
    """Prints how often each update was decided."""
    ledger = _ledger(clone)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for number in range(updates):
        claim = TaskClaim(f"{clone.name}-{number}")
        ledger.transact(claim)
        sys.stdout.write(f"{claim.tries}\n")


@dataclass
class TaskClaim:
    """A task that is claimed as `submit` does it, if nobody has it."""

    task: str
    tries: int = 0

    def __call__(self, view: LedgerState) -> Write:
        self.tries += 1
        if view.known_tasks([TaskId(self.task)]):
            return Write()
        head = {"at": _now(), "run": "bench", "repo": "octo/demo"}
        intent = Intent(
            **head, id=IntentId(self.task), lease_until=_now(), lane="batch", requests=1, sha256=""
        )
        cost = Decimal("0.01")
        asked = RequestRecorded(
            **head,
            intent=intent.id,
            n=0,
            sha="",
            pr=7,
            kind="review",
            model="claude-sonnet-5-5",
            effort=None,
            tasks=(AnchoredTask(id=TaskId(self.task), path="a.py", signs="+", hashes="AAAAAAAA"),),
            estimate=Estimate(
                input_tokens=1, output_tokens=1, usd=cost, usd_standard=cost, usd_max=cost
            ),
        )
        return Write((intent, asked))


def _ledger(clone: Path) -> GitLedger:
    git = Git(os.environ, clone / ".git")
    return GitLedger(git, REF, "origin", "bench", now=_now, sleep=time.sleep)


def _now() -> datetime:
    return datetime.now(UTC)


def _git(folder: Path, *args: str) -> None:
    subprocess.run(["git", *args], cwd=folder, check=True, capture_output=True)


def main() -> None:
    if sys.argv[1:2] == ["write"]:
        write(Path(sys.argv[2]), int(sys.argv[3]))
        return
    write_targets(rows())


if __name__ == "__main__":
    main()
