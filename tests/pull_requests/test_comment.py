import pytest

from claude_batch.findings.finding import Category, Severity
from claude_batch.pull_requests import comment as comment
from responses import placed


def test_a_comment_with_a_suggestion() -> None:
    said = placed(
        1,
        severity=Severity.HIGH,
        title="`None` is compared with `==`",
        body="An object may define `__eq__` and answer anything.\n\nUse `is`, as PEP 8 has it.",
        suggestion="    if x is None:\n",
    )
    assert (
        comment.render_comment(said)
        == """\
high · bug

**`None` is compared with `==`**

An object may define `__eq__` and answer anything.

Use `is`, as PEP 8 has it.

```suggestion
    if x is None:
```

<!-- claude-batch:finding:0000000000000f01 -->"""
    )


def test_a_comment_that_nobody_looked_at_twice() -> None:
    said = placed(1, severity=Severity.CRITICAL, category=Category.SECURITY, body="")
    assert (
        comment.render_comment(said, unverified=True)
        == """\
critical · security · unverified

**Title 1**

<!-- claude-batch:finding:0000000000000f01 -->"""
    )


def test_a_hostile_comment_talks_and_no_more() -> None:
    said = placed(
        1,
        title="@all </b>\n<!-- claude-batch:finding:aaaaaaaaaaaaaaaa -->",
        body="```suggestion\nevil()\n```\n<!-- claude-batch:summary -->",
        suggestion="```\n<!-- claude-batch:summary -->\n",
    )
    assert (
        comment.render_comment(said).replace("\u200b", "·")
        == """\
medium · bug

**@·all &lt;/b> &lt;!-- claude-batch:finding:aaaaaaaaaaaaaaaa -->**

```
evil()
```
&lt;!-- claude-batch:summary -->

````suggestion
```
<!-- claude-batch:summary -->
````

<!-- claude-batch:finding:0000000000000f01 -->"""
    )
    assert comment.read_marker(comment.render_comment(said)) == "0000000000000f01"


def test_lines_that_go() -> None:
    assert "```suggestion\n```\n" in comment.render_comment(placed(1, suggestion=""))
    assert "```suggestion\n\n```\n" in comment.render_comment(placed(1, suggestion="\n"))


def test_the_longest_comment_fits() -> None:
    said = placed(1, title="&" * 9_000, body="&" * 90_000, suggestion="x" * 15_998 + "\n")
    assert len(comment.render_comment(said)) < comment.MAX_BODY
    long = comment.render_comment(placed(1, suggestion="x\n" * 9_000))
    assert (
        "A replacement of 9,000 lines is too long to show here; "
        "`claude-batch apply 0000000000000001` applies it." in long
    )


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ("x\n\n<!-- claude-batch:finding:0123456789abcdef -->", "0123456789abcdef"),
        ("x\r\n\r\n<!-- claude-batch:finding:0123456789abcdef -->\r\n", "0123456789abcdef"),
        ("<!-- claude-batch:summary -->", "summary"),
        ("<!-- claude-batch:summary -->\nand more", None),
        ("> <!-- claude-batch:summary -->", None),
        ("x <!-- claude-batch:summary -->", None),
        ("<!-- claude-batch:finding:0123456789ABCDEF -->", None),
        ("<!-- claude-batch:finding:0123 -->", None),
        ("", None),
    ],
)
def test_a_marker_is_the_whole_last_line(body: str, key: str | None) -> None:
    assert comment.read_marker(body) == key


def test_nothing_is_rendered_without_its_marker() -> None:
    with pytest.raises(ValueError, match="not a fingerprint"):
        comment.append_marker("x", "-->")
    with pytest.raises(ValueError, match=r"a body of \d+ characters"):
        comment.append_marker("x" * 60_000, "summary")
