"""A few points of the matrix, one for each way in which a crash is undone."""

from collections import Counter
from pathlib import Path

import pytest

from crash_gate import Point
from crash_trial import TAKES, Step, open_trial
from crash_truth import Words, faults

pytestmark = pytest.mark.block_network(allowed_hosts=["127.0.0.1", "/.*/listener-.*"])

WORDS: Counter[Words] = Counter(
    [
        *(("review comment", "run.py", line, "") for line in (1, 2, 3, 4)),
        ("comment", None, None, ""),
        ("check", None, None, ""),
        ("pull request", None, None, "Change the cart"),
    ]
)
SUBMIT, COLLECT, PUBLISH = Step(("submit",)), Step(("collect",), TAKES), Step(("publish",))
SAMPLE = {
    "claimed and not sent": ((SUBMIT,), Point("git", 1, "push")),
    "sent and not recorded": ((SUBMIT,), Point("http", None, "POST /v1/messages/batches")),
    "reconciled and not posted": (
        (Step(("event",)), Step(("schedule",), TAKES)),
        Point("git", 1, "push"),
    ),
    "posted and not recorded": (
        (SUBMIT, COLLECT, PUBLISH),
        Point("http", None, "POST /repos/acme/shop/pulls/1/reviews"),
    ),
}


@pytest.mark.parametrize("name", SAMPLE)
def test_after_a_crash_each_thing_is_paid_once_and_said_once(tmp_path: Path, name: str) -> None:
    steps, fatal = SAMPLE[name]
    with open_trial(tmp_path) as trial:
        for step in steps[:-1]:
            trial.run(step)
        trial.run(steps[-1], fatal)
        trial.finish("schedule" if "reconciled" in name else "submit")
        assert list(faults(trial, WORDS)) == []
