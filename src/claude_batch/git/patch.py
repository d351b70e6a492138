"""The folder in which a job leaves patches that it could not propose itself."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from claude_batch.diff.lines import alike, rows_of
from claude_batch.errors import CannotRecord


@dataclass(frozen=True, slots=True)
class PatchFolder:
    path: Path

    def keep(self, name: str, patch: bytes) -> Path:
        """Raises CannotRecord."""
        target = self.path / f"{name}.patch"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            target.write_bytes(patch)
        except OSError as error:
            raise CannotRecord(
                f"{target} could not be written: {error.strerror}", "name another RUNNER_TEMP"
            ) from error
        return target


CONTEXT = 3
NO_NEWLINE = b"\n\\ No newline at end of file\n"
ESCAPES = {7: b"a", 8: b"b", 9: b"t", 10: b"n", 11: b"v", 12: b"f", 13: b"r", 34: b'"', 92: b"\\"}
Change = tuple[int, int, int, int]


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
    for group in _together(_changes(old, new)):
        (first, _, new_first, _), (_, last, _, new_last) = group[0], group[-1]
        lead, trail = min(CONTEXT, first), min(CONTEXT, len(old) - last)
        yield b"@@ -%b +%b @@\n" % (
            _range(first - lead, last + trail - first + lead),
            _range(new_first - lead, new_last + trail - new_first + lead),
        )
        at = first - lead
        for i, j, k, m in group:
            yield from _signed(b" ", old[at:i])
            yield from _signed(b"-", old[i:j])
            yield from _signed(b"+", new[k:m])
            at = j
        yield from _signed(b" ", old[at : last + trail])


def _changes(old: list[bytes], new: list[bytes]) -> Iterator[Change]:
    """Lines i..j of `old` become lines k..m of `new`.

    difflib is slow on long files, and most of a file is the same above and below the edits. It
    sees nothing of those lines: it could pair them otherwise, and git refuses a hunk that has no
    context below and does not end the file.
    """
    top = alike(old, new)
    end = alike(old[top:][::-1], new[top:][::-1])
    matcher = SequenceMatcher(None, old[top : len(old) - end], new[top : len(new) - end])
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag != "equal":
            yield top + i, top + j, top + k, top + m


def _together(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """Those whose context would touch."""
    group: list[Change] = []
    for change in changes:
        if group and change[0] - group[-1][1] > 2 * CONTEXT:
            yield group
            group = []
        group.append(change)
    if group:
        yield group


def _range(start: int, length: int) -> bytes:
    """A side without lines names the line before it. https://git-scm.com/docs/diff-format"""
    return b"%d,%d" % (start + 1 if length else start, length)


def _signed(sign: bytes, rows: Iterable[bytes]) -> Iterator[bytes]:
    for row in rows:
        yield sign + row if row.endswith(b"\n") else sign + row + NO_NEWLINE
