"""A rebase changes the function around a reviewed hunk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ci_runs import CiRuns, open_ci_runs
from rig import find

GUARD = "    if order is None:\n        return 0\n"
STEPS = [f"    step_{n}(order)\n" for n in range(20)]
CHANGED = "    charge(order)"
TITLE = "Charged without a guard"


def module(guard: str = GUARD, steps: list[str] = STEPS, after: str = "") -> dict[str, str]:
    """A function whose guard is far from its step 15, and what follows it in the file."""
    return {"pay.py": f"def pay(order):\n{guard}{''.join(steps)}{after}"}


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CiRuns]:
    """A pull request that changes step 15, with a published finding about it."""
    with open_ci_runs(tmp_path / "ci", monkeypatch, reviewer=find(CHANGED, title=TITLE)) as runs:
        runs.push(module(), "main")
        runs.push_branch("pay", module(steps=[*STEPS[:15], CHANGED + "\n", *STEPS[16:]]))
        runs.shop.hub.open_pull("Charge", "pay")
        runs.event("opened")
        runs.schedule()
        assert runs.asked(CHANGED) == 1
        assert has_finding(runs)
        yield runs


def rebase(runs: CiRuns, files: dict[str, str]) -> None:
    """Change the base branch and rebase the pull request on it."""
    runs.push(files, "main")
    runs.shop.git("rebase", "-q", "main", "pay")
    runs.shop.git("push", "-q", "--force", "origin", "pay")
    runs.shop.git("checkout", "-q", "main")
    runs.event("synchronize")


def has_finding(runs: CiRuns) -> bool:
    return sum(TITLE in body for body in runs.comments()) == 1


def test_a_lost_guard_is_asked_about_once(runs: CiRuns) -> None:
    rebase(runs, module(guard=""))
    assert runs.asked(CHANGED) == 2
    assert "if order is None" not in runs.prompts()[-1]
    assert has_finding(runs), "it stays while the second answer is in flight"
    assert "No findings" not in runs.title()
    for _ in range(3):
        runs.schedule()
    assert runs.asked(CHANGED) == 2
    assert has_finding(runs)


@pytest.mark.parametrize(
    "files",
    [
        {"other.py": "other = 1\n"},
        module(after="\n\ndef refund(order):\n    return order.total\n"),
        module(guard=GUARD.replace("if order", "if  order")),
    ],
    ids=["another file", "another function", "white space"],
)
def test_an_equal_definition_sends_nothing(runs: CiRuns, files: dict[str, str]) -> None:
    sent = runs.sent()
    rebase(runs, files)
    runs.schedule()
    runs.schedule(hours=30)
    assert runs.sent() == sent
    assert has_finding(runs)


def test_the_second_change_of_a_day_waits(runs: CiRuns) -> None:
    rebase(runs, module(guard=""))
    runs.schedule()
    rebase(runs, module(guard=GUARD.replace("None", "False")))
    for _ in range(3):
        runs.schedule()
    assert runs.asked(CHANGED) == 2
    assert has_finding(runs)
    runs.schedule(hours=24)
    assert runs.asked(CHANGED) == 3
    runs.schedule()
    runs.schedule(hours=48)
    assert runs.asked(CHANGED) == 3
    assert has_finding(runs)
