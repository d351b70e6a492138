"""Patches that `git apply` accepts, from edits that were proved one by one."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from claude_batch.suggestion import Suggestion, alike, applied, parses, rows_of

CONTEXT = 3
NO_NEWLINE = b"\n\\ No newline at end of file\n"
ESCAPES = {7: b"a", 8: b"b", 9: b"t", 10: b"n", 11: b"v", 12: b"f", 13: b"r", 34: b'"', 92: b"\\"}


@dataclass(frozen=True, slots=True)
class Combined:
    after: bytes
    accepted: tuple[Suggestion, ...]
    rejected: tuple[tuple[Suggestion, str], ...]  # with the reason


def combine(blob: bytes, suggestions: Iterable[Suggestion]) -> Combined:
    """All suggestions for one file at once. Of two that cannot be together the first stays."""
    accepted: list[Suggestion] = []
    rejected: list[tuple[Suggestion, str]] = []
    after = blob
    for suggestion in suggestions:
        if any(_overlap(suggestion, other) for other in accepted):
            rejected.append((suggestion, "another suggestion changes the same lines"))
            continue
        together = _all_applied(blob, [*accepted, suggestion])
        if parses(suggestion.path, after) and not parses(suggestion.path, together):
            rejected.append((suggestion, "the file would no longer parse with the others"))
            continue
        accepted.append(suggestion)
        after = together
    return Combined(after, tuple(accepted), tuple(rejected))


def _overlap(one: Suggestion, other: Suggestion) -> bool:
    return one.first_line <= other.last_line and other.first_line <= one.last_line


def _all_applied(blob: bytes, suggestions: Iterable[Suggestion]) -> bytes:
    """From the bottom up, so that line numbers above hold."""
    for suggestion in sorted(suggestions, key=lambda one: one.first_line, reverse=True):
        blob = applied(blob, suggestion)
    return blob


def make_patch(path: str, before: bytes, after: bytes) -> bytes:
    """git's unified format for a file that exists on both sides; empty if they are equal."""
    if before == after:
        return b""
    old, new = quoted("a/" + path), quoted("b/" + path)
    header = b"diff --git %b %b\n--- %b\n+++ %b\n" % (old, new, _tabbed(old), _tabbed(new))
    return header + b"".join(_hunks(rows_of(before), rows_of(after)))


def make_patches(files: Mapping[str, tuple[bytes, bytes]]) -> bytes:
    """One patch over several files: path → (before, after)."""
    return b"".join(make_patch(path, *sides) for path, sides in sorted(files.items()))


def quoted(path: str) -> bytes:
    """As git prints and reads a path: in C style when it holds anything unusual."""
    raw = path.encode("utf-8", "surrogateescape")
    if not re.search(rb'[\x00-\x1f"\\\x7f-\xff]', raw):
        return raw
    return b'"%b"' % b"".join(map(_quoted_byte, raw))


def _quoted_byte(byte: int) -> bytes:
    if byte in ESCAPES:
        return b"\\" + ESCAPES[byte]
    return b"%c" % byte if 32 <= byte < 127 else b"\\%03o" % byte


def _tabbed(name: bytes) -> bytes:
    """A tab ends a bare name with a blank, or readers take the rest for a date."""
    return name + b"\t" if b" " in name and not name.startswith(b'"') else name


def _hunks(old: list[bytes], new: list[bytes]) -> Iterator[bytes]:
    # difflib is slow on long files, and most of a file is the same above and below the edits.
    skip = max(0, alike(old, new) - CONTEXT)
    same = alike(old[skip:][::-1], new[skip:][::-1])
    end = max(0, same - CONTEXT)
    old, new = old[skip : len(old) - end], new[skip : len(new) - end]
    for group in SequenceMatcher(None, old, new).get_grouped_opcodes(CONTEXT):
        (_, old_start, _, new_start, _), (_, _, old_end, _, new_end) = group[0], group[-1]
        yield b"@@ -%b +%b @@\n" % (
            _range(skip + old_start, old_end - old_start),
            _range(skip + new_start, new_end - new_start),
        )
        for tag, i, j, k, m in group:
            if tag == "equal":
                yield from _signed(b" ", old[i:j])
            else:
                yield from _signed(b"-", old[i:j])
                yield from _signed(b"+", new[k:m])


def _range(start: int, length: int) -> bytes:
    """A side without lines names the line before it. https://git-scm.com/docs/diff-format"""
    return b"%d,%d" % (start + 1 if length else start, length)


def _signed(sign: bytes, rows: Iterable[bytes]) -> Iterator[bytes]:
    for row in rows:
        yield sign + row if row.endswith(b"\n") else sign + row + NO_NEWLINE
