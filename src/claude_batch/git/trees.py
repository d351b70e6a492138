"""Trees: that of an index, the empty one, and the diff of two.

None of it depends on the user's configuration, and the user's index and work tree are not touched.
"""

import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

from claude_batch.diff.parser import MAX_FILE_BYTES
from claude_batch.git.errors import cannot_read_index
from claude_batch.git.process import Git

DIFF = (
    *("-c", f"core.bigFileThreshold={MAX_FILE_BYTES}", "-c", "diff.suppressBlankEmpty=false"),
    # Attributes decide which files are binary: none may come from the head under review.
    *("-c", f"core.attributesFile={os.devnull}"),
    *("diff-tree", "-r", "-z", "-M", "-l1000", "-U3"),
    *("--patch-with-raw", "--no-abbrev", "--full-index", "--no-color"),
    *("--no-ext-diff", "--no-textconv", "--no-relative"),
    *("--ignore-submodules=none", "--submodule=short"),
    *("--indent-heuristic", "--diff-algorithm=myers", "--inter-hunk-context=0"),
    *("--src-prefix=a/", "--dst-prefix=b/"),
)


def empty_tree(git: Git) -> str:
    """Its id depends on the repository's hash function."""
    return git.text("hash-object", "-t", "tree", "--stdin")


def write_index_tree(git: Git, index: Path) -> str:
    """Write the tree of an index and return its id. Raises CannotRead."""
    with tempfile.TemporaryDirectory(prefix="claude-batch-") as folder:
        # A copy, because `git write-tree` writes to the index that it reads.
        copy = Path(folder) / "index"
        if index.exists():
            shutil.copyfile(index, copy)
        result = git.run(
            *("-c", "core.splitIndex=false", "-c", "core.fsmonitor=false", "write-tree"),
            extra_environ={"GIT_INDEX_FILE": str(copy)},
            check=False,
        )
    if result.code:
        raise cannot_read_index(result.err, result.error_line)
    return result.out.decode().strip()


def stream_diff(git: Git, base_tree: str, head_tree: str) -> Generator[bytes, None, None]:
    """Stream the diff of two trees for `diff.parser.parse_diff`. Raises CannotRead."""
    git_dir = str(git.directory)
    return git.stream(
        *("-C", git_dir, "-c", f"attr.tree={empty_tree(git)}", *DIFF),
        *(base_tree, head_tree, "--"),
        # No index and no work tree but the git directory: attributes would come from them.
        extra_environ={
            "GIT_WORK_TREE": git_dir,
            "GIT_INDEX_FILE": str(git.directory / "claude-batch-no-index"),
            "GIT_ATTR_NOSYSTEM": "1",
        },
    )
