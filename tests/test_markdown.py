import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from claude_batch.markdown import code_block, code_span, escape_block, escape_line, truncate

ZW = "\u200b"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("**bold** and *soft*", "**bold** and *soft*"),
        ("- one\n- two\n\n> cited", "- one\n- two\n\n> cited"),
        ("call `f(x)` twice", "call `f(x)` twice"),
        ("snake_case", r"snake\_case"),
        ("hi @octocat", f"hi @{ZW}octocat"),
        ("&#64;octocat", f"&amp;#{ZW}64;octocat"),
        ("fixes o/r#12 and GH-3", f"fixes o/r#{ZW}12 and GH-{ZW}3"),
        ("a [text](https://evil.example) here", "a text here"),
        ("![alt](https://evil.example/x.png)", "alt"),
        ("[a [b](x)](https://evil.example)", r"\[a b\](`https://evil.example`)"),
        ("see https://evil.example/a?b=c.", "see `https://evil.example/a?b=c`."),
        ("_WWW.evil.example_", r"\_`WWW.evil.example_`"),
        ("`a`http://evil.example", f"`a`{ZW}`http://evil.example`"),
        ("<img src=x>", "&lt;img src=x>"),
        ("</details>", "&lt;/details>"),
        ("<!-- claude-batch:summary -->", "&lt;!-- claude-batch:summary -->"),
        ("`<!-- x -->`", "`<! -- x -->`"),
        ("unpaired ` tick", "unpaired \\` tick"),
        ("\\`<b>`", "\\\\`<b>`"),
        ("```a``b``` c", "```a``b``` c"),
        ("/approve", r"\/approve"),
        ("# Heading", r"\# Heading"),
        ("title\n---", "title\n\\---"),
        ("- ~~~", r"- \~\~\~"),
        ("a | b\n--|--", "a \\| b\n--\\|--"),
        ("`<img src=http://x.example>|`", rf"<code>&lt;img src=http:{ZW}//x.example>\|</code>"),
        ("`a || b`", "`a || b`"),
        ("bell\x07 and \u202eturn\u2066 and\r\nline", "bell and turn and\nline"),
        ("```py\nx = 1\n```\nafter", "```py\nx = 1\n```\nafter"),
        ("   ```py\n   x = `1`\n   ```", "```py\nx = `1`\n```"),
        ("```\nnever closed", "```\nnever closed\n```"),
        ("```suggestion\nrm -rf /\n```", "```\nrm -rf /\n```"),
        ("``` Suggestion:-0+1\nx\n```", "```\nx\n```"),
        ("~~~mermaid\ngraph\n~~~", "```\ngraph\n```"),
        ("~~~\n````\n/lgtm\n<!-- x -->\n~~~", "`````\n````\n /lgtm\n<! -- x -->\n`````"),
    ],
)
def test_a_model_cannot_do_more_than_talk(said: str, shown: str) -> None:
    assert escape_block(said) == shown


PIECES = """` `` ``` ~~~ <b> <!-- --> </details> [ ]( ) ! | \\ :- --- # 1. * _ x @x suggestion
    &lt; http://e.example www.e.example <http://e.example> [a]:"""
HOSTILE = st.lists(
    st.sampled_from([*PIECES.split(), "\n", "\n\n", " ", "    ", "- ", "> "]), max_size=25
).map("".join)


@settings(deadline=None)
@given(HOSTILE)
def test_another_reader_of_markdown_finds_nothing_live(said: str) -> None:
    mark = "<!-- claude-batch:summary -->"
    tokens = MarkdownIt("commonmark").enable("table").parse(f"{escape_block(said)}\n\n{mark}\n")
    inline = [child for token in tokens for child in token.children or ()]
    assert [token.content.strip() for token in tokens if token.type == "html_block"] == [mark]
    assert {one.content for one in inline if one.type == "html_inline"} <= {"<code>", "</code>"}
    assert not {one.type for one in inline} & {"link_open", "image"}
    assert not any(token.info.lower().startswith("suggestion") for token in tokens)
    text = "".join(one.content for one in inline if one.type == "text")
    assert not re.search(r"@\w|https?://|www\.", text, re.IGNORECASE)


def test_a_line_stays_one_line_without_emphasis() -> None:
    assert escape_line("# a\n\n**b**  `c*d`") == r"# a \*\*b\*\* `c*d`"


def test_long_text_says_what_was_cut() -> None:
    assert truncate("x" * 12, 10) == "xxxxxxxxxx … (2 characters cut)"
    assert len(escape_block("&" * 20_000)) < 41_000


def test_code_and_fences_outgrow_what_they_hold() -> None:
    assert code_span("a `b`") == "`` a `b` ``"
    assert code_block("```\n", "suggestion") == "````suggestion\n```\n````"
    assert code_block("", "suggestion") == "```suggestion\n```"
    # The longest run counts, wherever it stands.
    for text in ("`````\n```\n`\n", "`\n```\n`````\n", "```\n`````\n`\n"):
        assert code_block(text) == f"``````\n{text}``````"
