"""Suggestions: replacement lines, checked to apply and, where a grammar exists, to parse.

Lines end at LF only. `bytes.splitlines` also splits at a lone CR and at form feeds, unlike git
and GitHub.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from claude_batch.diff.lines import common_prefix_length, split_keeping_newlines
from claude_batch.markdown import HIDDEN
from claude_batch.syntax.validity import UNPARSEABLE, count_syntax_errors, has_no_new_errors

MAX_REPEATED = 3
ONE_WORD = re.compile(r"\w*\W?")  # `end`, `else:`, `}`: such a line may occur twice on purpose


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Lines `first_line..last_line` (1-based, inclusive) of `path`: `before` becomes `after`."""

    path: str
    first_line: int
    last_line: int
    before: bytes
    after: bytes
    is_parsed: bool  # the file before and after has no syntax errors

    @property
    def text(self) -> str:
        """The new lines in Markdown: each ends with LF. Empty if the lines are deleted."""
        text = self.after.decode().replace("\r\n", "\n")
        return text if not text or text.endswith("\n") else text + "\n"


@dataclass(frozen=True, slots=True)
class RejectedSuggestion:
    reason: str


def validate_suggestion(
    blob: bytes,
    first_line: int,
    last_line: int,
    reviewed: Sequence[bytes],
    replacement: str,
    path: str,
) -> Suggestion | RejectedSuggestion:
    """Turn a replacement of lines on the new side into a suggestion.

    `reviewed` are the lines as the model saw them, without newlines.
    """
    file_lines = split_keeping_newlines(blob)
    if not 1 <= first_line <= last_line <= len(file_lines):
        return RejectedSuggestion("the file has no such lines")
    old = file_lines[first_line - 1 : last_line]
    if [line.removesuffix(b"\n") for line in old] != list(reviewed):
        return RejectedSuggestion("the lines are not those that were reviewed")
    before = b"".join(old)
    errors_before = count_syntax_errors(path, blob)
    if errors_before == UNPARSEABLE:
        return RejectedSuggestion("the file is too large or too tangled to be parsed")
    if objection := _find_objection(before, replacement):
        return RejectedSuggestion(objection)
    tried = {before}
    for after in _candidates(file_lines, first_line, last_line, replacement):
        if after in tried:
            continue
        tried.add(after)
        suggestion = Suggestion(
            path, first_line, last_line, before, after, is_parsed=errors_before == 0
        )
        if has_no_new_errors(path, errors_before, apply_suggestion(blob, suggestion)):
            return suggestion
    return RejectedSuggestion(
        "the file would no longer parse" if len(tried) > 1 else "it changes nothing"
    )


def _find_objection(before: bytes, replacement: str) -> str | None:
    """Return the reason to reject the text whatever the file contains."""
    if _has_hidden_characters(before, replacement):
        return "the text holds characters that cannot be shown"
    if replacement.strip() and replacement.strip("\n").split("\n") == [
        line.strip() for line in _split_text(before)
    ]:
        return "it changes nothing but the indentation"
    return None


def _candidates(
    file_lines: Sequence[bytes], first: int, last: int, replacement: str
) -> Iterator[bytes]:
    """The possible new contents of the lines, the likeliest first."""
    old = file_lines[first - 1 : last]
    ending, newline = _line_ending(old, file_lines), old[-1].endswith(b"\n")
    edges = (
        _decode_lines(file_lines[max(0, first - 1 - MAX_REPEATED) : first - 1]),
        _decode_lines(file_lines[last : last + MAX_REPEATED]),
    )
    for lines in _interpretations(_decode_lines(old), _split_text(replacement.encode()), edges):
        joined = ending.join(line.encode() for line in lines)
        # A file without a final newline gets none from a blank line at the end either.
        yield joined + ending * bool(lines) if newline else joined.rstrip(b"\r\n")


def apply_suggestion(blob: bytes, suggestion: Suggestion) -> bytes:
    """Return the file with the suggestion. Raises ValueError if its lines have changed."""
    file_lines = split_keeping_newlines(blob)
    start, end = suggestion.first_line - 1, suggestion.last_line
    if b"".join(file_lines[start:end]) != suggestion.before:
        raise ValueError(f"lines {suggestion.first_line}..{end} are not those of the suggestion")
    return b"".join([*file_lines[:start], suggestion.after, *file_lines[end:]])


def _has_hidden_characters(before: bytes, replacement: str) -> bool:
    # Only new ones are rejected: hidden characters of the replaced lines may stay.
    try:
        present = set(before.decode())
        replacement.encode()
    except UnicodeError:
        return True
    return bool(set(HIDDEN.findall(replacement.replace("\r\n", "\n"))) - present)


def _line_ending(old: Sequence[bytes], file_lines: Sequence[bytes]) -> bytes:
    """The line ending of the range, or of the file if the range has no whole line."""
    ended = [line for line in old if line.endswith(b"\n")] or [
        line for line in file_lines if line.endswith(b"\n")
    ]
    crlf = sum(line.endswith(b"\r\n") for line in ended)
    return b"\r\n" if 2 * crlf > len(ended) else b"\n"


def _split_text(text: bytes) -> list[str]:
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


@dataclass(frozen=True, slots=True)
class CombinedSuggestions:
    after: bytes
    accepted: tuple[Suggestion, ...]
    rejected: tuple[tuple[Suggestion, str], ...]  # with the reason


def combine_suggestions(blob: bytes, suggestions: Iterable[Suggestion]) -> CombinedSuggestions:
    """Apply all suggestions for one file. Of two that conflict the first is accepted."""
    accepted: list[Suggestion] = []
    rejected: list[tuple[Suggestion, str]] = []
    after = blob
    for suggestion in suggestions:
        if any(_overlaps(suggestion, other) for other in accepted):
            rejected.append((suggestion, "another suggestion changes the same lines"))
            continue
        together = _apply_all(blob, [*accepted, suggestion])
        if not has_no_new_errors(
            suggestion.path, count_syntax_errors(suggestion.path, after), together
        ):
            rejected.append((suggestion, "the file would no longer parse with the others"))
            continue
        accepted.append(suggestion)
        after = together
    return CombinedSuggestions(after, tuple(accepted), tuple(rejected))


def _overlaps(first: Suggestion, second: Suggestion) -> bool:
    return first.first_line <= second.last_line and second.first_line <= first.last_line


def _apply_all(blob: bytes, suggestions: Iterable[Suggestion]) -> bytes:
    # From the bottom up, so that the line numbers above stay valid.
    by_line = sorted(suggestions, key=lambda suggestion: suggestion.first_line, reverse=True)
    for suggestion in by_line:
        blob = apply_suggestion(blob, suggestion)
    return blob
