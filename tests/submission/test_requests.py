import json
import re

import pytest

from claude_batch.batches.batching import custom_id
from claude_batch.config.model import Config, PathRule
from claude_batch.diff.model import Hunk
from claude_batch.diff.parser import parse_hunks
from claude_batch.ledger.events import IntentId
from claude_batch.prompts.kinds import find_kind, load_template
from claude_batch.submission.requests import (
    CONTEXT_SHARE,
    REQUEST_BYTES,
    RequestTasks,
    build_request,
    group_tasks,
)
from claude_batch.tasks.task import DiffOrigin, Task, TaskId

REVIEW = find_kind("review")


def task(path: str, size: int, start: int = 1) -> Task:
    row = b"+" + b"x" * 99
    hunk = Hunk(start, start, b"\n".join([row] * (size // 100)))
    return Task(TaskId(f"{path}:{start}"), "review", path, hunk, DiffOrigin(path, "0", "1"))


def ids(packs: list[RequestTasks]) -> list[list[str]]:
    return [[str(one.id) for one in part.asked] for part in packs]


class TestPacking:
    def test_small_files_share_a_request(self) -> None:
        tasks = [task("a.py", 1000), task("a.py", 1000, 50), task("b.py", 1000)]
        assert ids(list(group_tasks(tasks, []))) == [["a.py:1", "a.py:50", "b.py:1"]]

    def test_a_file_is_kept_together(self) -> None:
        tasks = [task("a.py", 15_000), task("b.py", 15_000), task("b.py", 15_000, 500)]
        assert ids(list(group_tasks(tasks, []))) == [["a.py:1"], ["b.py:1", "b.py:500"]]

    def test_a_file_over_the_size_is_cut_between_its_tasks(self) -> None:
        tasks = [task("a.py", 15_000, start) for start in (1, 500, 1000)]
        assert ids(list(group_tasks(tasks, []))) == [["a.py:1", "a.py:500"], ["a.py:1000"]]

    def test_a_task_over_the_size_goes_alone(self) -> None:
        tasks = [task("a.py", 1000), task("b.py", REQUEST_BYTES * 2), task("c.py", 1000)]
        assert ids(list(group_tasks(tasks, []))) == [["a.py:1"], ["b.py:1"], ["c.py:1"]]

    def test_all_but_lonely_tasks_are_within_the_size(self) -> None:
        tasks = [task(f"{n}.py", 100 * (n * 37 % 150 + 1)) for n in range(60)]
        packs = list(group_tasks(tasks, []))
        assert [one for part in packs for one in part.asked] == tasks
        for part in packs:
            size = sum(len(one.hunk.body) for one in part.asked)
            assert size <= REQUEST_BYTES or len(part.asked) == 1

    def test_known_code_of_the_same_files_goes_along_within_its_share(self) -> None:
        known = [task("a.py", 3000, 100), task("a.py", 3000, 200), task("b.py", 100)]
        (part,) = group_tasks([task("a.py", 8000)], known)
        assert [one.id for one in part.context] == ["a.py:100"]
        size = sum(len(one.hunk.body) for one in part.context)
        assert size <= CONTEXT_SHARE * 8000

    def test_nothing_asked_is_no_request(self) -> None:
        assert list(group_tasks([], [task("a.py", 100)])) == []


(HUNK,) = parse_hunks(b"@@ -1,2 +1,2 @@\n a = 1\n-b = 2\n+b = 'zwei \xc3\xbc'\n")
ONE = RequestTasks(
    (Task(TaskId("t"), "review", "src/a.py", HUNK, DiffOrigin("src/a.py", "0", "1")),)
)


def test_the_params_in_full() -> None:
    """No sampling parameters, no tools: what newer models refuse is not in it."""
    config = Config(
        rules=(PathRule(path="*.py", instruction="No print."), PathRule(instruction="All."))
    )
    request = build_request(REVIEW, ONE, config, 5000, {})
    params = json.loads(request.body.read())
    shared, own = params["messages"][0].pop("content")
    assert shared == {
        "type": "text",
        "text": "Rule of this repository: No print.\nRule of this repository: All.\n",
    }
    assert re.sub(r"(?m)^(\d)[a-z]{3}", r"\1___", own["text"]).split("\n") == [
        '<file path="src/a.py">',
        "@@",
        "1___ a = 1",
        "2___-b = 2",
        "3___+b = 'zwei ü'",
        "</file>",
    ]
    assert params == {
        "model": "claude-sonnet-5-5",
        "max_tokens": 5000,
        "system": [
            {
                "type": "text",
                "text": "\nKind: review\n\n".join(
                    map(load_template, ("frame.1.md", "review.1.md"))
                ),
            }
        ],
        "messages": [{"role": "user"}],
        "output_config": {
            "format": {
                "type": "json_schema",
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["findings"],
                    "properties": {
                        "findings": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "additionalProperties": False,
                                "required": [
                                    "from",
                                    "to",
                                    "severity",
                                    "confidence",
                                    "category",
                                    "title",
                                    "body",
                                    "replacement",
                                ],
                                "properties": {
                                    "from": {"type": "string"},
                                    "to": {"type": "string"},
                                    "severity": {
                                        "type": "string",
                                        "enum": ["critical", "high", "medium", "low"],
                                    },
                                    "confidence": {
                                        "type": "string",
                                        "enum": ["high", "medium", "low"],
                                    },
                                    "category": {
                                        "type": "string",
                                        "enum": [
                                            "bug",
                                            "security",
                                            "performance",
                                            "concurrency",
                                            "errors",
                                            "api",
                                            "tests",
                                            "docs",
                                            "refactor",
                                            "other",
                                        ],
                                    },
                                    "title": {"type": "string"},
                                    "body": {"type": "string"},
                                    "replacement": {"type": ["string", "null"]},
                                },
                            },
                        }
                    },
                },
            },
            "effort": "medium",
        },
    }


def test_the_same_input_is_the_same_bytes() -> None:
    one, other = (build_request(REVIEW, ONE, Config(), 5000, {}) for _ in range(2))
    assert one.body == other.body
    assert build_request(REVIEW, ONE, Config(), 5001, {}).body.sha != one.body.sha


def test_an_effort_that_is_off_is_not_sent() -> None:
    params = json.loads(build_request(REVIEW, ONE, Config(effort=None), 5000, {}).body.read())
    assert params["output_config"].keys() == {"format"}


@pytest.mark.parametrize(
    ("pattern", "applies"),
    [("*.py", True), ("src/", True), ("/src/*.py", True), ("docs/", False), ("*.js", False)],
)
def test_a_rule_is_for_the_files_that_it_names(pattern: str, applies: bool) -> None:
    config = Config(rules=(PathRule(path=pattern, instruction="Mind this."),))
    assert (b"Mind this." in build_request(REVIEW, ONE, config, 5000, {}).body.read()) is applies


def test_what_the_ledger_keeps_of_a_task_holds_no_code() -> None:
    (kept,) = build_request(REVIEW, ONE, Config(), 5000, {}).tasks
    assert (kept.id, kept.path, kept.signs, len(kept.hashes)) == ("t", "src/a.py", " -+", 24)
    assert "zwei" not in repr(kept)


def test_a_custom_id_fits_the_api() -> None:
    made = custom_id(IntentId("0123456789abcdef"), 99_999, "f" * 64)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", made)
