from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from claude_batch.anthropic_api.results import Outcome
from claude_batch.diff.model import Side, SkippedFile
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.findings.finding import Category, Finding
from claude_batch.findings.placement import DroppedFinding, PlacedFinding
from claude_batch.github_api.models import Reaction, RemoteComment, ReviewThread
from claude_batch.ledger.events import (
    AnswerRecorded,
    Estimate,
    FeedbackRecorded,
    Intent,
    IntentId,
    Plan,
    Post,
    RequestRecorded,
)
from claude_batch.ledger.view import LedgerState
from claude_batch.pull_requests.feedback import (
    Conversation,
    CurrentFindings,
    Feedback,
    FixedThread,
    is_applied,
    new_feedback,
    prefer_current_diff,
    silenced_fingerprints,
)
from claude_batch.tasks.plan import PlannedFile, PlannedTask
from claude_batch.tasks.task import Task
from responses import diff, finding, hunk, task

BOT = "github-actions[bot]"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
STAMP: dict[str, Any] = {"at": NOON, "run": "r", "repo": "o/r"}
KEY, OTHER = "a" * 16, "b" * 16
OURS = RemoteComment(10, BOT, "ours", "src/a.py", 2)
ZERO = Decimal(0)


def nothing(path: str) -> None:
    """No file has a text."""


def reply(body: str, login: str = "mona") -> RemoteComment:
    return RemoteComment(11, login, body, "src/a.py", 2, in_reply_to=10)


def talk(**more: Any) -> Conversation:
    values = {"ours": {10: KEY}, "comments": [OURS], "login": BOT}
    return Conversation(**(values | more))


def thread(resolver: str | None = None, comment: int = 10) -> ReviewThread:
    return ReviewThread("T", comment, resolver is not None, resolver)


def resolved_post(remote_id: int = 10) -> Post:
    values = {
        "pr": 7,
        "what": "comment",
        "key": KEY,
        "remote_id": remote_id,
        "sha": "",
        "head": "h",
    }
    return Post(**STAMP, **values, state="resolved")  # type: ignore[arg-type]


# opinions


def test_reactions_to_our_comments_are_opinions() -> None:
    given = [
        Reaction(10, "mona", "-1"),
        Reaction(10, "tess", "+1"),
        Reaction(10, "mona", "eyes"),
        Reaction(99, "mona", "-1"),  # not to a comment of ours
    ]
    assert list(talk(reactions=given).feedback(())) == [
        Feedback(KEY, "thumbs_down", "mona"),
        Feedback(KEY, "thumbs_up", "tess"),
    ]


@pytest.mark.parametrize(
    ("body", "counts"),
    [
        ("wontfix", True),
        ("  WontFix: as designed", True),
        ("I say wontfix", False),
        ("won't fix", False),
        ("> wontfix\n\nwhy not?", False),
    ],
)
def test_a_reply_that_begins_with_wontfix(body: str, counts: bool) -> None:
    found = [each.what for each in talk(comments=[OURS, reply(body)]).feedback(())]
    assert found == ["wontfix"] * counts


@pytest.mark.parametrize(
    ("resolver", "login", "posts", "fixed", "says"),
    [
        ("mona", BOT, {}, (), True),
        (None, BOT, {}, (), False),
        ("github-actions", BOT, {}, (), False),  # GraphQL's name for us
        ("mona", "mona", {}, (), True),  # on a laptop we are mona too
        ("mona", "mona", {KEY: resolved_post()}, (), False),
        ("mona", "mona", {}, (KEY,), False),  # ours, and killed before it was recorded
        ("mona", None, {}, (), True),
    ],
)
def test_a_thread_that_a_person_resolved(
    resolver: str | None, login: str | None, posts: dict[str, Post], fixed: Any, says: bool
) -> None:
    around = talk(threads=[thread(resolver)], login=login, posts=posts)
    assert [each.what for each in around.feedback(fixed)] == ["resolved"] * says


def test_only_news_of_people_with_write_access() -> None:
    said = [
        Feedback(KEY, "thumbs_down", "stranger"),
        Feedback(KEY, "thumbs_down", "other[bot]"),
        Feedback(KEY, "thumbs_down", "mona"),
        Feedback(KEY, "thumbs_down", "acme"),
        Feedback(OTHER, "wontfix", "mona"),
    ]
    asked: list[str] = []

    def may_write(login: str) -> bool:
        asked.append(login)
        return login != "stranger"

    known = FeedbackRecorded(**STAMP, pr=7, fingerprint=OTHER, what="wontfix")
    assert new_feedback(said, LedgerState(feedback=[known]), 7, may_write) == [said[2]]
    assert asked == ["stranger", "mona"]
    assert silenced_fingerprints([known], [said[2], Feedback("c" * 16, "thumbs_up", "mona")]) == {
        KEY,
        OTHER,
    }


# endings


@pytest.mark.parametrize(
    ("more", "ends"),
    [
        ({"threads": [thread()]}, ["T"]),
        ({"threads": [thread()], "comments": [OURS, reply("why?")]}, []),
        ({"threads": [thread()], "comments": [OURS, reply("fixed", "ci[bot]")]}, ["T"]),
        ({"threads": [thread("mona")]}, []),
        ({"threads": [thread("github-actions")]}, [None]),  # to be recorded only
        ({"threads": [thread("github-actions")], "posts": {KEY: resolved_post()}}, []),
        ({"threads": [thread()], "posts": {KEY: resolved_post(8)}}, ["T"]),  # an earlier comment
        ({"threads": [thread(comment=99)]}, []),
        ({"threads": []}, []),
    ],
)
def test_which_threads_end(more: dict[str, Any], ends: list[str | None]) -> None:
    fixed = {KEY: finding(1, fingerprint=KEY)}
    found = list(talk(**more).fixed_threads(fixed, nothing))
    assert [each.thread for each in found] == ends
    assert list(talk(**more).fixed_threads({}, nothing)) == []


def test_an_ending_says_whether_the_suggestion_was_applied() -> None:
    ours = replace(OURS, body="text\n\n```suggestion\n    x = 1\n```")
    fixed = {KEY: finding(1, fingerprint=KEY, replacement="x = 1")}
    around = talk(comments=[ours], threads=[thread()])
    [one] = around.fixed_threads(fixed, {"src/a.py": b"def f():\n    x = 1\n"}.get)
    assert one == FixedThread(KEY, ours, "T", True)
    [other] = around.fixed_threads(fixed, {"src/a.py": b"y = 1\n"}.get)
    assert not other.applied


@pytest.mark.parametrize(
    ("replacement", "text", "applied"),
    [
        ("a = 1\nb = 2", b"    a = 1\r\n    b = 2\r\n", True),
        ("a = 1\nb = 2", b"a = 1\nc\nb = 2\n", False),
        ("a = 1", None, False),
        (None, b"a = 1\n", False),
        ("", b"a = 1\n", False),
        ("\n", b"\n\n", False),
    ],
)
def test_applied(replacement: str | None, text: bytes | None, applied: bool) -> None:
    said = finding(1, replacement=replacement)
    assert is_applied(said, "```suggestion\n```", text) is applied
    assert not is_applied(said, "prose", text)


# what is fixed

OLD = task("src/a.py", hunk("-one\n+two"))
NEW = task("src/a.py", hunk("-one\n+three"))
BESIDE = task("src/a.py", hunk("+beside", 40, 40))
ELSEWHERE = task("src/b.py", hunk("+else"))
SAID = finding(1, fingerprint=KEY, task=OLD.id)


def plan(number: int, *tasks: Task) -> Plan:
    files = tuple(
        PlannedFile(
            path=one.path,
            old_path=one.path,
            old_blob="1" * 40,
            new_blob="2" * 40,
            tasks=(PlannedTask(id=one.id, kind=one.kind, old_start=1, new_start=1),),
        )
        for one in tasks
    )
    stamp = STAMP | {"pr": 7, "label": "pull request 7", "base": "b", "head": f"h{number}"}
    return Plan(**stamp, id=f"p{number}", files=files, new=1, reused=0)


def view(plans: Sequence[Plan], *answered: Task) -> LedgerState:
    price = Estimate(input_tokens=1, output_tokens=1, usd=ZERO, usd_standard=ZERO, usd_max=ZERO)
    tasks = tuple(
        AnchoredTask(id=one.id, path=one.path, signs="+", hashes="aaa") for one in answered
    )
    intent = Intent(
        **STAMP, id=IntentId("i"), lease_until=NOON, lane="batch", requests=1, sha256="s"
    )
    asked = RequestRecorded(
        **STAMP,
        intent=intent.id,
        n=0,
        sha="s",
        pr=7,
        kind="review",
        model="m",
        effort=None,
        tasks=tasks,
        estimate=price,
    )
    answer = AnswerRecorded(**STAMP, intent=intent.id, n=0, batch=None, outcome=Outcome.SUCCEEDED)
    return LedgerState.from_events([*plans, intent, asked, answer])


def today(
    seen: LedgerState, *tasks: Task, placed: Sequence[PlacedFinding] = (), **more: Any
) -> CurrentFindings:
    shown = diff(*((one.path, one.hunk) for one in tasks))
    values: dict[str, Any] = {"diff": shown, "dropped": [DroppedFinding(SAID, "changed_meanwhile")]}
    return CurrentFindings(seen, 7, tasks=tasks, placed=placed, **(values | more))


def at(said: Finding, line: int = 2) -> PlacedFinding:
    return PlacedFinding(said, "src/a.py", Side.RIGHT, line, line)


def fixed(seen: CurrentFindings) -> bool:
    return list(seen.fixed_findings([KEY, OTHER])) == [KEY]


FIRST = plan(1, OLD, BESIDE)
BOTH = [FIRST, plan(2, NEW, BESIDE)]


def test_fixed_is_what_changed_and_was_answered_without_it() -> None:
    assert fixed(today(view(BOTH, OLD, NEW), NEW, BESIDE))


def test_not_before_the_new_lines_are_answered() -> None:
    assert not fixed(today(view(BOTH, OLD), NEW, BESIDE))
    assert not fixed(today(view([FIRST], OLD), NEW, BESIDE)), "not even submitted"


def test_not_while_its_lines_stand() -> None:
    seen = view(BOTH, OLD, NEW)
    assert not fixed(today(seen, NEW, placed=[at(SAID)], dropped=[]))
    assert not fixed(today(seen, NEW, dropped=[DroppedFinding(SAID, "outside_diff")]))
    again = finding(2, fingerprint=KEY, task=NEW.id)
    assert not fixed(today(seen, NEW, placed=[at(again)])), "it is said again"
    assert not fixed(today(seen, NEW, dropped=[]))


def test_not_while_the_new_lines_have_one_of_its_category() -> None:
    seen = view(BOTH, OLD, NEW)
    same = finding(2, fingerprint=OTHER, task=NEW.id)
    other = finding(3, fingerprint=OTHER, task=NEW.id, category=Category.DOCS)
    neighbour = finding(4, fingerprint=OTHER, task=BESIDE.id)
    assert not fixed(today(seen, NEW, placed=[at(same)]))
    assert fixed(today(seen, NEW, placed=[at(other)]))
    assert fixed(today(seen, NEW, BESIDE, placed=[at(neighbour, 40)])), "asked together before"


def test_a_change_that_was_taken_back_is_fixed() -> None:
    assert fixed(today(view([FIRST, plan(2, BESIDE)], OLD), BESIDE))
    assert fixed(today(view([FIRST], OLD)))


def test_where_the_code_went_nobody_knows() -> None:
    moved = view([FIRST, plan(2, ELSEWHERE)], OLD)
    assert not fixed(today(moved, ELSEWHERE)), "it may be there, and has no answer"
    assert fixed(today(view([FIRST, plan(2, ELSEWHERE)], OLD, ELSEWHERE), ELSEWHERE))
    gone = replace(diff(), skipped=(SkippedFile("src/a.py", "too large"),))
    assert not fixed(today(moved, diff=gone))


def test_another_kind_of_question_is_no_answer() -> None:
    docs = task("src/a.py", hunk("-one\n+three"), "docs")
    assert not fixed(today(view([FIRST, plan(2, docs)], OLD, docs), docs))


def test_a_renamed_file_is_followed() -> None:
    there = task("src/new.py", hunk("-one\n+three"))
    shown = diff(("src/new.py", there.hunk))
    [change] = shown.files
    renamed = replace(shown, files=(replace(change, old_path="src/a.py"),))
    plans = [FIRST, plan(2, there, ELSEWHERE)]
    assert fixed(today(view(plans, OLD, there), there, ELSEWHERE, diff=renamed))
    assert not fixed(today(view(plans, OLD, ELSEWHERE), there, ELSEWHERE, diff=renamed))


def test_the_words_of_today_win() -> None:
    carried = replace(at(SAID), method="walk")
    said = at(finding(2, fingerprint=KEY, task=NEW.id))
    alone = replace(at(finding(3, fingerprint=OTHER)), method="moved")
    assert prefer_current_diff([carried, said, alone]) == [said, alone]
