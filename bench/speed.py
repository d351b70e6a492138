"""Measure whole processes, and the time from a diff to new task ids, each against a reference."""

import gc
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from claude_batch.cli.main import GARBAGE
from claude_batch.git.repository import Repository
from claude_batch.prompts.kinds import find_kind
from claude_batch.submission.scope import ReviewScope
from claude_batch.tasks.discovery import ChangeFinder
from claude_batch.tasks.sources import RangeSource

RUNS = 31
FILES, LINES = 3_000, 150  # of each file, so that the patch has 13 MB
HOOK = Path(__file__).resolve().parent.parent / "hooks" / "queue"
PROGRAM = Path(sys.executable).parent / "claude-batch"
BARE = """\
import typer
app = typer.Typer()
@app.command()
def main(name: str = "you") -> None:
    "Greet."
    print(name)
app()
"""
BOTH = "{:.2f} × ({:.0f} ms against {:.0f} ms)"


def rows() -> Iterator[tuple[str, str, str]]:
    """What, target, measured."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small", Path(folder) / "large"
        _repository(small, files=400, lines=5)
        (small / "f1.py").write_text("changed\n")
        _git(small, "add", ".")
        hook = [sys.executable, str(HOOK)]
        yield (
            "hook, whole process, median",
            "≤ 1.4 × `python -I -c pass`",
            _ratio(_process(hook, small), _process([sys.executable, "-I", "-c", "pass"], small)),
        )
        (small / "bare.py").write_text(BARE)
        bare = [sys.executable, "bare.py", "--help"]
        yield (
            "`claude-batch --help`, whole process",
            "≤ 1.3 × a bare typer app with one command",
            _ratio(_process([str(PROGRAM), "--help"], small), _process(bare, small)),
        )
        _repository(large, FILES, LINES)
        _rewrite(large)
        patch = _git(large, "diff", "-p", "HEAD~1", "HEAD")
        gc.set_threshold(*GARBAGE)  # as the program does
        git_diff = _process(["git", "diff", "-p", "HEAD~1", "HEAD"], large)
        for stored in ("loose", "packed"):
            if stored == "packed":
                _git(large, "gc", "--quiet")
            yield (
                f"{FILES:,} files, {len(patch) / 1e6:.1f} MB of patch, objects {stored}: "
                "diff → hunks → ids → new ones",
                "≤ 1.5 × `git diff -p`",
                _ratio(lambda: _new_ids(large), git_diff, runs=7),
            )


def _ratio(
    measured: Callable[[], object], reference: Callable[[], object], runs: int = RUNS
) -> str:
    # The runs are paired, because a machine that slows down slows both.
    pairs = [(_seconds(measured), _seconds(reference)) for _ in range(runs + 1)][1:]
    ratio = statistics.median(a / b for a, b in pairs)
    medians = (1_000 * statistics.median(side) for side in zip(*pairs, strict=True))
    return BOTH.format(ratio, *medians)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _process(command: list[str], folder: Path) -> Callable[[], object]:
    return lambda: subprocess.run(command, cwd=folder, check=True, capture_output=True)


def _new_ids(folder: Path) -> int:
    finder = ChangeFinder(Repository.open(folder, os.environ))
    kinds = (find_kind("review"),)
    look = finder.find_changes(finder.compare(RangeSource("HEAD~1", "HEAD")), (), kinds)
    tasks = look.tasks(kinds)
    subject = ReviewScope("a/b", "run", None, look.comparison, tasks, look.skipped)
    return len(subject.unique_tasks)


def _repository(folder: Path, files: int, lines: int) -> None:
    folder.mkdir()
    _git(folder, "init", "--quiet", "--initial-branch=main")
    for number in range(files):
        path = folder / f"d{number % 50}" / f"f{number}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(_code(number, lines))
    _commit(folder, "one")


def _rewrite(folder: Path) -> None:
    """Change four places of each file, and rewrite every sixth file."""
    for path in sorted(folder.rglob("*.py")):
        number = int(path.stem[1:])
        text = path.read_text().splitlines(keepends=True)
        for at in range(10, LINES, 40):
            text[at : at + 8] = _code(FILES + number + at, 8).splitlines(keepends=True)
        path.write_text("".join(text) if number % 6 else _code(-number - 1, LINES))
    _commit(folder, "two")


def _code(seed: int, lines: int) -> str:
    dice = random.Random(seed)  # noqa: S311 - the same code every time
    words = [f"name_{dice.randrange(10**4)}" for _ in range(20)]
    return "".join(
        f"    {dice.choice(words)} = {dice.choice(words)}({dice.choice(words)}, {at})\n"
        if at % 12
        else f"\ndef {dice.choice(words)}({dice.choice(words)}):\n"
        for at in range(lines)
    )


def _commit(folder: Path, message: str) -> None:
    _git(folder, "add", ".")
    who = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
    _git(folder, *who, "commit", "--quiet", "--no-gpg-sign", "-m", message)


def _git(folder: Path, *args: str) -> bytes:
    return subprocess.run(["git", *args], cwd=folder, check=True, capture_output=True).stdout
