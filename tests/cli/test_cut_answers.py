"""The requests that are sent again after an answer was cut at its limit or refused."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from claude_batch.costs.estimates import LIMIT_MAX
from claude_batch.sandbox.anthropic_server.reviewer import ModelReply
from claude_batch.sandbox.anthropic_server.server import BatchesServer
from program import ONCE, Place, open_place
from rig import NOTHING, content

CUT = ModelReply('{"findings":[', "max_tokens")
REFUSED = ModelReply("", "refusal", refusal="cyber")
TITLE, DESCRIPTION, RULE = "Count the money", "Because it was lost.", "Never round."


@contextmanager
def reviewed(path: Path, *replies: ModelReply) -> Iterator[Place]:
    """A pull request with one task, and the first answers to it."""
    left = [*replies]

    def review(params: Mapping[str, Any]) -> ModelReply:
        return left.pop(0) if left else NOTHING

    with open_place(path, batches=lambda: BatchesServer(reviewer=review), config=ONCE) as place:
        place.shop.git("checkout", "-q", "-b", "money")
        place.shop.commit({"money.py": "total = 1\n"})
        place.shop.git("checkout", "-q", "main")
        place.shop.commit({"CLAUDE.md": RULE})  # in no commit of the pull request
        place.shop.git("push", "-q", "origin", "main", "money")
        place.shop.hub.open_pull(TITLE, "money", body=DESCRIPTION)
        yield place


def by_hand(place: Place) -> None:
    place.run("submit", "--pr", "1")
    for _ in range(4):
        place.run("collect")


def in_actions(place: Place) -> None:
    place.run("submit", "--pr", "1")
    for _ in range(4):
        place.run("ci", environ=place.event("schedule"))


@pytest.mark.parametrize("run", [by_hand, in_actions])
def test_a_cut_answer_has_more_room_and_the_same_context(
    tmp_path: Path, run: Callable[[Place], None]
) -> None:
    with reviewed(tmp_path, CUT, CUT) as place:
        run(place)
        bodies = [params for _, _, params in place.batches.submitted()]
        limits = [params["max_tokens"] for params in bodies]
        assert limits == [limits[0], 2 * limits[0], 4 * limits[0]]
        assert limits[-1] <= LIMIT_MAX
        for params in bodies:
            shown = content(params)
            assert all(text in shown for text in (f'title="{TITLE}"', DESCRIPTION, RULE))
        # Only the limit differs.
        assert {str({**params, "max_tokens": 0}) for params in bodies} == {
            str({**bodies[0], "max_tokens": 0})
        }


def test_an_answer_that_is_always_cut_is_tried_three_times(tmp_path: Path) -> None:
    with reviewed(tmp_path, *[CUT] * 9) as place:
        by_hand(place)
        assert place.created() == 3
        assert place.json("status")["failed_tasks"] == 1


@pytest.mark.parametrize("run", [by_hand, in_actions])
def test_a_lone_refusal_is_not_repeated(tmp_path: Path, run: Callable[[Place], None]) -> None:
    with reviewed(tmp_path, REFUSED) as place:
        run(place)
        place.run("submit", "--pr", "1")
        assert place.created() == 1
