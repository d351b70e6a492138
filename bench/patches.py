"""Changes as git prints them, without the code that makes tasks of a diff."""

from collections.abc import Iterator

from claude_batch.git.repository import Repository
from claude_batch.tasks.discovery import DiscoveredChanges


def git_patch(repository: Repository, changes: DiscoveredChanges) -> bytes:
    """Return the output of `git diff` for the reviewed files."""
    paths = {path for change in changes.files for path in (change.old_path, change.path)}
    if not paths:
        return b""
    trees = changes.comparison.base_tree, changes.comparison.head_tree
    args = ("diff", "-M", "-U3", "--no-color", "--no-ext-diff", *trees, "--")
    return repository.git.run("--literal-pathspecs", *args, *sorted(paths)).out


def parse_hunks(patch: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each hunk: the path as git wrote it, and the rows below its header."""
    for file in (b"\n" + patch).split(b"\ndiff --git ")[1:]:
        header, *hunks = file.split(b"\n@@ ")
        names = [row[4:] for row in header.split(b"\n") if row.startswith((b"--- ", b"+++ "))]
        path = next((name for name in reversed(names) if name != b"/dev/null"), b"")
        for hunk in hunks:
            yield (
                path.removeprefix(b"a/").removeprefix(b"b/"),
                hunk.partition(b"\n")[2].rstrip(b"\n"),
            )
