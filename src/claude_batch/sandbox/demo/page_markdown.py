"""The Markdown of comments as HTML, for untrusted text.

The parser recognizes HTML as GitHub's does, and the renderer writes it as text. The only tags
that are kept are `<details>` with a `<summary>`, and `<code>`: comments of this program hold
them. They are kept in pairs, so that the page stays well-formed. HTML comments are dropped.
"""

import re
from collections.abc import Callable, Sequence
from html import escape

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from claude_batch.diff.model import Line
from claude_batch.sandbox.demo.page_diff import escape_code, render_suggestion

LINK = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
DETAILS = re.compile(r"<details>\s*<summary>([^<>]*)</summary>\s*")


def render_markdown(text: str, lines: Sequence[Line] | None = None) -> str:
    """Return HTML. A suggestion replaces `lines`; if they are None, it is a block of code."""
    env: EnvType = {"lines": lines}
    tokens = PARSER.parse(text, env)
    _keep_pairs(tokens, "html_block", _render_details, "</details>")
    for token in tokens:
        _keep_pairs(token.children or [], "html_inline", _render_code, "</code>")
    return str(PARSER.renderer.render(tokens, PARSER.options, env))


class _Renderer(RendererHTML):
    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token, lines = tokens[idx], env["lines"]
        if lines is not None and token.info.strip() == "suggestion":
            return render_suggestion(lines, token.content)
        return f"<pre><code>{escape_code(token.content)}</code></pre>\n"

    def html_block(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        kept = tokens[idx].meta.get("kept")
        text = COMMENT.sub("", tokens[idx].content).strip()
        return kept or (f"<p>{escape(text)}</p>\n" if text else "")

    def html_inline(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        return tokens[idx].meta.get("kept") or escape(COMMENT.sub("", tokens[idx].content))


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:
        return LINK.match(url) is not None


# No images, because the page fetches nothing. A newline is a break, as in GitHub's comments.
PARSER = _Parser("commonmark", {"breaks": True, "xhtmlOut": False}, renderer_cls=_Renderer)
PARSER.enable(["table", "strikethrough"]).disable("image")


def _render_details(tag: str) -> str | None:
    match = DETAILS.fullmatch(tag)
    return f"<details><summary>{PARSER.renderInline(match[1])}</summary>\n" if match else None


def _render_code(tag: str) -> str | None:
    return tag if tag == "<code>" else None


def _keep_pairs(
    tokens: Sequence[Token], kind: str, render_opening: Callable[[str], str | None], closing: str
) -> None:
    """Keep the tags that open and close inside the same parent."""
    unclosed: list[tuple[Token, str]] = []
    for token in tokens:
        while unclosed and token.level < unclosed[-1][0].level:
            unclosed.pop()
        if token.type != kind:
            continue
        opening = render_opening(token.content)
        if opening:
            unclosed.append((token, opening))
        elif token.content.strip() == closing and unclosed:
            opened, opening = unclosed[-1]
            if opened.level == token.level:
                unclosed.pop()
                opened.meta["kept"], token.meta["kept"] = opening, closing
