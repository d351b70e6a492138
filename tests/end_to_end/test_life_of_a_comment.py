"""The life of a comment, from its first publication to the day when it has done its work."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from claude_batch.pull_requests.outcomes import compute_precision, list_findings
from claude_batch.pull_requests.publish import PublishResult
from claude_batch.sandbox.anthropic_server.reviewer import ModelReply
from claude_batch.sandbox.demo.conversation import ConversationItem
from claude_batch.sandbox.github_server.messages import Account
from claude_batch.sandbox.github_server.state import GitHubSettings
from claude_batch.sandbox.http_messages import Fault, HttpRequest, no_fault
from rig import PullRig, find, open_rig
from shop import TOKEN, open_shop

MONA, STRANGER, BOT = "mona", "passer-by", "github-actions[bot]"
TOKENS = {TOKEN: Account(BOT), "ghp_mona": Account(MONA)}
BLANK = "\n" * 12  # so that every function has a hunk of its own
FIXABLE = "    return eval(price)"
FIXED = "    return Decimal(price)"
ARGUED = "    except:"
UNLOVED = "    return total == None"
KEPT = "    return open(name).read()"
SHOP = BLANK.join(
    [
        f"def parse(price):\n{FIXABLE}\n",
        f"def add(items):\n    try:\n        return sum(items)\n{ARGUED}\n        return 0\n",
        f"def is_free(total):\n{UNLOVED}\n",
        f"def receipt(name):\n{KEPT}\n",
    ]
)
BEFORE = BLANK.join(
    [
        "def parse(price):\n",
        "def add(items):\n    try:\n        return sum(items)\n        return 0\n",
        "def is_free(total):\n",
        "def receipt(name):\n",
    ]
)


class Reviewer:
    """Says something about each of the four lines wherever it is shown them."""

    def __init__(self) -> None:
        self.body = "It goes wrong."
        self.replacement: str | None = None

    def __call__(self, params: Mapping[str, object]) -> ModelReply:
        said = {"body": self.body, "replacement": self.replacement}
        return find(FIXABLE, ARGUED, UNLOVED, KEPT, **said)(params)


def refuses_graphql(incoming: HttpRequest) -> Fault | None:
    return Fault(403, message="Forbidden") if incoming.path == "/graphql" else None


@pytest.fixture
def story(tmp_path: Path) -> Iterator["Story"]:
    setup = GitHubSettings(tokens=TOKENS, collaborators={MONA: "write", STRANGER: "read"})
    reviewer = Reviewer()
    with open_shop(tmp_path, setup) as shop, open_rig(shop.work, reviewer=reviewer) as rig:
        shop.git("checkout", "-q", "main")
        shop.commit({"till.py": BEFORE}, "a till")
        shop.git("push", "-q", "origin", "main")
        shop.git("checkout", "-q", "-b", "till")
        shop.commit({"till.py": SHOP}, "a till that works")
        shop.git("push", "-q", "origin", "till")
        number = shop.hub.open_pull("A till", "till")
        yield Story(PullRig(rig, shop, number, shop.forge()), reviewer)


class Story:
    def __init__(self, pull: PullRig, reviewer: Reviewer) -> None:
        self.pull, self.reviewer, self.shop, self.hub = pull, reviewer, pull.shop, pull.shop.hub
        self.text, self.token = SHOP, TOKEN

    def push(self, old: str, new: str) -> None:
        assert self.text.count(old) == 1
        self.text = self.text.replace(old, new)
        self.shop.commit({"till.py": self.text}, "as the review says")
        self.shop.git("push", "-q", "origin", "till")

    def review(self) -> PublishResult:
        """What CI does after a push, and an hour later."""
        self.pull.submit()
        self.pull.rig.collect()
        return self.publish()

    def publish(self) -> PublishResult:
        self.pull.forge.close()
        self.pull.forge = self.shop.forge(self.token)
        return self.pull.publish()

    @property
    def said(self) -> tuple[ConversationItem, ...]:
        return self.hub.conversation(self.pull.number)

    def comment(self, line: str) -> ConversationItem:
        """The comment of ours on a line, wherever the line is now."""
        [found] = [
            each
            for each in self.said
            if each.kind == "review comment"
            and each.in_reply_to is None
            and f"**About {line.strip()}**" in each.body.replace("\\", "")
        ]
        return found

    @property
    def summary(self) -> ConversationItem:
        [found] = [each for each in self.said if each.kind == "comment"]
        return found


def test_the_life_of_four_comments(story: Story) -> None:
    # A pull request is pushed and reviewed: four findings, each at its line, and one summary.
    done = story.review()
    assert (done.posted, done.updated, done.unchanged) == (5, 0, 0)
    assert "4 findings" in story.summary.body
    assert "| **Paid** |" in story.summary.body
    fixable, argued, unloved, kept = map(story.comment, (FIXABLE, ARGUED, UNLOVED, KEPT))
    assert {each.resolved_by for each in story.said} == {None}

    # Publishing again says nothing new.
    assert (story.publish().posted, story.publish().updated) == (0, 0)

    # One finding is fixed; about another somebody argues; a third gets a thumbs-down. A stranger
    # cannot silence the fourth.
    story.push(FIXABLE, FIXED)
    story.hub.reply(argued.id, MONA, "The till must never stop, see the manual.")
    story.hub.react(unloved.id, MONA, "-1")
    story.hub.react(kept.id, STRANGER, "-1")
    story.hub.reply(kept.id, STRANGER, "wontfix")

    # Before the new code has been reviewed nothing is taken for fixed.
    assert story.publish().pull_request == story.pull.number
    assert story.comment(FIXABLE).resolved_by is None

    # After the review the fixed one is resolved, and only that one.
    done = story.review()
    assert done.posted == 0
    assert story.comment(FIXABLE).resolved_by == BOT
    assert [story.comment(line).resolved_by for line in (ARGUED, UNLOVED, KEPT)] == [None] * 3

    # No comment was edited or repeated, and there is still one summary, which tells the news.
    for before in (fixable, argued, unloved, kept):
        after = next(each for each in story.said if each.id == before.id)
        assert (after.body, after.edited) == (before.body, False)
    assert story.summary.edited
    assert "2 findings" in story.summary.body
    assert "1 (silenced by a reviewer)" in story.summary.body
    assert [each.reason for each in done.dropped].count("silenced") == 1

    # A reply is respected: the argued line changes, and its thread is left to the people in it.
    story.push(ARGUED, "    except TypeError:")
    story.review()
    assert story.comment(ARGUED).resolved_by is None

    # The last thread is resolved by a person: that is heard as well.
    story.hub.resolve(kept.id, MONA)
    done = story.publish()
    assert [each.reason for each in done.dropped].count("silenced") == 2
    assert "0 findings" in story.summary.body
    assert story.publish().updated == 0

    # What was said is in the ledger once, and the outcomes say how often we were right.
    view = story.pull.rig.view
    assert sorted(one.what for one in view.feedback) == ["resolved", "thumbs_down"]
    rows = list_findings([story.pull.rig.ledger])
    outcomes = sorted({row.outcome for row in rows})
    assert outcomes == ["fixed", "posted", "resolved", "thumbs_down"]
    [row] = compute_precision((row.finding, row.outcome) for row in rows)
    assert (row.kind, row.severity, row.posted) == ("review", "high", 4)
    assert (row.accepted, row.rejected, row.share) == (1, 1, Decimal("0.5"))


def test_a_finding_that_comes_back_is_said_anew(story: Story) -> None:
    story.review()
    story.push(FIXABLE, FIXED)
    story.review()
    assert story.comment(FIXABLE).resolved_by == BOT
    story.push(FIXED, FIXABLE)
    done = story.review()
    assert done.posted == 1
    again = [each for each in story.said if "About return eval" in each.body]
    assert [each.resolved_by for each in again] == [BOT, None]
    assert story.review().posted == 0


def test_a_finding_that_is_said_in_other_words_is_edited(story: Story) -> None:
    story.review()
    kept = story.comment(KEPT)
    story.reviewer.body = "The file is never closed."
    story.push(f"def receipt(name):\n{KEPT}", f"def receipt(name):\n    name = str(name)\n{KEPT}")
    story.review()
    after = next(each for each in story.said if each.id == kept.id)
    assert after.edited
    assert "The file is never closed." in after.body


def test_a_fixed_finding_waits_for_the_answer_about_its_new_lines(story: Story) -> None:
    story.review()
    story.push(FIXABLE, "    return eval(price.strip())")
    story.pull.submit()  # under way
    story.publish()
    assert story.comment(FIXABLE).resolved_by is None
    story.pull.rig.collect()
    story.publish()
    assert story.comment(FIXABLE).resolved_by == BOT


def test_a_suggestion_that_is_applied_counts_as_accepted(story: Story) -> None:
    story.reviewer.replacement = FIXED
    story.review()
    assert "```suggestion" in story.comment(FIXABLE).body
    story.push(FIXABLE, FIXED)
    story.review()
    assert story.comment(FIXABLE).resolved_by == BOT
    assert [one.what for one in story.pull.rig.view.feedback] == ["applied"]
    [row] = compute_precision(
        (row.finding, row.outcome) for row in list_findings([story.pull.rig.ledger])
    )
    assert (row.posted, row.accepted, row.rejected) == (4, 1, 0)


def test_on_a_laptop_the_reviewer_is_a_person_too(story: Story) -> None:
    """What the token resolves is not taken for an opinion of its owner; what the owner does is."""
    story.token = "ghp_mona"
    story.review()
    story.push(FIXABLE, FIXED)
    story.review()
    assert story.comment(FIXABLE).resolved_by == MONA
    assert story.publish().posted == 0
    assert story.pull.rig.view.feedback == []
    story.hub.resolve(story.comment(KEPT).id, MONA)
    story.publish()
    assert [one.what for one in story.pull.rig.view.feedback] == ["resolved"]


def test_killed_between_resolving_and_recording(story: Story) -> None:
    """The record is made up for, and what we did is not taken for somebody's opinion."""
    story.review()
    story.push(FIXABLE, FIXED)
    story.pull.submit()
    story.pull.rig.collect()
    story.hub.resolve(story.comment(FIXABLE).id, BOT)
    story.publish()
    view = story.pull.rig.view
    assert view.feedback == []
    assert [post.state for post in view.posts.values()].count("resolved") == 1


def test_a_closed_pull_request_is_left_alone(story: Story) -> None:
    story.review()
    story.push(FIXABLE, FIXED)
    story.pull.submit()
    story.pull.rig.collect()
    before = story.said
    story.hub.close(story.pull.number)
    done = story.pull.publisher().close(story.pull.forge.get_pull_request(story.pull.number))
    assert {each.reason for each in done.dropped} == {"closed"}
    assert story.said == before


def test_a_token_that_may_not_resolve_says_so_and_posts_all_the_same(story: Story) -> None:
    story.review()
    story.push(FIXABLE, FIXED)
    story.hub.faults = refuses_graphql
    done = story.review()
    assert done.note.startswith("cannot see which threads of 1 are resolved: ")
    assert story.comment(FIXABLE).resolved_by is None
    story.hub.faults = no_fault
    assert story.publish().note == ""
    assert story.comment(FIXABLE).resolved_by == BOT
