"""The pre-commit hook: record the staged tree, so that `submit --queued` can send it later.

A commit waits for this process, so it imports next to nothing: `argparse`, `json`, `pathlib`,
`subprocess` and `collections.abc` would each cost from a fifth of a bare interpreter's start
to more than all of it. `git/hook_queue.py` reads the queue.
"""

import os
import sys
import time

# A write of the index would run the hook `post-index-change`.
NO_HOOKS = ("-c", f"core.hooksPath={os.devnull}")

TYPE_CHECKING = False  # that of `typing`, without its import
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

if sys.platform != "win32":
    import fcntl

HELP = """\
Usage: claude-batch queue [--strict]

Record the staged tree (pre-commit hook).

Options:
  --strict  Fail the commit (exit 3) when the tree cannot be noted.
  --help    Show this message and exit.
"""


def queue(arguments: "list[str]", environ: "Mapping[str, str]", now: "Callable[[], float]") -> int:
    """Return the exit code: 0, 2 for wrong usage, and with --strict 3 for a failure."""
    if "--help" in arguments or "-h" in arguments:
        sys.stdout.write(HELP)
        return 0
    unknown = [argument for argument in arguments if argument != "--strict"]
    if unknown:
        sys.stderr.write(f"error: `claude-batch queue` does not know {unknown[0]}\n")
        sys.stderr.write(" help: its one option is --strict\n")
        return 2
    try:
        _record(environ, now())
    except OSError as error:
        sys.stderr.write(f"warning: the staged tree was not noted for review: {error}\n")
        sys.stderr.write(" help: the commit is fine; `claude-batch submit` sends it later\n")
        return 3 if "--strict" in arguments else 0
    return 0


def _record(environ: "Mapping[str, str]", seconds: float) -> None:
    # Started together, they cost the time of one. Both see the hook's own GIT_INDEX_FILE.
    # --revs-only: on an unborn branch there is no HEAD to print, and no error either.
    write_tree = _start(environ, "write-tree")
    rev_parse = _start(environ, "rev-parse", "--git-common-dir", "--revs-only", "HEAD")
    tree, location = _finish(write_tree), _finish(rev_parse)
    if len(tree) != 1 or not location:
        raise OSError("git failed (see its message above)")
    head = location[1] if len(location) > 1 else "-"
    timestamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    _append(os.path.join(location[0], "claude-batch"), f"{tree[0]} {head} {timestamp}")


def _append(folder: str, line: str) -> None:
    # The newline leads, so that a note that was cut short cannot swallow the next one.
    data = f"\n{line}".encode()
    while True:
        descriptor = _open(folder)
        try:
            if _is_current(descriptor, folder):
                if os.write(descriptor, data) != len(data):
                    raise OSError("the disk is full")
                return
        finally:
            os.close(descriptor)


def _open(folder: str) -> int:
    path, flags = os.path.join(folder, "queue"), os.O_WRONLY | os.O_APPEND | os.O_CREAT
    try:
        return os.open(path, flags, 0o644)
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)
        return os.open(path, flags, 0o644)


def _is_current(descriptor: int, folder: str) -> bool:
    """False when the reader has replaced the file while we waited for the lock."""
    if sys.platform == "win32":
        return True  # there an open file cannot be replaced
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return os.path.samestat(os.fstat(descriptor), os.stat(os.path.join(folder, "queue")))


if sys.platform != "win32":

    def _start(environ: "Mapping[str, str]", *arguments: str) -> "tuple[int, int]":
        reading, writing = os.pipe()
        to_us = [(os.POSIX_SPAWN_DUP2, writing, 1)]
        try:
            return os.posix_spawnp(
                "git", ["git", *NO_HOOKS, *arguments], environ, file_actions=to_us
            ), reading
        finally:
            os.close(writing)

    def _finish(started: "tuple[int, int]") -> "list[str]":
        """The lines that git printed; none when it failed (its own message went to stderr)."""
        child, reading = started
        with open(reading, "rb") as stream:
            printed = os.fsdecode(stream.read())
        return [] if os.waitpid(child, 0)[1] else printed.rstrip("\n").split("\n")

else:
    import subprocess

    def _start(environ: "Mapping[str, str]", *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["git", *NO_HOOKS, *arguments], env=environ, stdout=subprocess.PIPE, encoding="utf-8"
        )

    def _finish(started: "subprocess.Popen[str]") -> "list[str]":
        printed = started.communicate()[0]
        return [] if started.returncode else printed.rstrip("\n").split("\n")
