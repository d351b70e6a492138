"""The repository that the demo reviews: a small shop with a branch that wants to be merged."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from claude_batch.errors import BadUsage
from claude_batch.git.process import Git
from claude_batch.sandbox.demo.sample_shop import BODY, BRANCH, CRLF, MAIN, TITLE, Commit, Edit

AUTHOR = "Sample Author <author@example.com>"
FIRST = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)
STEP = timedelta(hours=7)  # between two commits


@dataclass(frozen=True, slots=True)
class Sample:
    """Branches `base` and `head` of a repository with a work tree; `head` is checked out."""

    path: Path
    base: str
    head: str
    title: str
    body: str


def make_sample(path: Path, environ: Mapping[str, str]) -> Sample:
    """Author and dates are fixed, so the commits have the same ids everywhere.

    Raises BadUsage if there is anything at `path`, CannotRead if git fails.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise BadUsage(f"{path} is not empty", "name a folder that does not exist yet")
    path.mkdir(parents=True, exist_ok=True)
    git = Git(environ, path, is_git_dir=False, config=(("core.autocrlf", "false"),))
    git.run("init", "--quiet", "--template=", "--object-format=sha1", "--initial-branch=main")
    git.run("fast-import", "--quiet", stdin=b"".join(_stream()))
    git.run("checkout", "--quiet", "feature")
    return Sample(path, "main", "feature", TITLE, BODY)


def _stream() -> Iterator[bytes]:
    """Both branches for `git fast-import`: no hook, no filter and no signature comes in."""
    files: dict[str, str | bytes] = {}
    commits = [("main", each) for each in MAIN] + [("feature", each) for each in BRANCH]
    for number, (branch, commit) in enumerate(commits):
        if number == len(MAIN):
            yield b"reset refs/heads/feature\nfrom refs/heads/main\n\n"
        stamp = f"{int((FIRST + number * STEP).timestamp())} +0000"
        yield f"commit refs/heads/{branch}\n".encode()
        yield f"author {AUTHOR} {stamp}\ncommitter {AUTHOR} {stamp}\n".encode()
        yield _data(commit.message.encode())
        yield from _changes(commit, files)


def _changes(commit: Commit, files: dict[str, str | bytes]) -> Iterator[bytes]:
    for name, change in commit.files.items():
        if change is None:
            del files[name]
            yield f"D {name}\n".encode()
            continue
        files[name] = _edited(name, change, files) if isinstance(change, Edit) else change
        yield f"M 100644 inline {name}\n".encode() + _data(_bytes(name, files[name]))


def _edited(name: str, edit: Edit, files: Mapping[str, str | bytes]) -> str:
    text = files[edit.of or name]
    for old, new in edit.changes:
        if not isinstance(text, str) or text.count(old) != 1:
            raise ValueError(f"{name} does not have exactly once: {old!r}")
        text = text.replace(old, new)
    return str(text)


def _bytes(name: str, content: str | bytes) -> bytes:
    if isinstance(content, bytes):
        return content
    return content.replace("\n", "\r\n" if name in CRLF else "\n").encode()


def _data(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)
