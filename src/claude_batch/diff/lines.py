"""Split file contents into lines."""

from collections.abc import Sequence
from itertools import takewhile


def texts(blob: bytes) -> list[bytes]:
    """The lines without their newlines; a CR stays."""
    return [row.removesuffix(b"\n") for row in rows_of(blob)]


def rows_of(blob: bytes) -> list[bytes]:
    """Lines with their newlines; the last one may lack it."""
    rows = [row + b"\n" for row in blob.split(b"\n")]
    rows[-1] = rows[-1][:-1]
    return rows if rows[-1] else rows[:-1]


def alike(one: Sequence[object], other: Sequence[object]) -> int:
    """The length of the common prefix of two sequences."""
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in pairs)
