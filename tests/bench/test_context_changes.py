"""The benchmark of re-asks, on pull requests whose counts are known."""

import os
from pathlib import Path

from bench.context_changes import (
    FIRST,
    KINDS_OF_PUSH,
    LATER,
    REBASE_CHANGED,
    REBASE_EQUAL,
    REBASE_NEW,
    PushCounts,
    RepositoryCounts,
    measure,
    report,
)
from scratch import Work

GUARD = "    if order is None:\n        return 0\n"
STEPS = "".join(f"    step_{n}(order)\n" for n in range(20))
FUNCTION = "def pay(order):\n{guard}{steps}    return order.total\n"
BEFORE = {"pay.py": FUNCTION.format(guard=GUARD, steps=STEPS)}
AFTER = {"pay.py": FUNCTION.format(guard=GUARD, steps=STEPS.replace("step_15", "charge"))}


def measure_pull(folder: Path, *commits: dict[str, str], base: dict[str, str]) -> RepositoryCounts:
    """One merged pull request of these commits, with one commit on the base meanwhile."""
    work = Work(folder)
    work.git("init", "-q")
    work.commit(dict(BEFORE))
    work.git("checkout", "-q", "-b", "feature")
    for files in commits:
        work.commit(dict(files))
    work.git("checkout", "-q", "main")
    work.commit(dict(base))
    message = "Merge pull request #1 from feature"
    work.git("merge", "-q", "--no-ff", "-s", "ours", "-m", message, "feature")
    before = work.git("count-objects", "-v")
    counts = measure(folder, os.environ, 5)
    assert work.git("count-objects", "-v") == before, "nothing is written to it"
    return counts


def pushed(**counts: int) -> PushCounts:
    return PushCounts(pushes=1, tasks=1, **counts)


def test_a_rebase_onto_another_file_sends_nothing(tmp_path: Path) -> None:
    counts = measure_pull(tmp_path, AFTER, base={"other.py": "a = 1\n"})
    assert counts.by_kind[FIRST] == pushed(new=1, requests=1)
    assert counts.by_kind[REBASE_EQUAL] == pushed()
    assert counts.sum(LATER, REBASE_CHANGED, REBASE_NEW) == PushCounts()
    assert counts.is_on_target


def test_a_rebase_that_loses_the_guard_asks_again(tmp_path: Path) -> None:
    counts = measure_pull(tmp_path, AFTER, base={"pay.py": FUNCTION.format(guard="", steps=STEPS)})
    asked = pushed(with_reasks=1, changed=1, reasked=1, requests=1)
    assert counts.by_kind[REBASE_CHANGED] == asked
    assert counts.by_kind[REBASE_EQUAL] == PushCounts()
    assert not counts.is_on_target, "one of one"


def test_a_second_hunk_of_the_function_is_asked_with_the_first_as_context(tmp_path: Path) -> None:
    steps = STEPS.replace("step_15", "charge").replace("step_5(", "check(")
    second = {"pay.py": FUNCTION.format(guard=GUARD, steps=steps)}
    counts = measure_pull(tmp_path, AFTER, second, base={"other.py": "a = 1\n"})
    later = PushCounts(pushes=1, tasks=2, new=1, changed=1, requests=1)
    assert counts.by_kind[LATER] == later
    assert counts.sum(*KINDS_OF_PUSH).reasked == 0


def test_the_report_has_a_row_for_each_repository_and_kind_of_push(tmp_path: Path) -> None:
    counts = measure_pull(tmp_path, AFTER, base={"other.py": "a = 1\n"})
    rows = list(report({"one": counts}))
    assert "| one | 1 | 1 | 1 | 1 | 0 | 0.0 % |" in rows
    assert f"| {REBASE_EQUAL} | 1 | 1 | 0 | 0 | 0 | 0 | 0 |" in rows
