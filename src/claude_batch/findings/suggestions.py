"""Suggestions: replacement lines, checked to apply and, where a grammar exists, to parse.

Lines end at LF only. `bytes.splitlines` also splits at a lone CR and at form feeds, unlike git
and GitHub.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from claude_batch.diff.lines import split_keeping_newlines
from claude_batch.findings.replacements import interpret_replacement, split_text
from claude_batch.markdown import HIDDEN
from claude_batch.syntax.validity import UNPARSEABLE, count_syntax_errors, has_no_new_errors


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
    for after in interpret_replacement(file_lines, first_line, last_line, replacement):
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
        line.strip() for line in split_text(before)
    ]:
        return "it changes nothing but the indentation"
    return None


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
