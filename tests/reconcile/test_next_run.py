"""What one run could not do, the next run does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ci_runs import CiRuns, open_ci_runs
from claude_batch.prompts import kinds
from claude_batch.sandbox.http_messages import Fault, fail_calls
from github_faults import Script, bad_gateway
from program import ONCE, pull_event

CREATE = ("POST", "/v1/messages/batches")


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CiRuns]:
    with open_ci_runs(tmp_path / "ci", monkeypatch) as runs:
        runs.shop.hub.open_pull("Change the cart", "feature")
        yield runs


REFUSALS = {
    "overloaded": Fault(529, kind="overloaded_error"),
    "too many requests": Fault(429, kind="rate_limit_error"),
    "too large": Fault(413, kind="request_too_large"),
    "no credit": Fault(400, kind="invalid_request_error", message="credit balance is too low"),
}


@pytest.mark.parametrize("fault", REFUSALS.values(), ids=REFUSALS.keys())
def test_a_refused_send_is_made_up_for(runs: CiRuns, fault: Fault) -> None:
    runs.batches.faults = fail_calls(*CREATE, *[fault] * 5)
    runs.event("opened")
    assert runs.sent() == 0
    assert runs.warnings
    assert runs.title().startswith("Waiting: ")
    runs.batches.faults = lambda request: None
    runs.schedule()
    assert runs.sent() > 0
    sent = runs.sent()
    runs.schedule()
    assert runs.sent() == sent


def test_a_pull_request_whose_event_was_lost_is_reviewed(runs: CiRuns) -> None:
    runs.event("opened")
    runs.schedule()
    runs.push({"late.py": "late = 1\n"})
    runs.schedule()
    assert runs.asked("late = 1") == 1


def test_an_idle_repository_sends_and_says_nothing(runs: CiRuns) -> None:
    runs.schedule()
    runs.schedule()
    assert runs.sent() == 0
    assert not runs.checks()


@pytest.mark.parametrize("path", [r"/pulls/1$", r"\.git/info/refs"])
def test_an_outage_of_github_before_the_plan_is_made_up_for(runs: CiRuns, path: str) -> None:
    runs.schedule()  # it is installed, and the pull request was open before
    runs.push({"late.py": "late = 1\n"})
    outage = Script()
    for method in ("GET", "POST"):
        outage.expect(method, path, bad_gateway(after=False), times=100)
    runs.shop.hub.faults = outage
    runs.event("synchronize")
    assert runs.sent() == 0
    runs.shop.hub.faults = lambda request: None
    runs.schedule()
    assert runs.asked("late = 1") == 1
    runs.schedule()
    assert runs.asked("late = 1") == 1


def test_a_budget_that_was_raised_lets_the_next_run_send(runs: CiRuns) -> None:
    runs.configure(ONCE + "ladder = []\n[budget]\npull_request = 0.0001\n")
    runs.event("opened")
    assert runs.sent() == 0
    assert "budget" in runs.warnings[0]
    runs.schedule()
    assert runs.sent() == 0
    runs.configure(ONCE + "[budget]\npull_request = 5\n")
    runs.schedule()
    assert runs.sent() > 0


def test_an_old_event_is_not_believed(runs: CiRuns) -> None:
    """The payload says that it was opened; it is merged by now."""
    runs.shop.hub.merge(1)
    document = runs.event("opened")
    assert runs.sent() == 0
    assert document["notes"] == ["pull request 1 is merged"]


def test_an_old_event_of_a_close_cancels_nothing(runs: CiRuns) -> None:
    runs.event("opened")
    runs.event("closed")
    assert runs.sent() > 0
    assert not canceled(runs)


def test_three_quick_pushes_are_paid_once(runs: CiRuns) -> None:
    for number in range(3):
        runs.push({"quick.py": f"quick = {number}\n"})
        runs.event("synchronize" if number else "opened")
    sent = runs.sent()
    # The first batch is needed for the files that did not change since.
    assert len(canceled(runs)) == 1
    runs.schedule(hours=3)
    runs.schedule(hours=3)
    assert runs.sent() == sent


def test_a_new_base_is_planned_and_old_answers_are_reused(runs: CiRuns) -> None:
    runs.shop.git("branch", "release", "main")
    runs.shop.git("push", "-q", "origin", "release")
    runs.push({"main_only.py": "only = 1\n"}, "main")
    runs.event("opened")
    sent = runs.sent()
    runs.shop.hub.change_base(1, "release")
    runs.event("edited")
    assert runs.sent() == sent  # no base was changed, says the event
    payload = pull_event("edited") | {"changes": {"base": {"ref": {"from": "main"}}}}
    document = runs.ci("pull_request", payload)
    assert document["flush"]["plans"][0]["known"] > 0


def test_another_pull_request_with_the_same_hunks_keeps_the_batch(runs: CiRuns) -> None:
    runs.event("opened")
    sent = runs.sent()
    runs.shop.git("branch", "twin", "feature")
    runs.shop.git("push", "-q", "origin", "twin")
    twin = runs.shop.hub.open_pull("The same", "twin")
    runs.event("opened", twin)
    assert runs.sent() == sent
    runs.shop.hub.close(1)
    runs.event("closed")
    assert not canceled(runs)
    runs.run("cancel", "--all")  # by a person
    runs.schedule(hours=2)
    runs.schedule(hours=2)
    assert runs.sent() == 2 * sent


def test_a_closed_pull_request_whose_event_was_lost_is_ended(runs: CiRuns) -> None:
    runs.event("opened")
    runs.shop.hub.close(1)
    runs.schedule(hours=0.1)
    assert len(canceled(runs)) == 1


def test_one_wrong_configuration_does_not_stop_the_others(runs: CiRuns) -> None:
    runs.shop.git("branch", "release", "main")
    runs.push({".claude-batch.toml": "modle = 'x'\n"}, "release")
    runs.schedule()
    runs.push({"late.py": "late = 1\n"})
    runs.push_branch("other", {"other.py": "other = 1\n"}, "release")
    runs.shop.hub.open_pull("Other", "other", "release")
    runs.schedule()
    assert runs.asked("late = 1") == 1
    assert runs.asked("other = 1") == 0
    assert any("modle" in warning for warning in runs.warnings)


def test_a_typo_on_main_does_not_lose_what_waits(runs: CiRuns) -> None:
    runs.batches.faults = fail_calls(*CREATE, Fault(529, kind="overloaded_error"))
    runs.event("opened")
    runs.configure(ONCE)
    runs.schedule()
    assert runs.sent() > 0


def test_installed_on_a_busy_repository_nothing_happens(runs: CiRuns) -> None:
    for number in range(30):
        runs.shop.git("push", "-q", "origin", f"feature:old-{number}")
        runs.shop.hub.open_pull(f"Old {number}", f"old-{number}")
    writes = len(runs.checks())
    runs.schedule()
    runs.schedule()
    assert runs.sent() == 0
    assert len(runs.checks()) == writes
    assert not runs.comments()


def test_an_upgrade_asks_nothing_before_the_next_push(
    runs: CiRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.event("opened")
    runs.schedule()
    sent = runs.sent()
    monkeypatch.setitem(kinds.BUILT_IN_VERSIONS, "review", 2)
    template = kinds.load_template("review.1.md")
    monkeypatch.setattr(kinds, "load_template", TemplatesWith("review.2.md", template))
    runs.configure('verify = false\nkinds = ["review", "security"]\n')
    runs.schedule()
    assert runs.sent() == sent
    assert "No findings" in runs.title() or "finding" in runs.title()
    runs.push({"late.py": "late = 1\n"})
    runs.event("synchronize")
    assert runs.sent() > sent


class TemplatesWith:
    def __init__(self, name: str, text: str) -> None:
        self.name, self.text, self.load = name, text, kinds.load_template

    def __call__(self, name: str) -> str:
        return self.text if name == self.name else self.load(name)


def canceled(runs: CiRuns) -> list[str]:
    return [entry.path for entry in runs.batches.log if entry.path.endswith("/cancel")]


def test_the_label_overtakes_the_batch_that_is_in_flight(runs: CiRuns) -> None:
    runs.event("opened")
    sent = runs.sent()
    label = {"label": {"name": "claude-batch-now"}}
    runs.ci("pull_request", pull_event("labeled") | label)
    assert runs.sent() == 2 * sent  # each once more, and at once
    assert len(canceled(runs)) == 1
    assert "pending" not in runs.title().lower()
    runs.ci("pull_request", pull_event("labeled") | label)
    assert runs.sent() == 2 * sent
