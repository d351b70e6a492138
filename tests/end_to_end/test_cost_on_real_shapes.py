"""The wire benchmark on a repository that is drawn here; `make bench-cost` does it on real ones."""

from collections import Counter
from datetime import date

import pytest

from bench import cost_tables
from bench.cost import RepositoryCost
from bench.cost_tables import FirstPushTotals, LaterPushTotals
from bench.patches import parse_hunks
from bench.stories import BaseChange, split_into_pushes
from bench.wire import Push, ReceivedRequest, open_probe
from claude_batch.costs.prices import Prices
from scratch import Work
from shop import environ

FILES = ("a.py", "b.py")


class Project:
    """Two files of sixty lines, and branches that are merged with a merge commit."""

    def __init__(self, work: Work) -> None:
        self.work = work
        work.commit({name: "".join(f"{name[0]}_{n} = {n}\n" for n in range(60)) for name in FILES})

    def edit(self, name: str, number: int, text: str) -> None:
        rows = (self.work.path / name).read_text().splitlines(keepends=True)
        rows[number] = f"{text}\n"
        self.work.commit({name: "".join(rows)})

    def merged(self, *edits: tuple[str, int, str], meanwhile: tuple[str, int, str]) -> None:
        git = self.work.git
        git("checkout", "-q", "-b", "topic")
        for edit in edits:
            self.edit(*edit)
        git("checkout", "-q", "main")
        self.edit(*meanwhile)
        said = "Merge pull request #1 from octo/topic\n\nChange it\n\nBecause."
        git("merge", "-q", "--no-ff", "-X", "ours", "-m", said, "topic")
        git("branch", "-q", "-D", "topic")


@pytest.fixture
def project(work: Work) -> Work:
    drawn = Project(work)
    drawn.merged(
        ("a.py", 10, "first = 1"),
        ("a.py", 50, "second = 2"),
        ("a.py", 10, "first = 3"),
        meanwhile=("b.py", 5, "elsewhere = 1"),
    )
    drawn.merged(("a.py", 30, "apart = 1"), meanwhile=("a.py", 20, "before = 1\nbefore = 2"))
    drawn.merged(("b.py", 20, "close = 1"), meanwhile=("b.py", 22, "context = 1"))
    drawn.merged(("b.py", 40, "theirs = 1"), meanwhile=("b.py", 40, "ours = 1"))
    work.commit({"c.py": "c = 1\n"}, "Add c (#5)")
    work.commit({"d.py": "not a pull request\n"})
    return work


def state(work: Work) -> bytes:
    return work.git("for-each-ref") + work.git("count-objects", "-v") + work.git("status", "-s")


def test_every_push_is_counted_where_it_arrives(project: Work) -> None:
    before, measured = state(project), RepositoryCost()
    with open_probe(project.path, environ()) as wire:
        measured.measure(wire, first=9, histories=9, rebases=9)
    assert state(project) == before
    firsts = [one.push for one in measured.firsts]
    assert [(push.tasks, push.asked, len(push.requests)) for push in firsts] == [
        (2, 2, 1),
        *[(1, 1, 1)] * 4,
    ]
    for push in firsts:
        assert push.sent > sum(map(len, push.requests[0].blocks)) > push.diff
        assert push.sent / 4 < push.tokens < push.sent
        assert (push.requests[0].model, push.requests[0].kind) == ("claude-sonnet-5-5", "review")
    prefix = measured.firsts[0].prefix["claude-sonnet-5-5", "review"]
    assert prefix == sum(len(block.encode()) for block in firsts[0].requests[0].blocks[:2])
    (stories,) = measured.projects
    known = {each: LaterPushTotals.of(found) for each, found in stories.items()}
    assert known[1] == LaterPushTotals(pushes=2, tasks=4, unsent=2, hunks=4, hashed=2)
    assert known[2] == LaterPushTotals(pushes=1, tasks=2, unsent=1, hunks=2, hashed=1)
    assert known[3] == LaterPushTotals(pushes=0, tasks=0, unsent=0, hunks=0, hashed=0)
    assert Counter(one.moved for one in measured.rebases) == Counter(BaseChange)
    asked = {one.moved: one.pushes[1].asked for one in measured.rebases}
    assert asked == {BaseChange.ELSEWHERE: 0, BaseChange.APART: 0, BaseChange.CLOSE: 1}
    assert measured.left_out == {"rebases: a conflict": 1}
    report = "\n".join(measured.report())
    assert "| 1 | **all** | 2 | 4 | **50.0 %** | 50.0 % |" in report
    assert "| in the same files, context lines changed | 1 | 1 | 1 | 1 | 1 |" in report
    assert "\n* rebases: a conflict: 1" in report


def test_what_is_asked_has_anchors_and_what_goes_along_has_none() -> None:
    shown = '<file path="a.py">\n@@ def f():\n1abc new\n2abd+row\n@@\n along\n@@\n3abe-old\n</file>'
    params = {
        "model": "claude-sonnet-5-5",
        "output_config": {"format": {}},
        "system": [{"type": "text", "text": "Read it.\n@@\n1abc+an example\nKind: docs\n"}],
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": " @@ said"}, {"type": "text", "text": shown}],
            }
        ],
    }
    arrived = ReceivedRequest.of(params)
    assert (arrived.kind, arrived.asked) == ("docs", 2)
    assert [block[:8] for block in arrived.blocks] == [
        '{"format',
        '"Read it',
        '" @@ sai',
        '"<file p',
    ]


def request(*blocks: str) -> ReceivedRequest:
    return ReceivedRequest("claude-sonnet-5-5", "review", 500, 1, blocks)


def test_a_prefix_is_read_at_one_price_and_written_at_another() -> None:
    """At 64 %: 0.64 × 0.10 + 0.36 × 4 is 0.752 of an input token's price of 2."""
    instructions = "i" * 1_000
    pair = tuple(request(instructions, text) for text in "ab")
    push = Push(diff=1_000, hunks=frozenset(), tasks=2, sent=3_004, requests=pair)
    rates = Prices.load().rates("claude-sonnet-5-5", at=date(2026, 11, 22), prompt_tokens=0)
    assert list(cost_tables.equivalents(cost_tables.firsts([push]), rates)) == [
        "| diff | as sent | 30% read | 64% read | 98% read |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| < 2 KB | 1.50 | 1.92 | 1.25 | 0.59 |",
        "| **all** | 1.50 | 1.92 | 1.25 | 0.59 |",
    ]
    assert list(cost_tables.first_pushes([FirstPushTotals(push, {})]))[2:] == [
        "| < 2 KB | 1 | 1,000 | 2 | 3,004 | **3.00** | 1,000 |",
        "| **all** | 1 | 1,000 | 2 | 3,004 | **3.00** | 1,000 |",
    ]


def test_what_is_shared_ends_with_the_first_block_that_differs() -> None:
    assert cost_tables.shared([request("ab", "c", "e"), request("ab", "d", "e")]) == 2
    assert cost_tables.shared([request("ab", "c"), request("ab", "c", "d")]) == 3


def test_a_history_is_set_against_its_diffs_at_full_price() -> None:
    push = Push(diff=1_000, hunks=frozenset(), tasks=1, sent=1_500, requests=())
    later = Push(diff=2_000, hunks=frozenset(), tasks=1, sent=0, requests=())
    assert list(cost_tables.whole_histories([{1: [(push, later)]}]))[2:] == [
        "| 1 | 1 | 2 | 3,000 | 1,500 | 0.50 | **0.25** |"
    ]


@pytest.mark.parametrize(
    ("each", "heads"), [(1, "abcde"), (2, "bde"), (3, "ce"), (5, "e"), (9, "e")]
)
def test_commits_are_pushed_so_many_at_a_time(each: int, heads: str) -> None:
    assert split_into_pushes("abcde", each) == list(heads)


def test_hunks_are_told_apart_by_path_and_rows_not_by_line_numbers(work: Work) -> None:
    rows = [f"line {n}\n" for n in range(40)]
    start = work.commit({"a b.py": "".join(rows), "gone.py": "x = 1\n"})
    rows[5], rows[35] = "@@ five\n", "-- thirty-five\n"
    work.git("rm", "-q", "gone.py")
    first = work.commit({"a b.py": "".join(rows)})
    hunks = list(parse_hunks(work.git("diff", start, first)))
    assert [path for path, _ in hunks] == [b"a b.py\t", b"a b.py\t", b"gone.py"]
    assert hunks[0][1].split(b"\n")[3:5] == [b"-line 5", b"+@@ five"]
    work.git("checkout", "-q", start)
    lower = work.commit({"a b.py": "on top\n" + "".join(f"line {n}\n" for n in range(40))})
    second = work.commit({"a b.py": "on top\n" + "".join(rows)})
    assert list(parse_hunks(work.git("diff", lower, second))) == hunks[:2]
