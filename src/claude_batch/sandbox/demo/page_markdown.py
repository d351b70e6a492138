"""The Markdown of comments as HTML, for text that nobody vouches for.

The reader knows HTML when it sees it, as GitHub's does, so that it is never taken for something
else; the writer then shows it as text. Only `<details>` with a `<summary>` and `<code>`, which
our own comments hold, become what they are, and only in pairs: whatever is written, every
element that is opened is closed in its place. Comments of HTML do not show.
"""

import re
from collections.abc import Callable, Sequence
from html import escape

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from claude_batch.diff.model import Line
from claude_batch.sandbox.demo import page_diff

LINK = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
FOLD = re.compile(r"<details>\s*<summary>([^<>]*)</summary>\s*")


def render_markdown(text: str, about: Sequence[Line] | None = None) -> str:
    """`about`: the lines that a suggestion would replace. None: there can be none here."""
    env: EnvType = {"about": about}
    tokens = READER.parse(text, env)
    _pair(tokens, "html_block", _fold, "</details>")
    for token in tokens:
        _pair(token.children or [], "html_inline", _code, "</code>")
    return str(READER.renderer.render(tokens, READER.options, env))


class _Writer(RendererHTML):
    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token, about = tokens[idx], env["about"]
        if about is not None and token.info.strip() == "suggestion":
            return page_diff.suggestion(about, token.content)
        return f"<pre><code>{page_diff.code(token.content)}</code></pre>\n"

    def html_block(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        shown = tokens[idx].meta.get("shown")
        text = COMMENT.sub("", tokens[idx].content).strip()
        return shown or (f"<p>{escape(text)}</p>\n" if text else "")

    def html_inline(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        shown = tokens[idx].meta.get("shown")
        return shown or escape(COMMENT.sub("", tokens[idx].content))


class _Reader(MarkdownIt):
    def validateLink(self, url: str) -> bool:
        return LINK.match(url) is not None


# Without images: the page fetches nothing. A newline is a break, as in GitHub's comments.
READER = _Reader("commonmark", {"breaks": True, "xhtmlOut": False}, renderer_cls=_Writer)


READER.enable(["table", "strikethrough"]).disable("image")


def _fold(tag: str) -> str | None:
    found = FOLD.fullmatch(tag)
    return f"<details><summary>{READER.renderInline(found[1])}</summary>\n" if found else None


def _code(tag: str) -> str | None:
    return tag if tag == "<code>" else None


def _pair(
    tokens: Sequence[Token], kind: str, opening: Callable[[str], str | None], closing: str
) -> None:
    """Marks tags of ours that open and close in one and the same parent as to be shown."""
    waiting: list[tuple[Token, str]] = []
    for token in tokens:
        while waiting and token.level < waiting[-1][0].level:
            waiting.pop()
        if token.type != kind:
            continue
        shown = opening(token.content)
        if shown:
            waiting.append((token, shown))
        elif token.content.strip() == closing and waiting:
            opened, shown = waiting[-1]
            if opened.level == token.level:
                waiting.pop()
                opened.meta["shown"], token.meta["shown"] = shown, closing
