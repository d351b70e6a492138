import json
from io import BytesIO

import pytest

from claude_batch.errors import BadUsage
from claude_batch.prompts.kinds import find_kind
from claude_batch.tasks.task import TaskFileOrigin
from claude_batch.tasks.task_file import MAX_CHARACTERS, parse_task_file

KINDS = (find_kind("review"), find_kind("security"))


def row(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def test_a_line_is_a_task() -> None:
    data = row(path="a.py", text="a = 1\nb = 2\n", kind="security", instruction="Mind b.")
    (task,) = parse_task_file(BytesIO(data), KINDS)
    assert (task.kind, task.path, task.origin) == ("security", "a.py", TaskFileOrigin("Mind b."))
    assert task.hunk.body == b" a = 1\n b = 2"


def test_only_text_is_required() -> None:
    (task,) = parse_task_file([row(text="prose")], KINDS)
    assert (task.kind, task.path, task.origin) == ("review", "task", TaskFileOrigin(""))


def test_blank_lines_and_carriage_returns_are_ignored() -> None:
    data = b"\r\n".join([row(text="a"), b"", b"  ", row(text="b"), b""])
    assert [task.hunk.body[:2] for task in parse_task_file(BytesIO(data), KINDS)] == [b" a", b" b"]


def test_the_id_covers_every_field() -> None:
    rows = [
        {"text": "a"},
        {"text": "b"},
        {"text": "a", "path": "b.py"},
        {"text": "a", "kind": "security"},
        {"text": "a", "instruction": "Why?"},
    ]
    data = b"\n".join(row(**fields) for fields in rows)
    assert len({task.id for task in parse_task_file(BytesIO(data), KINDS)}) == len(rows)
    assert [task.id for task in parse_task_file(BytesIO(data), KINDS)] == [
        task.id for task in parse_task_file(BytesIO(data), KINDS)
    ]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "there is no task in it"),
        (b"\n \n", "there is no task in it"),
        (b"{", "line 1 is not a task"),
        (b"[1]", "line 1 is not a task"),
        (row(text="a") + b"\n{}", "line 2 is not a task: text: Field required"),
        (row(text=""), "line 1 is not a task: text"),
        (row(text="a", path=""), "line 1 is not a task: path"),
        (row(text="a", colour="red"), "line 1 is not a task: colour"),
        (row(text="x" * (MAX_CHARACTERS + 1)), "line 1 is not a task: text"),
        (row(text="a", kind="nonsense"), "line 1 has the unknown kind 'nonsense'"),
        (b'{"text":"\\ud800"}', "line 1 is not a task"),
        (b'{"text":"\xff"}', "line 1 is not a task"),
    ],
)
def test_the_first_invalid_line_is_named(data: bytes, problem: str) -> None:
    with pytest.raises(BadUsage) as caught:
        parse_task_file(BytesIO(data), KINDS)
    assert caught.value.problem.startswith(problem)
    assert caught.value.remedy
