"""The sample repository of the demo: a small shop, and a branch with defects to be found."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from claude_batch.errors import BadUsage
from claude_batch.git.process import Git

AUTHOR = "Sample Author <author@example.com>"
FIRST_COMMIT_AT = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)
TIME_BETWEEN_COMMITS = timedelta(hours=7)
BRANCH_POINT = 5  # commits on main; the later ones are on feature
TITLE = "Coupons, delivery rates and a warning when stock runs low"
CRLF = frozenset({"shop/export.py"})  # the sample holds one file with these line ends


@dataclass(frozen=True, slots=True)
class SampleCommit:
    """`folder` holds the files that the commit adds or changes, under `sample_shop`."""

    folder: str
    message: str
    deleted: tuple[str, ...] = ()


COMMITS = (
    SampleCommit("1-basket", "Start with a basket"),
    SampleCommit("2-price-lists", "Read price lists"),
    SampleCommit("3-orders", "Place orders and hand them to the bookkeeper"),
    SampleCommit("4-web-page", "Show the basket in a page"),
    SampleCommit("5-stock", "Count the stock"),
    SampleCommit("6-coupons", "Take a coupon off the total"),
    SampleCommit("7-delivery", "Price delivery by zone, and let the price list calculate"),
    SampleCommit(
        "8-basket-page", "Show the coupon in the basket", ("web/format.js", "web/popup.js")
    ),
    SampleCommit("9-low-stock", "Say when stock runs low"),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """Branches `base` and `head` of a repository with a work tree; `head` is checked out."""

    path: Path
    base: str
    head: str
    title: str


def make_sample(path: Path, environ: Mapping[str, str]) -> Sample:
    """Create the sample repository. Raises BadUsage if `path` is in use, CannotRead if git fails.

    Author and dates are fixed, so the commits have the same ids everywhere.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise BadUsage(f"{path} is not empty", "name a folder that does not exist yet")
    path.mkdir(parents=True, exist_ok=True)
    git = Git(environ, path, is_git_dir=False, config=(("core.autocrlf", "false"),))
    git.run("init", "--quiet", "--template=", "--object-format=sha1", "--initial-branch=main")
    # Unlike `git commit`, fast-import runs no hook or filter of the user and signs nothing.
    git.run("fast-import", "--quiet", stdin=b"".join(_fast_import_stream()))
    git.run("checkout", "--quiet", "feature")
    return Sample(path, "main", "feature", TITLE)


def _fast_import_stream() -> Iterator[bytes]:
    shop = resources.files("claude_batch").joinpath("sandbox", "demo", "sample_shop")
    for index, commit in enumerate(COMMITS):
        if index == BRANCH_POINT:
            yield b"reset refs/heads/feature\nfrom refs/heads/main\n\n"
        branch = "main" if index < BRANCH_POINT else "feature"
        stamp = f"{int((FIRST_COMMIT_AT + index * TIME_BETWEEN_COMMITS).timestamp())} +0000"
        yield f"commit refs/heads/{branch}\n".encode()
        yield f"author {AUTHOR} {stamp}\ncommitter {AUTHOR} {stamp}\n".encode()
        yield _data(commit.message.encode())
        for name in commit.deleted:
            yield f"D {name}\n".encode()
        for name, file in _files(shop / commit.folder):
            content = file.read_bytes()
            if name in CRLF:
                content = content.replace(b"\n", b"\r\n")
            yield f"M 100644 inline {name}\n".encode() + _data(content)


def _files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            # An installer may have compiled the sample's Python files.
            if entry.name != "__pycache__":
                yield from _files(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry


def _data(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)
