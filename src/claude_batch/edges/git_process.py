"""The git command line: all transport, and the reading that libgit2 cannot do.

Never prompts, never runs the user's hooks, and never inherits the variables by which a hook's
git points at its own index: they have wrecked other people's indexes.
https://github.com/j178/prek/issues/1815
"""

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from claude_batch.errors import CannotRead

SCRUBBED = (
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_WORK_TREE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_QUARANTINE_PATH",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_CEILING_DIRECTORIES",
)
FIXED = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


@dataclass(frozen=True, slots=True)
class Completed:
    code: int
    out: bytes
    err: str

    @property
    def complaint(self) -> str:
        """The line that says what went wrong; the lines around it are advice."""
        rows = [row for row in self.err.splitlines() if row.strip()]
        grave = [row for row in rows if row.startswith(("fatal: ", "error: ", "remote: error"))]
        text = (grave or rows[-1:] or ["no message"])[0]
        return without_credentials(text.removeprefix("fatal: ").removeprefix("error: "))


class GitFailed(CannotRead):
    """git ended with another code than 0. `completed` has what it said."""

    def __init__(self, args: Sequence[str], completed: Completed) -> None:
        # Options of git itself stand before it: `-c key=value`, `-C /folder`.
        verb = next((arg for arg in args if re.fullmatch("[a-z][a-z-]*", arg)), "")
        super().__init__(
            f"`git {verb}` failed: {completed.complaint}",
            "check the repository with `git status` and `git fsck`, then run the command again",
        )
        self.completed = completed


@dataclass(frozen=True)
class Git:
    """git with one repository: `where` is its git directory, or a folder in it to find that."""

    environ: Mapping[str, str] = field(repr=False)  # may hold tokens
    where: Path
    is_git_dir: bool = True
    config: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # may hold a token

    def run(
        self,
        *args: str,
        stdin: bytes = b"",
        extra: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> Completed:
        """Raises GitFailed on another code than 0 if `check`; CannotRead where there is no git."""
        try:
            done = subprocess.run(
                [*self.command(), *args],
                input=stdin,
                capture_output=True,
                env=self.environment() | dict(extra or {}),
                check=False,
            )
        except FileNotFoundError as error:
            raise CannotRead("git was not found", "install git 2.31 or newer") from error
        completed = Completed(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))
        if check and done.returncode:
            raise GitFailed(args, completed)
        return completed

    def command(self) -> list[str]:
        place = [f"--git-dir={self.where}"] if self.is_git_dir else ["-C", str(self.where)]
        return ["git", *place]

    def environment(self) -> dict[str, str]:
        """Config goes by environment, so that no token is ever an argument."""
        kept = {key: value for key, value in self.environ.items() if key not in SCRUBBED}
        start = int(kept.get("GIT_CONFIG_COUNT", "0") or 0)
        for index, (key, value) in enumerate(self.config, start):
            kept[f"GIT_CONFIG_KEY_{index}"] = key
            kept[f"GIT_CONFIG_VALUE_{index}"] = value
        if self.config:
            kept["GIT_CONFIG_COUNT"] = str(start + len(self.config))
        return kept | FIXED


def without_credentials(text: str) -> str:
    """A URL, or a message with one, without `user:password@`. Where ssh needs it, `git@` stays."""
    return re.sub(r"(?<=https://)[^/@\s]*@|(?<=http://)[^/@\s]*@", "", text)
