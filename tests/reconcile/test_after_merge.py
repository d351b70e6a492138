"""What comes after a merge, and what the merge queue gets."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ci_runs import CiRuns, open_ci_runs
from program import ONCE, SUSPICIOUS


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CiRuns]:
    with open_ci_runs(tmp_path / "ci", monkeypatch) as runs:
        runs.push({"run.py": SUSPICIOUS})
        runs.shop.hub.open_pull("Change the cart", "feature")
        yield runs


def merge(runs: CiRuns) -> None:
    runs.event("opened")
    runs.shop.hub.merge(1)
    runs.event("closed")


def merged_comments(runs: CiRuns) -> list[str]:
    return [body for body in runs.comments() if "merged before" in body]


def test_grave_findings_come_as_one_comment_and_once(runs: CiRuns) -> None:
    merge(runs)
    assert not [entry for entry in runs.batches.log if entry.path.endswith("/cancel")]
    for _ in range(4):
        runs.schedule()
    (comment,) = merged_comments(runs)
    assert "Text is run as code" in comment
    assert runs.title() == "Closed before review"


def test_none_if_that_is_turned_off(runs: CiRuns) -> None:
    runs.configure(ONCE + "max_comments = { open = 5, merged = 0 }\n")
    merge(runs)
    for _ in range(3):
        runs.schedule()
    assert merged_comments(runs) == []


def test_none_on_a_pull_request_that_was_closed(runs: CiRuns) -> None:
    runs.event("opened")
    runs.shop.hub.close(1)
    for _ in range(3):
        runs.schedule()
    assert merged_comments(runs) == []


def test_posted_before_the_merge_it_is_not_said_again(runs: CiRuns) -> None:
    runs.event("opened")
    runs.schedule()
    runs.shop.hub.merge(1)
    runs.event("closed")
    for _ in range(3):
        runs.schedule()
    assert merged_comments(runs) == []


def test_the_merge_queue_gets_a_completed_check_at_once(runs: CiRuns) -> None:
    head = runs.shop.git("rev-parse", "feature").stdout.decode().strip()
    runs.ci("merge_group", {"action": "checks_requested", "merge_group": {"head_sha": head}})
    assert runs.sent() == 0
    check = runs.checks()[-1]
    assert (check["head_sha"], check["status"], check["conclusion"]) == (
        head,
        "completed",
        "neutral",
    )
    assert runs.title() == "Not reviewed again in the merge queue"


def test_a_superseded_head_says_so(runs: CiRuns) -> None:
    runs.event("opened")
    old = runs.checks()[-1]["head_sha"]
    head = runs.push({"late.py": "late = 1\n"})
    runs.event("synchronize")
    titles = {check.get("head_sha"): check["output"]["title"] for check in runs.checks()}
    ended = [check for check in runs.checks() if "Superseded" in check["output"]["title"]]
    assert ended[-1]["output"]["title"] == f"Superseded by {head[:7]}"
    assert titles[head].startswith("Review pending: ")
    assert old != head
