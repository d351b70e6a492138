"""A suggestion: replacement lines that are proved to apply and, where we can tell, to parse.

Lines are cut at LF only: `bytes.splitlines` also cuts at a lone CR and at form feeds, git and
GitHub do not.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from claude_batch.diff.lines import alike, rows_of
from claude_batch.markdown import HIDDEN
from claude_batch.syntax.validity import UNPARSEABLE, count_syntax_errors, has_no_new_errors

MAX_REPEATED = 3
ONE_WORD = re.compile(r"\w*\W?")  # `end`, `else:`, `}`: such a line may well stand there twice


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Lines `first_line..last_line` (1-based, inclusive) of `path`: `before` becomes `after`."""

    path: str
    first_line: int
    last_line: int
    before: bytes
    after: bytes
    is_parsed: bool  # a parser has read the file before and after

    @property
    def text(self) -> str:
        """The new lines as they are shown: each ends with LF; empty if the lines go."""
        text = self.after.decode().replace("\r\n", "\n")
        return text if not text or text.endswith("\n") else text + "\n"


@dataclass(frozen=True, slots=True)
class RejectedSuggestion:
    reason: str


def validate_suggestion(
    blob: bytes,
    first_line: int,
    last_line: int,
    seen: Sequence[bytes],
    replacement: str,
    path: str,
) -> Suggestion | RejectedSuggestion:
    """`seen`: the lines that the model was shown, without newlines. For the new side only."""
    rows = rows_of(blob)
    if not 1 <= first_line <= last_line <= len(rows):
        return RejectedSuggestion("the file has no such lines")
    old = rows[first_line - 1 : last_line]
    if [row.removesuffix(b"\n") for row in old] != list(seen):
        return RejectedSuggestion("the lines are not those that were reviewed")
    before = b"".join(old)
    was = count_syntax_errors(path, blob)
    if was == UNPARSEABLE:
        return RejectedSuggestion("the file is too large or too tangled to be parsed")
    if objection := _objection(before, replacement):
        return RejectedSuggestion(objection)
    tried = {before}
    for after in _candidates(rows, first_line, last_line, replacement):
        if after in tried:
            continue
        tried.add(after)
        suggestion = Suggestion(path, first_line, last_line, before, after, is_parsed=was == 0)
        if has_no_new_errors(path, was, apply_suggestion(blob, suggestion)):
            return suggestion
    return RejectedSuggestion("the file would no longer parse" if len(tried) > 1 else "it changes nothing")


def _objection(before: bytes, replacement: str) -> str | None:
    """Why the text is no replacement, whatever the file."""
    if _has_hidden_characters(before, replacement):
        return "the text holds characters that cannot be shown"
    if replacement.strip() and replacement.strip("\n").split("\n") == [
        line.strip() for line in _lines(before)
    ]:
        return "it changes nothing but the indentation"
    return None


def _candidates(rows: Sequence[bytes], first: int, last: int, replacement: str) -> Iterator[bytes]:
    """What the lines may become, the likeliest first."""
    old = rows[first - 1 : last]
    ending, newline = _ending(old, rows), old[-1].endswith(b"\n")
    edges = (
        _shown(rows[max(0, first - 1 - MAX_REPEATED) : first - 1]),
        _shown(rows[last : last + MAX_REPEATED]),
    )
    for lines in _interpretations(_shown(old), _lines(replacement.encode()), edges):
        joined = ending.join(line.encode() for line in lines)
        # A file without a final newline gets none from a blank line at the end either.
        yield joined + ending * bool(lines) if newline else joined.rstrip(b"\r\n")


def apply_suggestion(blob: bytes, suggestion: Suggestion) -> bytes:
    """Raises ValueError when the lines are others by now."""
    rows = rows_of(blob)
    start, end = suggestion.first_line - 1, suggestion.last_line
    if b"".join(rows[start:end]) != suggestion.before:
        raise ValueError(f"lines {suggestion.first_line}..{end} are not those that were proved")
    return b"".join([*rows[:start], suggestion.after, *rows[end:]])


def _has_hidden_characters(before: bytes, replacement: str) -> bool:
    """Nothing that a reader cannot see comes in by a suggestion; what is there may stay."""
    try:
        present = set(before.decode())
        replacement.encode()
    except UnicodeError:
        return True
    return bool(set(HIDDEN.findall(replacement.replace("\r\n", "\n"))) - present)


def _ending(old: Sequence[bytes], rows: Sequence[bytes]) -> bytes:
    """What ends a line here: as in the range, or in the file if the range has no whole line."""
    ended = [row for row in old if row.endswith(b"\n")] or [
        row for row in rows if row.endswith(b"\n")
    ]
    crlf = sum(row.endswith(b"\r\n") for row in ended)
    return b"\r\n" if 2 * crlf > len(ended) else b"\n"


def _lines(text: bytes) -> list[str]:
    return _shown(rows_of(text))


def _shown(rows: Sequence[bytes]) -> list[str]:
    """Lines to compare: bytes that cannot be decoded equal nothing that a model writes."""
    return [row.decode("utf-8", "replace").rstrip("\r\n") for row in rows]


def _interpretations(
    old: Sequence[str], new: Sequence[str], edges: tuple[Sequence[str], Sequence[str]]
) -> Iterator[list[str]]:
    """What the model may have meant, the likeliest first."""
    for indented in _indented(old, _without_edges(old, new, *edges)):
        yield _without_edges(old, indented, *edges)
        yield indented
    yield list(new)


def _indented(old: Sequence[str], new: Sequence[str]) -> Iterator[list[str]]:
    """As given if it starts where the old lines start; else moved there, and then as given."""
    olds, news = [line for line in old if line.strip()], [line for line in new if line.strip()]
    if olds and news and _indent(olds[0]) != _indent(news[0]):
        moved = _moved(new, _common(news), _common(olds))
        first_only = [_indent(olds[0]) + new[0].lstrip(), *new[1:]]
        lost_at_start = len(news) > 1 and _indent(olds[-1]) == _indent(news[-1])
        yield from (first_only, moved) if lost_at_start else (moved, first_only)
    yield list(new)


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _common(lines: Sequence[str]) -> str:
    indents = sorted(_indent(line) for line in lines)
    return indents[0][: alike(indents[0], indents[-1])]


def _moved(lines: Sequence[str], source: str, target: str) -> list[str]:
    return [target + line.removeprefix(source) if line.strip() else line for line in lines]


def _without_edges(
    old: Sequence[str], new: Sequence[str], above: Sequence[str], below: Sequence[str]
) -> list[str]:
    """Models like to repeat the lines around the ones that they replace."""
    new = list(new)
    for count in range(min(len(new) - 1, len(above)), 0, -1):
        if new[:count] == list(above[-count:]) and _repeats(old, new[:count], new[count:]):
            new = new[count:]
            break
    for count in range(min(len(new) - 1, len(below)), 0, -1):
        if new[-count:] == list(below[:count]) and _repeats(old, new[-count:], new[:-count]):
            new = new[:-count]
            break
    return new


def _repeats(old: Sequence[str], edge: Sequence[str], rest: Sequence[str]) -> bool:
    """Is `edge` there by mistake? The brackets of a replacement close as those of the old lines."""
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


@dataclass(frozen=True, slots=True)
class CombinedSuggestions:
    after: bytes
    accepted: tuple[Suggestion, ...]
    rejected: tuple[tuple[Suggestion, str], ...]  # with the reason


def combine_suggestions(blob: bytes, suggestions: Iterable[Suggestion]) -> CombinedSuggestions:
    """All suggestions for one file at once. Of two that cannot be together the first stays."""
    accepted: list[Suggestion] = []
    rejected: list[tuple[Suggestion, str]] = []
    after = blob
    for suggestion in suggestions:
        if any(_overlap(suggestion, other) for other in accepted):
            rejected.append((suggestion, "another suggestion changes the same lines"))
            continue
        together = _all_applied(blob, [*accepted, suggestion])
        if not has_no_new_errors(
            suggestion.path, count_syntax_errors(suggestion.path, after), together
        ):
            rejected.append((suggestion, "the file would no longer parse with the others"))
            continue
        accepted.append(suggestion)
        after = together
    return CombinedSuggestions(after, tuple(accepted), tuple(rejected))


def _overlap(one: Suggestion, other: Suggestion) -> bool:
    return one.first_line <= other.last_line and other.first_line <= one.last_line


def _all_applied(blob: bytes, suggestions: Iterable[Suggestion]) -> bytes:
    """From the bottom up, so that line numbers above hold."""
    for suggestion in sorted(suggestions, key=lambda one: one.first_line, reverse=True):
        blob = apply_suggestion(blob, suggestion)
    return blob
