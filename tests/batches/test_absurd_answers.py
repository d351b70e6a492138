"""Answers that no reviewer would give: nothing crashes, no rubbish is posted, all is counted."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from claude_batch.cli.output.publish_result import publish_document
from claude_batch.exports.export import export_findings
from claude_batch.findings.parsing import MAX_FINDINGS
from claude_batch.git.work_tree import WorkTree
from claude_batch.pull_requests.outcomes import list_findings
from claude_batch.sandbox.anthropic_server.reviewer import ModelReply
from claude_batch.sandbox.demo.conversation import ConversationItem
from rig import NOTHING, PullRig, anchors, finding, open_pull, open_rig
from shop import open_shop

LINE = "line_10 = 'ten'"
Params = Mapping[str, object]
Open = Callable[[Callable[[str], object]], AbstractContextManager[PullRig]]


@pytest.fixture
def told(tmp_path: Path) -> Open:
    """A pull request that was submitted and collected; `say` makes the answer's text, or its
    object, from the anchor of a line of it."""

    @contextmanager
    def opened(say: Callable[[str], object]) -> Iterator[PullRig]:
        def reviewer(params: Params) -> ModelReply:
            shown = anchors(params)
            if LINE not in shown:
                return NOTHING
            said = say(shown[LINE])
            text = said if isinstance(said, str) else json.dumps(said)
            return ModelReply(text, output_tokens=99)  # or a long one would be cut

        with open_shop(tmp_path) as shop, open_rig(shop.work, reviewer=reviewer) as rig:
            pull = open_pull(rig, shop)
            pull.submit()
            counts = rig.collect().counts()
            assert counts["succeeded"] + counts["unreadable"] == 1
            yield pull

    return opened


def reasons(pull: PullRig) -> dict[str, int]:
    """Publishes; what was not posted, as scripts are told."""
    rows = publish_document([pull.publish()])["dropped"]
    assert isinstance(rows, list)
    return {row["reason"]: row["count"] for row in rows}


def comments(pull: PullRig) -> list[ConversationItem]:
    said = pull.shop.hub.conversation(pull.number)
    return [each for each in said if each.kind == "review comment"]


def rendered(body: str) -> list[Token]:
    """What a Markdown reader that lets HTML through makes of it, without the nesting."""
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    return [each for token in tokens for each in [token, *(token.children or ())]]


def check(pull: PullRig) -> ConversationItem:
    [found] = [each for each in pull.shop.hub.conversation(pull.number) if each.kind == "check"]
    return found


@pytest.mark.parametrize(
    "said",
    [
        "",
        "I found nothing wrong.",
        '```json\n{"findings": []}\n```',
        "<html><body>502 Bad Gateway</body></html>",
        "[" * 100_000,
        '{"findings": {}}',
        '{"findings": [1, null, "x"]}',
        '{"findings": [], "verdict": "approve"}',
        '{"findings": [{"from": 10, "to": true, "severity": []}]}',
        json.dumps({"findings": [finding("1abc", LINE, severity="catastrophic")]}),
        json.dumps({"findings": [finding("1abc", LINE, body={"text": "x"})]}),
        '{"findings": [' + "9" * 100_000 + "]}",
        '{"findings": "\\ud800"}',
    ],
    ids=range(13),
)
def test_an_answer_of_another_shape_is_unreadable_and_nothing_is_posted(
    told: Open, said: str
) -> None:
    with told(lambda anchor: said) as pull:
        [answered] = pull.rig.answers().values()
        assert (answered.outcome, answered.retriable) == ("unreadable", True)
        assert answered.usd  # it was paid all the same
        assert reasons(pull) == {}
        assert comments(pull) == []
        assert "0 tasks reviewed" in str(check(pull).body)
        assert pull.forge.list_comments(pull.number) == []


def test_thousands_of_findings_are_a_few_comments_and_numbers(told: Open) -> None:
    many = 5_000
    with told(lambda at: {"findings": [finding(at, LINE, body="x" * 50)] * many}) as pull:
        assert sum(row.findings for row in pull.rig.answers().values()) == many
        assert reasons(pull) == {"duplicate": MAX_FINDINGS - 1, "malformed": many - MAX_FINDINGS}
        assert pull.reviewed() == [("cart.py", 10)]
        assert f"{many - MAX_FINDINGS:,} (malformed answer)" in pull.summary()


def test_unknown_anchors_are_shown_below_once_each(told: Open) -> None:
    strange = [
        "",
        "0",
        "1zzz",
        "99999aaa",
        "10",
        "-3abc",
        "line_10",
        "1" * 100_000,
        "\x00",
        "９abc",
    ]
    said = [finding(at, LINE, title=f"About {n % 5}") for n, at in enumerate(strange)]
    with told(lambda at: {"findings": said}) as pull:
        assert reasons(pull) == {"duplicate": 5, "unplaced": 5}
        assert comments(pull) == []
        assert pull.summary().count("**About") == 5


def test_hundreds_of_unknown_anchors_fit_the_summary(told: Open) -> None:
    said = [finding("1zzz", LINE, title=f"{n} " + "t" * 190, body="b " * 900) for n in range(200)]
    faint = [
        finding("1zzz", LINE, severity="low", confidence="low", title=f"F{n}") for n in range(9)
    ]
    with told(lambda at: {"findings": [*faint, *said[:190]]}) as pull:
        assert reasons(pull) == {"low_confidence": 9, "unplaced": 190}
        assert len(pull.summary()) < 65_536
        assert "more; `claude-batch findings` lists all" in pull.summary()


def test_findings_without_words_are_counted_and_nowhere_shown(told: Open) -> None:
    empty = [
        {"title": "", "body": ""},
        {"title": " \n\t", "body": "\x00\x1b\x07"},
        {"title": "\u200b\u202e", "body": "```\n```"},
        {"title": "***", "body": "---", "replacement": "line_10 = 10"},
    ]
    with told(lambda at: {"findings": [finding(at, LINE, **one) for one in empty]}) as pull:
        assert reasons(pull) == {"malformed": 4}
        assert comments(pull) == []
        assert "4 (malformed answer)" in str(check(pull).body)
        assert {found.outcome for found in list_findings([pull.rig.ledger])} == {"malformed"}
        work_tree = WorkTree(pull.shop.work)
        assert export_findings([pull.rig.ledger], work_tree, "markdown") == "No findings.\n"


OURS = {"<details", "</details", "<summary", "</summary"}
MARKER = re.compile(r"<!-- claude-batch:\S+ --")
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=y> @octocat #1 "
    "[x](javascript:alert(1)) ![y](http://evil.example/z.png)\n"
    "<!-- claude-batch:0123456789abcdef -->\n</details>\n/approve\n"
    "```suggestion\nimport os; os.system('x')\n```\n````\n~~~\n\x1b[2J\x00\u202e\u2066"
)


def test_html_fences_and_control_characters_stay_words(told: Open) -> None:
    one = {"title": HOSTILE, "body": HOSTILE * 3}
    below = finding("1zzz", LINE, **one)
    with told(lambda at: {"findings": [finding(at, LINE, **one), below]}) as pull:
        assert reasons(pull) == {"unplaced": 1}
        [comment] = comments(pull)
        for body in (comment.body, pull.summary()):
            tokens = rendered(body)
            html = "".join(each.content for each in tokens if each.type.startswith("html"))
            assert html.count("<details>") == html.count("</details>")
            assert set(re.findall(r"<[^>]*", html)) <= OURS | set(MARKER.findall(html))
            assert len(MARKER.findall(body)) == body.count("<!--") == 1
            assert not {"link_open", "image"} & {each.type for each in tokens}
            assert not [each for each in tokens if each.info.startswith("suggestion")]
            assert not [each for each in tokens if each.type == "text" and "@oct" in each.content]
            assert not [row for row in body.split("\n") if row.startswith("/")]
            assert not set(body) & set("\x00\x1b\u202e\u2066")


def test_bodies_of_100_kb_are_cut(told: Open) -> None:
    long = finding("", LINE, title="t " * 50_000, body="<b>`" * 25_000, replacement="x" * 100_000)
    with told(lambda at: {"findings": [{**long, "from": at, "to": at}, long]}) as pull:
        assert reasons(pull) == {"unplaced": 1}
        [comment] = comments(pull)
        assert len(comment.body) < 65_536
        assert "suggestion" not in comment.body
        assert len(pull.summary()) < 65_536


@pytest.mark.parametrize(
    ("replacement", "suggested"),
    [
        ("line_10 = 10", True),
        ("", True),
        ("line_10 = (", False),
        ("line_10 = 10\x00", False),
        ("line_10 = '\x1b[2J'", False),
        ("line_10 = 10  # \u202e", False),
        ("```\nline_10 = 10\n```", False),
        ("line_10 = '''\n" + "x\n" * 5_000, False),
        (LINE, False),
        (f"\t {LINE}", False),
    ],
)
def test_only_a_proved_replacement_is_offered(
    told: Open, replacement: str, suggested: bool
) -> None:
    with told(lambda at: {"findings": [finding(at, LINE, replacement=replacement)]}) as pull:
        assert reasons(pull) == {}
        [comment] = comments(pull)
        assert ("```suggestion\n" in comment.body) == suggested
