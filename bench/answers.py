"""Answers about a real diff: true anchors, copied from the request as a model would, and damaged.

What an anchor means is known from the diff, not from the code that reads anchors.
"""

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from claude_batch.batches.batching import PreparedRequest, custom_id
from claude_batch.diff.model import Line, Side
from claude_batch.findings.finding import Finding
from claude_batch.findings.parsing import parse_review
from claude_batch.prompts.rendering import decode_line
from claude_batch.tasks.task import Task

ROW = re.compile(r"([0-9]+)([a-z]{3})([ +-])(.*)")
DAMAGES = ("ordinal", "letters", "swapped", "foreign", "two sides", "two hunks")


@dataclass(frozen=True)
class IntendedPlace:
    """The lines that a finding is about. `damage`: the reason why its anchors must be rejected."""

    path: str
    old_path: str
    side: Side
    lines: tuple[Line, ...]
    damage: str | None = None

    @property
    def numbers(self) -> list[int]:
        found = [line.new if self.side is Side.RIGHT else line.old for line in self.lines]
        return [number for number in found if number is not None]

    @property
    def texts(self) -> list[bytes]:
        return [line.text for line in self.lines]


@dataclass(frozen=True)
class RenderedRequest:
    """One request as the model reads it: its anchors, and which line of which task each names."""

    draft: PreparedRequest
    anchors: tuple[str, ...]
    rows: tuple[tuple[Task, int], ...]  # a task and a position in its hunk


def read_request(draft: PreparedRequest, tasks: Sequence[Task]) -> RenderedRequest:
    content = json.loads(draft.body.read())["messages"][0]["content"]
    text = "".join(part["text"] for part in content)
    found = {int(m[1]): (m[0], m[3] + m[4]) for m in map(ROW.fullmatch, text.split("\n")) if m}
    first = {task.id: task for task in reversed(tasks)}
    rows = [
        (first[asked.id], at)
        for asked in draft.event.tasks
        for at in range(len(first[asked.id].hunk.lines))
    ]
    anchors = []
    for ordinal, (task, at) in enumerate(rows, 1):
        whole, row = found[ordinal]
        line = task.hunk.lines[at]
        if row != line.sign + decode_line(line.text):
            raise AssertionError(f"row {ordinal} of the request is not its line: {row!r}")
        anchors.append(whole[: len(whole) - len(row)])
    return RenderedRequest(draft, tuple(anchors), tuple(rows))


def answer(
    page: RenderedRequest,
    others: Sequence[RenderedRequest],
    true: int,
    damaged: int,
    dice: random.Random,
) -> Iterator[tuple[Finding, IntendedPlace]]:
    """Findings as they come out of the real reader, each with what it is about."""
    pairs = [*_true(page, true, dice), *_damaged(page, others, damaged, dice)]
    said = [_said(start, end, at) for at, (start, end, _) in enumerate(pairs)]
    asked = page.draft.event
    name = custom_id(asked.intent, asked.n, asked.sha)
    findings = parse_review(json.dumps({"findings": said}), name, asked.tasks, asked.kind)
    yield from zip(findings, [meant for _, _, meant in pairs], strict=True)


def _said(start: str, end: str, at: int) -> dict[str, str | None]:
    return {
        "from": start,
        "to": end,
        "severity": "medium",
        "confidence": "high",
        "category": "bug",
        "title": f"Finding {at}",
        "body": "What is wrong here.",
        "replacement": None,
    }


Pair = tuple[str, str, IntendedPlace]


def _true(page: RenderedRequest, count: int, dice: random.Random) -> Iterator[Pair]:
    changed = [at for at, row in enumerate(page.rows) if _sign(row) != " "]
    for number in range(count):
        # Context is commented on too, but mostly what changed.
        start = dice.choice(changed) if number % 4 else dice.randrange(len(page.rows))
        end = _end(page, start, dice) if number % 2 else start
        yield page.anchors[start], page.anchors[end], _meant(page, start, end)


def _end(page: RenderedRequest, start: int, dice: random.Random) -> int:
    """Another line of the same hunk below, of the same side."""
    task, _ = page.rows[start]
    signs = {_sign(page.rows[start]), " "}
    below = [
        at
        for at in range(start, min(start + 9, len(page.rows)))
        if page.rows[at][0] is task and _sign(page.rows[at]) in signs
    ]
    return dice.choice(below)


def _damaged(
    page: RenderedRequest, others: Sequence[RenderedRequest], count: int, dice: random.Random
) -> Iterator[Pair]:
    made = 0
    for number in range(count * 5):
        damage = DAMAGES[number % len(DAMAGES)]
        start = dice.randrange(len(page.rows))
        pair = _hurt(page, others, damage, start, dice)
        if pair:
            made += 1
            yield *pair, _meant(page, start, start, damage)
        if made == count:
            return


def _hurt(
    page: RenderedRequest,
    others: Sequence[RenderedRequest],
    damage: str,
    start: int,
    dice: random.Random,
) -> tuple[str, str] | None:
    """Return None if this line cannot be damaged in this way."""
    true = page.anchors[start]
    ordinal, letters = int(true[:-3]), true[-3:]
    after = list(range(start + 1, len(page.rows)))
    match damage:
        case "ordinal":
            wrong = f"{ordinal + dice.choice([-1, 1])}{letters}"
            return wrong, wrong
        case "letters":
            wrong = f"{ordinal}{letters[1:]}{chr((ord(letters[0]) - 96) % 26 + 97)}"
            return (wrong, wrong) if wrong != true else None
        case "swapped":
            end = _end(page, start, dice)
            return (page.anchors[end], true) if end > start else None
        case "foreign":
            other = dice.choice(others) if others else page
            wrong = dice.choice(other.anchors)
            # The same text at the same ordinal is the same anchor: nothing is damaged.
            return (wrong, wrong) if wrong not in page.anchors else None
        case "two sides":
            sign = _sign(page.rows[start])
            mixed = [at for at in after if {sign, _sign(page.rows[at])} == {"+", "-"}]
            return (true, page.anchors[mixed[0]]) if mixed else None
        case _:
            apart = [at for at in after if page.rows[at][0] is not page.rows[start][0]]
            return (true, page.anchors[apart[0]]) if apart else None


def _meant(page: RenderedRequest, start: int, end: int, damage: str | None = None) -> IntendedPlace:
    task = page.rows[start][0]
    side = Side.LEFT if "-" in (_sign(page.rows[start]), _sign(page.rows[end])) else Side.RIGHT
    other = "-" if side is Side.RIGHT else "+"
    lines = [task.hunk.lines[at] for _, at in page.rows[start : end + 1]]
    old_path = getattr(task.origin, "old_path", task.path)
    return IntendedPlace(
        task.path, old_path, side, tuple(line for line in lines if line.sign != other), damage
    )


def _sign(row: tuple[Task, int]) -> str:
    task, at = row
    return task.hunk.lines[at].sign
