"""Interpret the replacement lines of a model, which may be indented wrongly or repeat context."""

import re
from collections.abc import Iterator, Sequence

from claude_batch.diff.lines import common_prefix_length, split_keeping_newlines

MAX_REPEATED = 3
ONE_WORD = re.compile(r"\w*\W?")  # `end`, `else:`, `}`: such a line may occur twice on purpose


def interpret_replacement(
    file_lines: Sequence[bytes], first: int, last: int, replacement: str
) -> Iterator[bytes]:
    """The possible new contents of the lines, the likeliest first."""
    old = file_lines[first - 1 : last]
    ending, newline = _line_ending(old, file_lines), old[-1].endswith(b"\n")
    edges = (
        _decode_lines(file_lines[max(0, first - 1 - MAX_REPEATED) : first - 1]),
        _decode_lines(file_lines[last : last + MAX_REPEATED]),
    )
    for lines in _interpretations(_decode_lines(old), split_text(replacement.encode()), edges):
        joined = ending.join(line.encode() for line in lines)
        # A file without a final newline gets none from a blank line at the end either.
        yield joined + ending * bool(lines) if newline else joined.rstrip(b"\r\n")


def _line_ending(old: Sequence[bytes], file_lines: Sequence[bytes]) -> bytes:
    """The line ending of the range, or of the file if the range has no whole line."""
    ended = [line for line in old if line.endswith(b"\n")] or [
        line for line in file_lines if line.endswith(b"\n")
    ]
    crlf = sum(line.endswith(b"\r\n") for line in ended)
    return b"\r\n" if 2 * crlf > len(ended) else b"\n"


def split_text(text: bytes) -> list[str]:
    return _decode_lines(split_keeping_newlines(text))


def _decode_lines(lines: Sequence[bytes]) -> list[str]:
    # Undecodable bytes become a character that does not equal the model's text.
    return [line.decode("utf-8", "replace").rstrip("\r\n") for line in lines]


def _interpretations(
    old: Sequence[str], new: Sequence[str], edges: tuple[Sequence[str], Sequence[str]]
) -> Iterator[list[str]]:
    """The possible meanings of the model's lines, the likeliest first."""
    for indented in _reindented(old, _without_context(old, new, *edges)):
        yield _without_context(old, indented, *edges)
        yield indented
    yield list(new)


def _reindented(old: Sequence[str], new: Sequence[str]) -> Iterator[list[str]]:
    """As given if it is indented like the old lines; else moved there first, then as given."""
    old_text, new_text = ([line for line in lines if line.strip()] for lines in (old, new))
    if old_text and new_text and _indentation(old_text[0]) != _indentation(new_text[0]):
        moved = _move(new, _common_indentation(new_text), _common_indentation(old_text))
        first_only = [_indentation(old_text[0]) + new[0].lstrip(), *new[1:]]
        last_matches = _indentation(old_text[-1]) == _indentation(new_text[-1])
        # The model lost the indentation of the first line only.
        lost_at_start = len(new_text) > 1 and last_matches
        yield from (first_only, moved) if lost_at_start else (moved, first_only)
    yield list(new)


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _common_indentation(lines: Sequence[str]) -> str:
    indents = sorted(_indentation(line) for line in lines)
    return indents[0][: common_prefix_length(indents[0], indents[-1])]


def _move(lines: Sequence[str], source: str, target: str) -> list[str]:
    return [target + line.removeprefix(source) if line.strip() else line for line in lines]


def _without_context(
    old: Sequence[str], new: Sequence[str], above: Sequence[str], below: Sequence[str]
) -> list[str]:
    # Models often repeat the lines around those that they replace.
    new = list(new)
    for count in range(min(len(new) - 1, len(above)), 0, -1):
        if new[:count] == list(above[-count:]) and _is_repeated(old, new[:count], new[count:]):
            new = new[count:]
            break
    for count in range(min(len(new) - 1, len(below)), 0, -1):
        if new[-count:] == list(below[:count]) and _is_repeated(old, new[-count:], new[:-count]):
            new = new[:-count]
            break
    return new


def _is_repeated(old: Sequence[str], edge: Sequence[str], rest: Sequence[str]) -> bool:
    """Return True if `edge` was repeated by mistake.

    Without it the brackets of the replacement must balance like those of the old lines.
    """
    if (
        not "".join(edge).strip()
        or edge[0] in old
        or _bracket_balance(rest) != _bracket_balance(old)
    ):
        return False
    return bool(_bracket_balance(edge)) or any(
        not ONE_WORD.fullmatch(line.strip()) for line in edge
    )


def _bracket_balance(lines: Sequence[str]) -> int:
    text = "".join(lines)
    return sum(map(text.count, "([{")) - sum(map(text.count, ")]}"))
