"""Run `git diff-tree` independently of the user's configuration, index and work tree."""

import os
from collections.abc import Generator

from claude_batch.diff.parser import MAX_FILE_BYTES
from claude_batch.git.process import Git

DIFF = (
    "-c",
    f"core.bigFileThreshold={MAX_FILE_BYTES}",
    "-c",
    "diff.suppressBlankEmpty=false",
    # Attributes decide what is binary: none may come from the head that is under review.
    "-c",
    f"core.attributesFile={os.devnull}",
    "diff-tree",
    "-r",
    "-z",
    "-M",
    "-l1000",
    "-U3",
    "--patch-with-raw",
    "--no-abbrev",
    "--full-index",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-relative",
    "--ignore-submodules=none",
    "--submodule=short",
    "--indent-heuristic",
    "--diff-algorithm=myers",
    "--inter-hunk-context=0",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)


def stream_diff(
    git: Git, base_tree: str, head_tree: str, empty_tree: str
) -> Generator[bytes, None, None]:
    """Stream the diff of two trees for `diff.parser.parse_diff`. Raises CannotRead."""
    git_dir = str(git.directory)
    return git.stream(
        *("-C", git_dir, "-c", f"attr.tree={empty_tree}", *DIFF),
        *(base_tree, head_tree, "--"),
        # No index and no work tree but the git directory: attributes would come from them.
        extra_environ={
            "GIT_WORK_TREE": git_dir,
            "GIT_INDEX_FILE": str(git.directory / "claude-batch-no-index"),
            "GIT_ATTR_NOSYSTEM": "1",
        },
    )
