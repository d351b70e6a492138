"""The git command line: all transport, and the reading that libgit2 cannot do.

Never prompts, never runs the user's hooks, and never inherits the variables by which a hook's
git points at its own index: they have wrecked other people's indexes.
https://github.com/j178/prek/issues/1815
"""

import os
import re
import tempfile
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired
from typing import IO

from claude_batch.errors import BadEnvironment, CannotRead

SCRUBBED = (
    *("GIT_DIR", "GIT_COMMON_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH"),
    *("GIT_NAMESPACE", "GIT_CEILING_DIRECTORIES", "GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS"),
    *("GIT_LITERAL_PATHSPECS", "GIT_ICASE_PATHSPECS"),
    *("GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS"),
)

CHUNK = 1 << 18
POLL_SECONDS = 0.02  # seconds, for git to print more
FIXED = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}

SETTINGS = {
    # The user's hooks never run, and `reference-transaction` would run at each write of a ref.
    "core.hooksPath": os.devnull,
    # A transfer of fewer bytes a second than this limit ends after so many seconds. Git's default
    # is to wait for a stalled server without end.
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
}

# cat-file prints the second one for a large object when the disk that it writes to is full.
FULL = re.compile(r"No space left|unable to stream \S+ to stdout")
NO_ROOM = "free some disk space, also where TMPDIR is, then run the command again"
CHECK = "check the repository with `git status` and `git fsck`, then run the command again"


@dataclass(frozen=True, slots=True)
class Completed:
    code: int
    out: bytes
    err: str

    @property
    def error_line(self) -> str:
        """The line with the error; the lines around it are advice."""
        lines = [line for line in self.err.splitlines() if line.strip()]
        error_lines = [
            line for line in lines if line.startswith(("fatal: ", "error: ", "remote: error"))
        ]
        text = (error_lines or lines[-1:] or ["no message"])[0]
        return without_credentials(text.removeprefix("fatal: ").removeprefix("error: "))


class GitFailed(CannotRead):
    """git ended with another code than 0. `completed` has its output."""

    def __init__(self, args: Sequence[str], completed: Completed) -> None:
        # Options of git itself stand before it: `-c key=value`, `-C /folder`.
        verb = next((arg for arg in args if re.fullmatch("[a-z][a-z-]*", arg)), "")
        super().__init__(
            f"`git {verb}` failed: {completed.error_line}",
            NO_ROOM if FULL.search(completed.err) else CHECK,
        )
        self.completed = completed


@dataclass(frozen=True)
class Git:
    """git with one repository: `directory` is its git directory, or a folder in it."""

    environ: Mapping[str, str] = field(repr=False)  # may hold tokens
    directory: Path
    is_git_dir: bool = True
    config: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # may hold a token

    def run(
        self,
        *args: str,
        stdin: bytes | Iterable[bytes] = b"",
        extra_environ: Mapping[str, str] | None = None,
        check: bool = True,
        out: IO[bytes] | None = None,
    ) -> Completed:
        """Raises GitFailed on another code than 0 if `check`; CannotRead where there is no git.

        Output goes to the file `out` if one is given. A command that gets its input in
        pieces must read all of it before it prints much.
        """
        environ = self.environment() | dict(extra_environ or {})
        completed = _run_to_end([*self.command(), *args], stdin, environ, out)
        if check and completed.code:
            raise GitFailed(args, completed)
        return completed

    def text(self, *args: str, extra_environ: Mapping[str, str] | None = None) -> str:
        """The output without white space at its ends. Raises as `run` does."""
        return self.run(*args, extra_environ=extra_environ).out.decode().strip()

    def resolve(self, name: str) -> str | None:
        """The id of the object that a name stands for; None if there is none."""
        args = ("rev-parse", "--verify", "--quiet", "--end-of-options", name)
        result = self.run(*args, check=False)
        return None if result.code else result.out.decode().strip()

    def is_shallow(self) -> bool:
        return self.text("rev-parse", "--is-shallow-repository") == "true"

    def stream(
        self, *args: str, extra_environ: Mapping[str, str] | None = None
    ) -> Generator[bytes, None, None]:
        """Yield git's output while it runs. Raises as `run` does, after the last piece.

        Closing the generator terminates git. Output goes through a temporary file: reading a
        pipe in 4 KB steps was measurably slower.
        """
        environ = self.environment() | dict(extra_environ or {})
        with (
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as stderr,
            _start([*self.command(), *args], environ, DEVNULL, out, stderr) as process,
        ):
            try:
                yield from _read_while_running(out, process)
            finally:
                process.terminate()
                process.wait()
            stderr.seek(0)
            completed = Completed(process.returncode, b"", stderr.read().decode("utf-8", "replace"))
        if completed.code:
            raise GitFailed(args, completed)

    def command(self) -> list[str]:
        location = (
            [f"--git-dir={self.directory}"] if self.is_git_dir else ["-C", str(self.directory)]
        )
        settings = (("-c", f"{key}={value}") for key, value in SETTINGS.items())
        return ["git", *location, *chain.from_iterable(settings)]

    def environment(self) -> dict[str, str]:
        """The environment of git. Config goes there, so that no token is ever an argument.

        Raises BadEnvironment if the config that is there already cannot be read.
        """
        environ = {key: value for key, value in self.environ.items() if key not in SCRUBBED}
        start = _config_count(environ)
        for index, (key, value) in enumerate(self.config, start):
            environ[f"GIT_CONFIG_KEY_{index}"] = key
            environ[f"GIT_CONFIG_VALUE_{index}"] = value
        if self.config:
            environ["GIT_CONFIG_COUNT"] = str(start + len(self.config))
        return environ | FIXED


def _config_count(environ: Mapping[str, str]) -> int:
    count = environ.get("GIT_CONFIG_COUNT", "").strip() or "0"
    remedy = "unset it, or set it to the number of GIT_CONFIG_KEY_<n> variables"
    if not count.isdecimal():
        raise BadEnvironment(f"GIT_CONFIG_COUNT is not a number: {count!r}", remedy)
    needed = (f"GIT_CONFIG_{part}_{n}" for n in range(int(count)) for part in ("KEY", "VALUE"))
    missing = next((name for name in needed if name not in environ), None)
    if missing:
        raise BadEnvironment(f"GIT_CONFIG_COUNT is {count}, but there is no {missing}", remedy)
    return int(count)


def _run_to_end(
    command: Sequence[str],
    stdin: bytes | Iterable[bytes],
    environ: Mapping[str, str],
    out: IO[bytes] | None,
) -> Completed:
    # Not `subprocess.run`: interrupted, it would kill git, and git's lock files would stay.
    with _start(command, environ, PIPE, out or PIPE, PIPE) as process:
        try:
            if not isinstance(stdin, bytes):
                _feed(process.stdin, stdin)
            stdout, stderr = process.communicate(stdin if isinstance(stdin, bytes) else None)
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
    return Completed(process.returncode, stdout or b"", stderr.decode("utf-8", "replace"))


def _start(
    command: Sequence[str],
    environ: Mapping[str, str],
    stdin: int,
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
) -> Popen[bytes]:
    try:
        return Popen(command, stdin=stdin, stdout=stdout, stderr=stderr, env=environ)
    except FileNotFoundError as error:
        raise CannotRead("git was not found", "install git 2.31 or newer") from error


def _read_while_running(out: IO[bytes], process: Popen[bytes]) -> Iterator[bytes]:
    """Yield the bytes that a process appends to a file, until it ends."""
    if not hasattr(os, "pread"):  # Windows: there all of it is read when it has ended
        process.wait()
        out.seek(0)
        yield out.read()
        return
    offset = 0
    while True:
        ended = process.poll() is not None  # asked before reading, so that nothing is missed
        chunk = os.pread(out.fileno(), CHUNK, offset)
        offset += len(chunk)
        if chunk:
            yield chunk
        elif ended:
            return
        if len(chunk) < CHUNK:
            with suppress(TimeoutExpired):
                process.wait(POLL_SECONDS)


def _feed(pipe: IO[bytes] | None, pieces: Iterable[bytes]) -> None:
    """Write all pieces. A broken pipe is ignored: the exit status tells the reason."""
    if pipe:
        with suppress(BrokenPipeError):
            pipe.writelines(pieces)


def without_credentials(text: str) -> str:
    """Remove `user:password@` from the URLs of a text; `git@`, which ssh needs, stays."""
    return re.sub(r"(?<=https://)[^/@\s]*@|(?<=http://)[^/@\s]*@", "", text)
