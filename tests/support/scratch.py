"""A real repository for a test, and the git configuration that all tests run under."""

import subprocess
from pathlib import Path

GIT_CONFIG = """\
[user]
    name = Test
    email = test@example.com
[init]
    defaultBranch = main
[protocol "file"]
    allow = always
[gc]
    auto = 0
[maintenance]
    auto = false
"""


class Work:
    """A real repository with a work tree, drawn by small verbs."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def git(self, *args: str, stdin: bytes = b"") -> bytes:
        done = subprocess.run(["git", *args], cwd=self.path, input=stdin, capture_output=True)
        assert done.returncode == 0, f"git {args}: {done.stderr.decode()}"
        return done.stdout

    def write(self, files: dict[str, str | bytes]) -> None:
        for name, text in files.items():
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode() if isinstance(text, str) else text)

    def commit(self, files: dict[str, str | bytes] | None = None, message: str = "change") -> str:
        """Write, add everything, commit; the commit's id."""
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").decode().strip()
