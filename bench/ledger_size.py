"""Measure the size of the ledger, and the time of a new clone's first read.

    python -m bench.ledger_size

A run is what the program writes for one push to a pull request, in three commits: the claim of a
batch, the record that it was sent, and its answers. The last of four runs closes its pull request.
The bytes are the program's own, but they go through one `git fast-import` for all. Prints Markdown.
"""

import gc
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.ledger_runs import END, Runs
from bench.tables import write_targets
from claude_batch.cli.main import GARBAGE
from claude_batch.git import plumbing
from claude_batch.git.objects import ObjectSpool
from claude_batch.git.process import Git
from claude_batch.ledger import files as ledger_files
from claude_batch.ledger.git_store import GitLedger
from claude_batch.ledger.prune import prune, squash
from claude_batch.ledger.repair import LedgerHistory

REF = "refs/heads/claude-batch-state"
RUNS = 2_000
TARGETS = {False: 4, True: 12}  # KB a run, without and with the text of findings
MOST_SECONDS = 1.5
BEST_OF = 3  # other processes may slow the machine


@dataclass(frozen=True, order=True)
class ReadTime:
    seconds: float
    cpu: float  # seconds, of git too

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s ({self.cpu:.2f} s of CPU)"


@dataclass(frozen=True)
class LedgerSize:
    """`full` and `shallow`: a clone's first read of the ledger."""

    kilobytes: float  # a run
    files: int
    full: ReadTime
    shallow: ReadTime


def rows(runs: int = RUNS) -> Iterator[tuple[str, str, str]]:
    """What, target, measured."""
    gc.set_threshold(*GARBAGE)  # as the program does
    for with_text, most in TARGETS.items():
        what = f"{runs:,} runs × 20 tasks, {'600 B of text a task' if with_text else 'no text'}"
        with tempfile.TemporaryDirectory(prefix="claude-batch-bench-") as name:
            for stage, size in measure(Path(name), Runs(runs, with_text)):
                target = f"≤ {most} KB a run" if stage == "as written" else ""
                yield f"{what}, {stage}: after `git gc`", target, f"{size.kilobytes:.2f} KB a run"
                speed = "" if stage == "as written" else f"≤ {MOST_SECONDS} s"
                measured = f"{size.full}; by a shallow clone {size.shallow}"
                yield f"{what}, {stage}: first read of {size.files:,} files", speed, measured


def measure(folder: Path, runs: Runs, best_of: int = BEST_OF) -> Iterator[tuple[str, LedgerSize]]:
    """Yield the size at each stage. `folder` is empty."""
    remote = folder / "remote.git"
    _git(folder, "init", "-q", "--bare", "--template=", str(remote))
    _write(Git(os.environ, remote), runs)
    _git(folder, "clone", "-q", f"file://{remote}", "writer")
    writer = _ledger(folder / "writer")
    yield "as written", _measured(folder, remote, runs, best_of)
    prune(writer, END)
    yield "folded", _measured(folder, remote, runs, best_of)
    squash(writer, LedgerHistory(writer.git))
    yield "folded and squashed", _measured(folder, remote, runs, best_of)


def _write(git: Git, runs: Runs) -> None:
    """Commit each write, and one commit of code for the shallow clone."""
    parent, stream, printed = "0" * 40, [], ObjectSpool(git)
    first = ledger_files.first_files(REF)
    for at, write in runs.writes():
        contents = first | {
            new.path: new.content for new in ledger_files.encode_write(write, at, runs.name)
        }
        files = {path: printed.add(content) for path, content in contents.items()}
        first = {}
        seconds = int(at.timestamp())
        message = f"{ledger_files.commit_title(write)}\n\nrun {runs.name}\n"
        made = b"".join(plumbing.import_stream(files, (), parent, seconds, message))
        stream.append(made.partition(b"\nget-mark")[0])
        parent = ":1"
    tail = b"\nreset %b\nfrom :1\n\ncommit refs/heads/main\ncommitter %b 1 +0000\ndata 0\n\ndone\n"
    author = f"{plumbing.AUTHOR} <{plumbing.EMAIL}>"
    stream.append(tail % (REF.encode(), author.encode()))
    git.run("fast-import", "--quiet", "--done", "--force", stdin=b"".join(stream))
    git.run("update-ref", "-d", "refs/claude-batch/build")


def _measured(folder: Path, remote: Path, runs: Runs, best_of: int) -> LedgerSize:
    kilobytes = _packed(remote) / 1_000 / runs.count
    files = _git(remote, "ls-tree", "-r", "--name-only", REF).count(b".jsonl\n")
    full, shallow = (
        min(_timed(folder, remote, runs, options) for _ in range(best_of))
        for options in ((), ("--depth=1",))
    )
    return LedgerSize(kilobytes, files, full, shallow)


def _packed(remote: Path) -> int:
    """Bytes. `-f`: deltas as git finds them among loose objects, not as fast-import left them."""
    _git(remote, "repack", "-a", "-d", "-f", "-q")
    _git(remote, "gc", "-q", "--prune=now")
    return sum(path.stat().st_size for path in remote.rglob("*") if path.is_file())


def _timed(folder: Path, remote: Path, runs: Runs, options: tuple[str, ...]) -> ReadTime:
    """Time the first read in a clone that has the code and nothing of the ledger."""
    place = Path(tempfile.mkdtemp(dir=folder))
    code = ("--single-branch", "--branch", "main", *options)
    _git(folder, "clone", "-q", *code, f"file://{remote}", str(place))
    cpu, began = _cpu(), time.perf_counter()
    view = _ledger(place).view()
    took = ReadTime(time.perf_counter() - began, _cpu() - cpu)
    assert len(view.requests) == runs.requests  # noqa: S101 - the read is complete
    return took


def _cpu() -> float:
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def _ledger(clone: Path) -> GitLedger:
    git = Git(os.environ, clone / ".git")
    return GitLedger(git, REF, "origin", "bench", now=lambda: END, sleep=time.sleep)


def _git(folder: Path, *args: str) -> bytes:
    return subprocess.run(["git", *args], cwd=folder, check=True, capture_output=True).stdout


def main() -> None:
    write_targets(rows())


if __name__ == "__main__":
    main()
