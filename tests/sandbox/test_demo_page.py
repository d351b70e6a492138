import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from claude_batch.pull_requests.comment import append_marker
from claude_batch.sandbox.demo.conversation import ConversationItem
from claude_batch.sandbox.demo.page import render_page
from claude_batch.sandbox.demo.page_markdown import render_markdown

NOON = "2026-11-22T12:00:00Z"
BOT = "github-actions[bot]"
VOID = {"br", "hr", "meta"}
TAGS = re.compile(
    "html|head|meta|title|style|body|main|header|section|article|div|p|span|b|small|time|h[1-6]|"
    "code|pre|table|thead|tbody|t[rhd]|mark|details|summary|[uo]l|li|blockquote|strong|em|s|a|[bh]r"
)
ATTRIBUTES = re.compile(
    "lang|charset|http-equiv|content|name|class|id|datetime|colspan|style|href|aria-hidden|start"
)
HUNK = """\
@@ -1,4 +1,5 @@
 import os
-import sys
+import json
+import yaml
 LIMIT = 3
 table = yaml.load(os.environ["TABLE"])"""


class Elements(HTMLParser):
    """Fails where an element is not closed in its place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.shown: list[str] = []
        self.comments: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.shown.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.shown).split())


def remark(number: int, body: str, **changes: object) -> ConversationItem:
    values: dict[str, object] = {
        "review": 1000,
        "path": "shop/table.py",
        "line": 5,
        "side": "RIGHT",
        "diff_hunk": HUNK,
    }
    return ConversationItem("review comment", number, BOT, body, NOON, **{**values, **changes})  # type: ignore[arg-type]


def show(*said: ConversationItem, title: str = "Read the table") -> str:
    return render_page(
        title, "octocat", "main", "feature", said, note="Rules wrote this, not Claude."
    )


def words(body: str) -> str:
    """The body of a comment on line 5, as it is shown."""
    found = re.search(r'<div class="words">(.*)</div></article>', show(remark(1001, body)), re.S)
    assert found
    return found[1].strip()


def harmless(text: str) -> Elements:
    """Only our elements and attributes, in balance, and links that lead to a web page."""
    seen = Elements(text)
    for tag, attributes in seen.found:
        assert TAGS.fullmatch(tag)
        assert all(map(ATTRIBUTES.fullmatch, attributes))
        assert (attributes.get("href") or "https://").startswith(("https://", "http://", "mailto:"))
        if tag != "meta" and "style" in attributes:
            assert re.fullmatch(r"text-align:(left|right|center)", attributes["style"] or "")
    assert seen.comments == []
    return seen


# -- the page -------------------------------------------------------------------------------


def test_the_head_of_the_page() -> None:
    text = show()
    assert text.startswith('<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n')
    assert (
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
    ) in text
    assert "<title>Read the table</title>" in text
    assert "@media (prefers-color-scheme: dark)" in text
    assert '<p class="note">Rules wrote this, not Claude.</p>\n<main>' in text
    assert (
        "<h1>Read the table</h1>\n<p><b>octocat</b> wants to merge <code>feature</code> into "
        "<code>main</code></p>"
    ) in text
    assert "There are no comments yet." in text
    assert harmless(text).text.endswith("There are no comments yet.")


def test_nothing_is_fetched() -> None:
    text = show(remark(1001, "![a picture](https://example.com/a.png)"))
    assert not re.search(r"src=|url\(|@import|<link|<script|<img|<iframe", text)


def test_a_review_comment_under_its_file_and_hunk() -> None:
    text = show(remark(1001, append_marker("high · bug\n\n**Unsafe**\n\nRead on.", "a" * 16)))
    assert "reviewed <time" in text
    assert " · 1 thread</p>" in text
    assert '<section class="file"><h2><code>shop/table.py</code></h2>' in text
    assert '<p class="where">Line 5</p>' in text
    assert (
        '<tr class="removed"><td class="number">2</td><td class="number"></td>'
        '<td class="sign">-</td><td>import sys</td></tr>'
        '<tr class="added"><td class="number"></td><td class="number">2</td>'
        '<td class="sign">+</td><td>import json</td></tr>'
    ) not in text, "rows far above the line are not shown"
    assert (
        '<tr class="added"><td class="number"></td><td class="number">3</td>'
        '<td class="sign">+</td><td>import yaml</td></tr>'
        '<tr class="context"><td class="number">3</td><td class="number">4</td>'
        '<td class="sign"> </td><td>LIMIT = 3</td></tr>'
        '<tr class="context"><td class="number">4</td><td class="number">5</td>'
        '<td class="sign"> </td><td>table = yaml.load(os.environ[&quot;TABLE&quot;])</td></tr>'
    ) in text
    assert (
        '<b>github-actions</b> <small class="bot">bot</small> commented '
        '<time datetime="2026-11-22T12:00:00Z">2026-11-22 12:00 UTC</time></p>\n'
        '<div class="words"><p>high · bug</p>\n<p><strong>Unsafe</strong></p>\n'
        "<p>Read on.</p>\n</div></article>"
    ) in text
    assert "claude-batch:" not in text


def test_files_of_a_review_are_groups_in_order() -> None:
    text = show(
        remark(1001, "third", path="b.py"),
        remark(1002, "second", path="a.py"),
        remark(1003, "first", path="a.py", line=4, start_line=2),
    )
    assert re.findall(r"<h2><code>(.*?)</code>|<p>(first|second|third)</p>", text) == [
        ("a.py", ""),
        ("", "first"),
        ("", "second"),
        ("b.py", ""),
        ("", "third"),
    ]
    assert text.count('class="review"') == 1
    assert '<p class="where">Lines 2 to 4</p>' in text
    assert '<tr class="header"><td colspan="4">@@ -1,4 +1,5 @@</td></tr>' in text


def test_a_reply_stands_in_its_thread() -> None:
    text = show(
        remark(1001, "a finding"),
        ConversationItem("comment", 1002, "octocat", "in between", NOON),
        remark(1003, "wontfix", review=1099, in_reply_to=1001),
    )
    assert re.findall(r"<p>(a finding|wontfix|in between)</p>", text) == [
        "a finding",
        "wontfix",
        "in between",
    ]
    assert text.count('class="thread"') == text.count('class="review"') == 1


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"line": None}, "Outdated"),
        ({"line": None, "diff_hunk": ""}, "The whole file"),
        ({"side": "LEFT", "line": 4}, "Old line 4"),
        ({"side": "LEFT", "line": 4, "start_line": 2}, "Old lines 2 to 4"),
        ({"line": None, "resolved_by": "<mona>"}, "Outdated · resolved by <b>&lt;mona&gt;</b>"),
    ],
)
def test_where_a_comment_stands(changes: dict[str, object], where: str) -> None:
    text = show(remark(1001, "```suggestion\nx\n```", **changes))
    assert f'<p class="where">{where}</p>' in text
    harmless(text)


def test_words_of_a_review_and_an_edited_comment() -> None:
    text = show(
        ConversationItem("review", 1000, "octocat", "*Thanks*", NOON),
        ConversationItem("comment", 1001, "octocat", "later", "some day", edited=True),
    )
    assert '<div class="words"><p><em>Thanks</em></p>\n</div></section>' in text
    assert "<b>octocat</b> commented some day · edited</p>" in text


@pytest.mark.parametrize(
    ("conclusion", "shown", "look"),
    [
        ("success", "passed", "good"),
        ("failure", "failed", "bad"),
        ("neutral", "neutral", "neutral"),
        (None, "in progress", "neutral"),
        ("<b>", "&lt;b&gt;", "neutral"),
    ],
)
def test_a_check_comes_last(conclusion: str | None, shown: str, look: str) -> None:
    text = show(
        ConversationItem(
            "check", 1001, BOT, "All **well**.", NOON, title="9 & more", conclusion=conclusion
        ),
        ConversationItem("comment", 1002, BOT, "later", NOON),
    )
    assert (
        f'<section class="checks"><h2>Checks</h2><article class="check {look}">'
        f"<h3>9 &amp; more <small>{shown}</small></h3>\n"
        '<div class="words"><p>All <strong>well</strong>.</p>\n</div></article>\n</section>\n'
        "</main>"
    ) in text
    assert text.index("later") < text.index("Checks</h2>")


# -- suggestions ----------------------------------------------------------------------------


def test_a_suggestion_is_a_small_diff() -> None:
    said = '```suggestion\ntable = yaml.safe_load(os.environ["TABLE"])\n```'
    quote = "&quot;"
    assert words(said) == (
        '<div class="suggestion"><p>Suggested change</p><table class="diff"><tbody>'
        '<tr class="removed"><td class="number">5</td><td class="number"></td>'
        f'<td class="sign">-</td><td>table = yaml.load(os.environ[{quote}TABLE{quote}])</td></tr>'
        '<tr class="added"><td class="number"></td><td class="number">5</td>'
        '<td class="sign">+</td><td>table = yaml.<mark>safe_</mark>'
        f"load(os.environ[{quote}TABLE{quote}])</td></tr></tbody></table></div>"
    )


def rows(text: str) -> list[str]:
    """The rows of the suggestion, as a diff would have them."""
    inside = text.partition('class="suggestion"')[2]
    found = re.findall(r'<td class="sign">(.)</td><td>(.*?)</td>', inside)
    return [sign + re.sub("</?mark>", "", code) for sign, code in found]


def test_a_suggestion_for_several_lines() -> None:
    text = show(remark(1001, "```suggestion\nimport os\n\nx\ny\n```", line=5, start_line=3))
    assert rows(text) == [
        "-import yaml",
        "-LIMIT = 3",
        "-table = yaml.load(os.environ[&quot;TABLE&quot;])",
        "+import os",
        "+",
        "+x",
        "+y",
    ]


def test_a_suggestion_that_deletes_and_one_that_empties() -> None:
    line = "-table = yaml.load(os.environ[&quot;TABLE&quot;])"
    assert rows(show(remark(1001, "```suggestion\n```"))) == [line]
    assert rows(show(remark(1001, "```suggestion\n\n```"))) == [line, "+"]


def test_an_outdated_suggestion_shows_what_it_would_have_put_there() -> None:
    assert rows(show(remark(1001, "```suggestion\nx\n```", line=None))) == ["+x"]


def test_a_suggestion_in_the_conversation_is_code() -> None:
    assert render_markdown("```suggestion\nx\n```") == "<pre><code>x\n</code></pre>\n"


def test_a_carriage_return_does_not_show_and_a_hidden_character_does() -> None:
    hunk = "@@ -0,0 +1,2 @@\n+one\r\n+is_\u202eadmin\r"
    text = show(remark(1001, "```suggestion\nis_admin\n```", diff_hunk=hunk, line=2))
    assert "<td>one</td>" in text
    assert '<td>is_<span class="hidden">U+202E</span>admin</td>' in text


# -- Markdown -------------------------------------------------------------------------------


def test_the_summary_comment() -> None:
    body = append_marker(
        "## claude-batch\n\n2 findings.\n\n<details>\n<summary>1 finding not at the lines</summary>"
        "\n\n- `a.py:1` low: **Title** Text\n\n</details>\n\n"
        "| Receipt | |\n|---|---:|\n| **Paid** | **$0.01** |\n| <code>a\\|b</code> | 2 |",
        "summary",
    )
    assert render_markdown(body) == (
        "<h2>claude-batch</h2>\n<p>2 findings.</p>\n"
        "<details><summary>1 finding not at the lines</summary>\n"
        "<ul>\n<li><code>a.py:1</code> low: <strong>Title</strong> Text</li>\n</ul>\n</details>"
        '<table>\n<thead>\n<tr>\n<th>Receipt</th>\n<th style="text-align:right"></th>\n</tr>\n'
        "</thead>\n<tbody>\n<tr>\n<td><strong>Paid</strong></td>\n"
        '<td style="text-align:right"><strong>$0.01</strong></td>\n</tr>\n'
        '<tr>\n<td><code>a|b</code></td>\n<td style="text-align:right">2</td>\n</tr>\n'
        "</tbody>\n</table>\n"
    )


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
        ("a <img src=x onerror=alert(1)> b", "<p>a &lt;img src=x onerror=alert(1)&gt; b</p>"),
        ("[go](javascript:alert(1))", "<p>[go](javascript:alert(1))</p>"),
        ("<javascript:alert(1)>", "<p>&lt;javascript:alert(1)&gt;</p>"),
        ("[go](data:text/html,x)", "<p>[go](data:text/html,x)</p>"),
        ("[go](file:///etc/passwd)", "<p>[go](file:///etc/passwd)</p>"),
        ("[go](//example.com)", "<p>[go](//example.com)</p>"),
        ("![x](https://e.com/x.png)", '<p>!<a href="https://e.com/x.png">x</a></p>'),
        (
            '[a](https://e.com/"onclick="x)',
            '<p><a href="https://e.com/%22onclick=%22x">a</a></p>',
        ),
        ("one\ntwo", "<p>one<br>\ntwo</p>"),
        ("~~gone~~", "<p><s>gone</s></p>"),
        ("a <!-- hidden --> b", "<p>a  b</p>"),
        ("<!-- hidden\nover lines -->", ""),
        ("<!-- hidden --> not hidden", "<p>not hidden</p>"),
        ("```html\n<!-- code -->\n```", "<pre><code>&lt;!-- code --&gt;\n</code></pre>"),
        ("<!-- never closed", "<p>&lt;!-- never closed</p>"),
        ("</details>", "<p>&lt;/details&gt;</p>"),
        ("</div></article>", "<p>&lt;/div&gt;&lt;/article&gt;</p>"),
        ("<details open>", "<p>&lt;details open&gt;</p>"),
        (
            "<details>\n<summary>a <b>c</b></summary>\n\n</details>",
            "<p>&lt;details&gt;\n&lt;summary&gt;a &lt;b&gt;c&lt;/b&gt;&lt;/summary&gt;</p>\n"
            "<p>&lt;/details&gt;</p>",
        ),
        ("*a <code> b* </code>", "<p><em>a &lt;code&gt; b</em> &lt;/code&gt;</p>"),
        ("&lt;script&gt;", "<p>&lt;script&gt;</p>"),
    ],
)
def test_what_others_write_stays_text(said: str, shown: str) -> None:
    assert render_markdown(said).strip() == shown


def test_hostile_names_stay_text() -> None:
    bad = '"><script>alert(1)</script>\u202e'
    said = (
        remark(1001, bad, path=bad, diff_hunk=f"@@ -0,0 +1,1 @@{bad}\n+{bad}", line=1),
        ConversationItem("comment", 1002, bad, bad, bad),
        ConversationItem("check", 1003, bad, bad, bad, title=bad, conclusion=bad),
    )
    seen = harmless(render_page(bad, bad, bad, bad, said, note=bad))
    assert seen.text.count('"><script>alert(1)</script>') >= 12


def test_half_a_character_can_be_written() -> None:
    text = show(
        remark(1001, "\ud800", diff_hunk="@@ -0,0 +1,1 @@\n+\ud800", line=1), title="\ud83d"
    )
    assert text.encode()


SHARDS = (
    "<details>\n<summary>s</summary>\n\n",
    "</details>\n\n",
    "<details>",
    "<summary>",
    "<code>",
    "</code>",
    "<script>",
    "</script>",
    "</article>",
    "<!--",
    "-->",
    '<a href="javascript:x" onclick="y">',
    "[l](javascript:x)",
    "[l](https://e.com)",
    "```suggestion\n",
    "```\n",
    "- ",
    "> ",
    "| a | b |\n|---|:-:|\n| ",
    " | ",
    "*",
    "**",
    "`",
    "\n",
    "\n\n",
    "    ",
    "\\",
    "&lt;",
    "&#60;script>",
    "# ",
    "---\n",
    "1. ",
    '"',
    "word",
    "\x00",
)


@given(st.lists(st.sampled_from(SHARDS), max_size=14).map("".join))
@example("- <details>\n  <summary>s</summary>\n- </details>")
@example("> <details>\n> <summary>s</summary>\n\n</details>")
@example("<details>\n<summary>s</summary>\n\n- a\n\n  </details>\n\n</details>")
@example("[<code>](https://e.com)</code>")
def test_whatever_is_written_the_page_stays_whole(body: str) -> None:
    said = (remark(1001, body), ConversationItem("comment", 1002, BOT, body, NOON))
    seen = harmless(show(*said))
    assert [tag for tag, _ in seen.found].count("article") == 2
