"""Anchors: checked references of the model to lines of its request.

An anchor is the line's ordinal within the request and three letters of a hash over the ordinal
and the line. Both must agree.
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
from claude_batch.tasks.plan import LENIENT
from claude_batch.tasks.task import TaskId

HASH_LENGTH = 8

# The numbers below 26 ** 3 in base 26, least digit first.
LETTERS = [a + b + c for c, b, a in itertools.product(ascii_lowercase, repeat=3)]
FIRST_FOUR = Struct(">I").unpack_from
ANCHOR = re.compile(r"([1-9][0-9]{0,6})([a-z]{3})")


def hash_line(text: bytes) -> str:
    """Return eight characters (48 bits) over the line with its white space folded."""
    return _hash_lines([text])


def _hash_lines(texts: Iterable[bytes]) -> str:
    # Six bytes are exactly eight characters of base64, so all lines can be encoded at once.
    digests = [sha256(b" ".join(text.split())).digest()[:6] for text in texts]
    return base64.urlsafe_b64encode(b"".join(digests)).decode()


def build_anchor(ordinal: int, hashed: str) -> str:
    # The ordinal is part of the hash because a third of the lines of real diffs occur more than
    # once: a wrong ordinal must not fit an equal line.
    (number,) = FIRST_FOUR(sha256(f"{ordinal}:{hashed}".encode()).digest())
    return f"{ordinal}{LETTERS[number % len(LETTERS)]}"


@dataclass(frozen=True, slots=True)
class AnchoredTask:
    """A task of a request with its anchored lines, as the ledger stores it: no code.

    `signs` has one character a line, `hashes` HASH_LENGTH. After compaction both are empty.
    """

    __pydantic_config__ = LENIENT

    id: TaskId
    path: str
    signs: str
    hashes: str
    definition: str = ""  # digest of the definition around it when it was asked

    @classmethod
    def from_hunk(
        cls, task_id: TaskId, path: str, hunk: Hunk, definition: str = ""
    ) -> "AnchoredTask":
        lines = hunk.signed_lines
        signs = b"".join([line[:1] or b" " for line in lines])
        hashes = _hash_lines([line[1:] for line in lines])
        return cls(task_id, path, signs.decode("ascii", "replace"), hashes, definition)

    @property
    def has_hashes(self) -> bool:
        """False after compaction, which drops the hashes."""
        return bool(self.signs) and len(self.hashes) == len(self.signs) * HASH_LENGTH

    def build_anchors(self, first: int) -> list[str]:
        """Return the anchors of all lines. `first` is the ordinal of the first line."""
        positions = range(len(self.signs))
        return [build_anchor(first + position, self.hash_at(position)) for position in positions]

    def hash_at(self, position: int) -> str:
        return self.hashes[position * HASH_LENGTH : (position + 1) * HASH_LENGTH]

    def hashes_on_side(self, first: int, last: int, side: Side) -> list[str]:
        """The hashes of the lines `first..last` that the file of that side has."""
        positions = range(max(first, 0), min(last, len(self.signs) - 1) + 1)
        return [
            self.hash_at(position)
            for position in positions
            if self.signs[position] != side.hidden_sign
        ]


@dataclass(frozen=True, slots=True)
class LineRange:
    """Lines `first..last` (positions in the hunk, inclusive) of the task at index `task_index`."""

    task_index: int
    first: int
    last: int
    side: Side


class AnchorError(ValueError):
    """The anchors do not name a range of lines. The message is the reason."""


def resolve_anchors(start: str, end: str, tasks: Sequence[AnchoredTask]) -> LineRange:
    """Return the lines from one anchor to another. Raises AnchorError.

    `tasks` are those of the request, in its order.
    """
    task_index, first = _find_line(start, tasks)
    end_index, last = _find_line(end, tasks)
    if task_index != end_index:
        raise AnchorError("the anchors are in two hunks")
    if first > last:
        raise AnchorError("the anchors are in the wrong order")
    signs = {tasks[task_index].signs[first], tasks[task_index].signs[last]}
    if signs == {"+", "-"}:
        raise AnchorError("one anchor is on an added line, the other on a removed one")
    return LineRange(task_index, first, last, Side.LEFT if "-" in signs else Side.RIGHT)


def _find_line(text: str, tasks: Sequence[AnchoredTask]) -> tuple[int, int]:
    """Return the index of the task and the position in it."""
    match = ANCHOR.fullmatch(text.strip())
    if not match:
        raise AnchorError("not an anchor")
    ordinal = position = int(match[1])
    for index, task in enumerate(tasks):
        if position <= len(task.signs):
            if build_anchor(ordinal, task.hash_at(position - 1)) != match[0]:
                raise AnchorError("the anchor's letters do not fit its line")
            return index, position - 1
        position -= len(task.signs)
    raise AnchorError("no such line")


def lines_on_side(hunk: Hunk, first: int, last: int, side: Side) -> tuple[Line, ...]:
    """The lines at positions `first..last` that the file of that side has."""
    lines = hunk.lines[first : last + 1]
    return tuple(line for line in lines if line.sign != side.hidden_sign)
