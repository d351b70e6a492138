"""Escape untrusted text for GitHub-flavored Markdown.

The code under review may dictate the model's text. So code is fenced anew and all other text is
escaped. Paragraphs, lists, quotations and emphasis remain. Mentions, links, images, HTML, chat
commands and live suggestions do not.
"""

import re
from collections.abc import Iterable, Iterator

# Control characters, direction overrides, zero-width and tag characters, halves of surrogates.
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e01ef\ud800-\udfff]"
)

FENCE = re.compile(r"([ \t]*)(`{3,}|~{3,})[ \t]*([\w+#.-]{0,20})[^`]*")
CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
LINK = re.compile(r"!?\[([^\[\]\n]*)\]\([^)\n]*\)")

# GitHub makes links of bare addresses too; shown as code they stay readable.
ADDRESS = re.compile(r"(?:https?://|ftp://|www\.|mailto:|xmpp:)[^\s<>`|]*[^\s<>`|.,;:!?)*]", re.I)
COMMAND = re.compile(r"/(?=[A-Za-z])")  # chat bots obey a comment's line that starts with one
RENDERED = ("suggestion", "mermaid", "math", "geojson", "topojson", "stl")
ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;"} | {char: "\\" + char for char in "\\`[]_|~"})
PLAIN = ESCAPES | {ord("*"): r"\*"}

# GitHub turns these into mentions, references to issues and links. A zero-width space after the
# match prevents it.
AUTOLINKED = re.compile(r"@(?=\w)|(?:#|\bGH-)(?=\d)|:(?=//)|www(?=\.)", re.I)
ZERO_WIDTH = "\u200b"


def strip_hidden(text: str) -> str:
    """Remove invisible characters and turn every newline into LF."""
    return HIDDEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def truncate(text: str, limit: int) -> str:
    """Cut a text to `limit` characters and append how many were cut."""
    if len(text) <= limit:
        return text
    return f"{text[:limit].rstrip()} … ({len(text) - limit:,} characters cut)"


def escape_block(text: str, limit: int = 8_000) -> str:
    """Escape several lines of Markdown. The result has at most five times `limit` characters."""
    lines = iter(truncate(strip_hidden(text), limit).strip("\n").split("\n"))
    return "\n".join(_escape_blocks(lines))


def escape_line(text: str, limit: int = 200) -> str:
    """Escape a text as one line without emphasis, to be set inside another line."""
    return _escape_inline(truncate(" ".join(strip_hidden(text).split()), limit), PLAIN)


def code_span(text: str) -> str:
    """A code span."""
    shown = strip_hidden(text).replace("\n", " ").replace("<!--", "<! --")
    # A table splits its rows at a bar before it looks for code. The text after it would be live.
    if "|" in shown and re.search(r"[<@\[#]|//|www\.", shown):
        return f"<code>{_escape(shown, PLAIN)}</code>"
    ticks = "`" * (_longest_run(shown) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") or not shown.strip() else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def code_block(text: str, info: str = "") -> str:
    """A block of code; its fence is longer than any run of backticks inside."""
    ticks = "`" * max(3, _longest_run(text) + 1)
    ended = text if not text or text.endswith("\n") else text + "\n"
    return f"{ticks}{info}\n{ended}{ticks}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def _escape_blocks(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if opened := FENCE.fullmatch(line):
            info = "" if opened[3].lower().startswith(RENDERED) else opened[3]
            yield code_block("\n".join(_iter_fenced_lines(lines, opened[1], opened[2])), info)
        else:
            yield _escape_prose(line)


def _iter_fenced_lines(lines: Iterator[str], indent: str, mark: str) -> Iterator[str]:
    for line in lines:
        bare = line.strip()
        if len(bare) >= len(mark) and set(bare) == {mark[0]}:
            return
        shown = line.removeprefix(indent).replace("<!--", "<! --")
        yield " " + shown if COMMAND.match(shown) else shown


def _escape_prose(line: str) -> str:
    quoted = _escape_inline(line)
    quoted = re.sub(r"^(\s*)(#{1,6}(?:\s|$)|=+\s*$|-+\s*$)", r"\1\\\2", quoted)
    return "\\" + quoted if COMMAND.match(quoted) else quoted


def _escape_inline(line: str, escapes: dict[int, str] = ESCAPES) -> str:
    parts, position = [], 0
    for match in CODE.finditer(line):
        parts += [
            *_escape_without_links(line[position : match.start()], escapes),
            code_span(match[2].strip() or match[2]),
        ]
        position = match.end()
    return _join_parts([*parts, *_escape_without_links(line[position:], escapes)])


def _escape_without_links(text: str, escapes: dict[int, str]) -> Iterator[str]:
    text, position = LINK.sub(r"\1", text), 0
    for match in ADDRESS.finditer(text):
        yield _escape(text[position : match.start()], escapes)
        yield code_span(match[0])
        position = match.end()
    yield _escape(text[position:], escapes)


def _join_parts(parts: Iterable[str]) -> str:
    """Join parts, with a zero-width space between code spans, which would run together."""
    whole = ""
    for part in parts:
        whole += ZERO_WIDTH + part if whole.endswith("`") and part.startswith("`") else part
    return whole


def _escape(text: str, escapes: dict[int, str]) -> str:
    return AUTOLINKED.sub(rf"\g<0>{ZERO_WIDTH}", text.translate(escapes))
