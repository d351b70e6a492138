"""Split file contents into lines."""

from collections.abc import Sequence
from itertools import takewhile


def split_lines(blob: bytes) -> list[bytes]:
    """The lines without their newlines; a CR stays."""
    return [line.removesuffix(b"\n") for line in split_keeping_newlines(blob)]


def split_keeping_newlines(blob: bytes) -> list[bytes]:
    """Lines with their newlines; the last one may lack it."""
    lines = [line + b"\n" for line in blob.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def common_prefix_length(first: Sequence[object], second: Sequence[object]) -> int:
    """The length of the common prefix of two sequences."""
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))
    return sum(1 for _ in pairs)
