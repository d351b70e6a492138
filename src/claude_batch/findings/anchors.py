"""Anchors: how the model names a line, and how we know that it named the line it meant.

An anchor is the line's ordinal within the request and three letters of a hash over the ordinal
and the line. Both must agree. The ordinal is part of the hash because a third of the lines of
real diffs stand there more than once: a wrong ordinal must not fit a twin of the line.
"""

import base64
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from string import ascii_lowercase
from struct import Struct

from claude_batch.diff.model import Hunk, Line, Side
from claude_batch.tasks.plan import STRICT
from claude_batch.tasks.task import TaskId

HASH_LENGTH = 8

# The numbers below 26 ** 3 in base 26, least digit first.
LETTERS = [a + b + c for c, b, a in itertools.product(ascii_lowercase, repeat=3)]
FIRST_FOUR = Struct(">I").unpack_from
ANCHOR = re.compile(r"([1-9][0-9]{0,6})([a-z]{3})")


def hash_line(text: bytes) -> str:
    """Eight characters (48 bits) over the line with its white space folded."""
    return _hashes([text])


def _hashes(texts: Iterable[bytes]) -> str:
    """One after the other: six bytes are eight characters in base64, and nothing is left over."""
    digests = [sha256(b" ".join(text.split())).digest()[:6] for text in texts]
    return base64.urlsafe_b64encode(b"".join(digests)).decode()


def build_anchor(ordinal: int, hashed: str) -> str:
    (number,) = FIRST_FOUR(sha256(f"{ordinal}:{hashed}".encode()).digest())
    return f"{ordinal}{LETTERS[number % len(LETTERS)]}"


@dataclass(frozen=True, slots=True)
class AnchoredTask:
    """A task of a request with its anchored lines, as the ledger stores it: no code.

    `signs` has one character a line, `hashes` HASH_LENGTH. After compaction both are empty.
    """

    __pydantic_config__ = STRICT

    id: TaskId
    path: str
    signs: str
    hashes: str

    @classmethod
    def from_hunk(cls, task_id: TaskId, path: str, hunk: Hunk) -> "AnchoredTask":
        rows = hunk.rows
        signs = b"".join([row[:1] or b" " for row in rows])
        hashes = _hashes([row[1:] for row in rows])
        return cls(task_id, path, signs.decode("ascii", "replace"), hashes)

    @property
    def has_hashes(self) -> bool:
        """False after compaction, which drops the hashes."""
        return bool(self.signs) and len(self.hashes) == len(self.signs) * HASH_LENGTH

    def build_anchors(self, first: int) -> list[str]:
        """Of its lines, of which the first has this ordinal."""
        return [build_anchor(first + at, self.hash_at(at)) for at in range(len(self.signs))]

    def hash_at(self, position: int) -> str:
        return self.hashes[position * HASH_LENGTH : (position + 1) * HASH_LENGTH]


@dataclass(frozen=True, slots=True)
class LineRange:
    """Lines `first..last` (positions in the hunk, inclusive) of the task at index `task`."""

    task_index: int
    first: int
    last: int
    side: Side


class AnchorError(ValueError):
    """The anchors name no range of lines; the message says why."""


def resolve_anchors(start: str, end: str, strips: Sequence[AnchoredTask]) -> LineRange:
    """Where two anchors of an answer point, or `Unplaced`.

    `strips` are those of the request's tasks in the order in which they were shown.
    """
    task, first = _find(start, strips)
    other, last = _find(end, strips)
    if task != other:
        raise AnchorError("the anchors are in two hunks")
    if first > last:
        raise AnchorError("the anchors are in the wrong order")
    signs = {strips[task].signs[first], strips[task].signs[last]}
    if signs == {"+", "-"}:
        raise AnchorError("one anchor is on an added line, the other on a removed one")
    return LineRange(task, first, last, Side.LEFT if "-" in signs else Side.RIGHT)


def _find(text: str, strips: Sequence[AnchoredTask]) -> tuple[int, int]:
    match = ANCHOR.fullmatch(text.strip())
    if not match:
        raise AnchorError("not an anchor")
    ordinal = position = int(match[1])
    for index, strip in enumerate(strips):
        if position <= len(strip.signs):
            if build_anchor(ordinal, strip.hash_at(position - 1)) != match[0]:
                raise AnchorError("the anchor's letters do not fit its line")
            return index, position - 1
        position -= len(strip.signs)
    raise AnchorError("no such line")


def lines_on_side(hunk: Hunk, first: int, last: int, side: Side) -> tuple[Line, ...]:
    """The lines of that side within a range of positions."""
    shown = hunk.lines[first : last + 1]
    return tuple(line for line in shown if line.sign != side.hidden_sign)
