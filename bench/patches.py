"""What git itself says has changed: no code that makes tasks of a diff has a part in it."""

from collections.abc import Iterator

from claude_batch.git.repository import Repository
from claude_batch.tasks.discovery import DiscoveredChanges


def patch_of(repository: Repository, look: DiscoveredChanges) -> bytes:
    """What `git diff` prints for the files that are asked about."""
    paths = {path for change in look.files for path in (change.old_path, change.path)}
    if not paths:
        return b""
    trees = look.comparison.base_tree, look.comparison.head_tree
    args = ("diff", "-M", "-U3", "--no-color", "--no-ext-diff", *trees, "--")
    return repository.git.run("--literal-pathspecs", *args, *sorted(paths)).out


def hunks_of(patch: bytes) -> Iterator[tuple[bytes, bytes]]:
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
