"""Digests of the definitions around tasks: if one changes, an answer may not be valid any more."""

import hashlib
from collections.abc import Iterable

from claude_batch.prompts.reviewed_files import ReviewedFiles, changed_lines, innermost_blocks
from claude_batch.tasks.task import Task, TaskId

DIGEST_LENGTH = 16  # hex digits


def digest_definitions(tasks: Iterable[Task], files: ReviewedFiles) -> dict[TaskId, str]:
    """By task, the digest of the innermost definitions around its changed lines at the head.

    White space does not count. Tasks that no definition surrounds, or whose file no grammar reads,
    are left out.
    """
    digests: dict[TaskId, str] = {}
    for task in tasks:
        outline = files.outline(task.path) if files.contains(task) else None
        blocks = innermost_blocks(outline, changed_lines(task))
        if blocks:
            lines = files.lines(task.path)
            text = [b" ".join(b"\n".join(lines[b.first - 1 : b.last]).split()) for b in blocks]
            content = b"\0".join((task.path.encode("utf-8", "surrogateescape"), *text))
            digests[task.id] = hashlib.sha256(content).hexdigest()[:DIGEST_LENGTH]
    return digests
