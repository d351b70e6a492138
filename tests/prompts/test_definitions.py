"""The digest of the definitions around a task."""

from claude_batch.diff.model import Hunk
from claude_batch.prompts.definitions import DIGEST_LENGTH, digest_definitions
from claude_batch.prompts.reviewed_files import ReviewedFiles
from claude_batch.tasks.task import DiffOrigin, Task, TaskId

TILL = """\
import os


class Till:
    size = 3

    def open(self):
        self.count = 1
        self.log("open")
        return os.name

    def close(self):
        pass
"""
LINE = "        self.count = 1"


def digest(text: str, *, path: str = "till.py", line: str = LINE, is_read: bool = True) -> str:
    """Of a change of this line; empty if there is none."""
    number = text.split("\n").index(line) + 1
    hunk = Hunk(number, number, b"+" + line.encode())
    task = Task(TaskId("t1"), "review", path, hunk, DiffOrigin(path, "old", "new"))
    blobs = {"new": text.encode()} if is_read else {}
    files = ReviewedFiles([task], lambda ids: {name: blobs[name] for name in ids if name in blobs})
    return digest_definitions([task], files).get(task.id, "")


def test_equal_definitions_have_equal_digests_wherever_they_stand() -> None:
    assert len(digest(TILL)) == DIGEST_LENGTH
    assert digest("import json\n" * 40 + TILL) == digest(TILL)
    assert digest(TILL.replace('self.log("open")', 'self.log(  "open")')) != digest(TILL)
    spaced = TILL.replace('self.log("open")', 'self.log("open")  \n')
    assert digest(spaced) == digest(TILL)


def test_a_change_within_the_definition_is_another_digest() -> None:
    assert digest(TILL.replace("return os.name", "return 1")) != digest(TILL)


def test_a_change_elsewhere_is_the_same_digest() -> None:
    assert digest(TILL.replace("        pass", "        return 9")) == digest(TILL)


def test_the_path_counts() -> None:
    assert digest(TILL, path="other.py") != digest(TILL)


def test_there_is_none_without_a_grammar_or_a_definition() -> None:
    assert digest(TILL, path="notes.txt") == ""
    assert digest(TILL, line="import os") == ""


def test_there_is_none_for_a_file_that_cannot_be_read() -> None:
    assert digest(TILL, is_read=False) == ""
