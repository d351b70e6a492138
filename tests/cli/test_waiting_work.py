"""Plans that wait: lane later, times, budgets, priorities, and the commands that send them."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ci_runs import START, CiRuns, open_ci_runs
from claude_batch.cli.commands import submit as submit_command
from claude_batch.cli.main import app
from claude_batch.cli.plan_flags import parse_after, parse_priority
from claude_batch.errors import BadUsage
from claude_batch.git.hook_queue import HookQueue

RANGE = ("--range", "main..feature")


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CiRuns]:
    with open_ci_runs(tmp_path, monkeypatch) as opened:
        opened.shop.git("checkout", "-q", "main")
        yield opened


def test_lane_later_is_sent_by_a_flush(runs: CiRuns) -> None:
    planned = runs.json("submit", *RANGE, "--later")
    number = planned["tasks"]["planned"]
    assert planned["tasks"] == {"planned": number, "known": 0, "new": 0, "waiting": number}
    assert (planned["batches"], runs.sent()) == ([], 0)
    waiting = runs.json("status")
    assert waiting["waiting"]["tasks"] == waiting["pending_tasks"] == number
    assert waiting["waiting"]["reasons"] == [{"reason": "a flush", "count": number}]
    assert waiting["waiting"]["oldest_at"].startswith("2026-11-23T08:00:00")
    assert waiting["in_flight"] == {"tasks": 0, "requests": 0}
    assert runs.json("jobs", "list")["items"][0]["id"] == planned["job"]

    flushed = runs.json("flush")
    assert flushed["tasks"] == {"sent": number, "waiting": 0}
    assert flushed["estimate"]["usd"] > 0
    [batch] = flushed["batches"]
    status = runs.json("status")
    assert [row["id"] for row in status["batches"]] == [batch["id"]]
    assert status["in_flight"] == {"tasks": number, "requests": batch["requests"]}
    assert status["waiting"] == {"tasks": 0, "oldest_at": None, "reasons": []}
    assert runs.json("flush")["tasks"] == {"sent": 0, "waiting": 0}
    assert runs.run("flush") == "nothing was due\n"


def test_a_threshold_ends_the_wait_of_lane_later(runs: CiRuns) -> None:
    runs.configure('lane = {default = "later", flush_age = "3h"}\nverify = false\n')
    number = runs.json("submit", *RANGE)["tasks"]["waiting"]
    runs.forward(hours=2)
    assert runs.json("status")["waiting"]["reasons"] == [{"reason": "a flush", "count": number}]
    runs.forward(hours=1)
    assert runs.json("status")["waiting"]["reasons"] == [{"reason": "next run", "count": number}]


def test_a_flush_sends_no_more_than_it_may(runs: CiRuns) -> None:
    number = runs.json("submit", *RANGE, "--later", "--priority", "low")["tasks"]["waiting"]
    assert runs.json("flush", "--min-priority", "normal")["tasks"]["sent"] == 0
    assert runs.json("flush", "--kind", "docs")["tasks"]["sent"] == 0
    assert runs.json("flush", "--max", "1")["tasks"] == {"sent": 1, "waiting": number - 1}
    assert runs.json("flush", "--min-priority", "25")["tasks"]["sent"] == number - 1


def test_no_flush_ends_a_wait_for_a_time(runs: CiRuns) -> None:
    number = runs.json("submit", *RANGE, "--after", "2h")["tasks"]["waiting"]
    assert runs.json("flush")["tasks"] == {"sent": 0, "waiting": number}
    assert runs.json("status")["waiting"]["reasons"] == [
        {"reason": "its time has not come", "count": number}
    ]
    runs.forward(hours=2)
    assert runs.json("flush")["tasks"] == {"sent": number, "waiting": 0}


@pytest.mark.parametrize("source", [RANGE, ("--paths", "*.py"), ("--pr", "1")])
def test_a_budget_of_zero_sends_nothing_from_any_source(
    runs: CiRuns, source: tuple[str, ...]
) -> None:
    runs.shop.hub.open_pull("Change the cart", "feature")
    runs.run("submit", *source, "--budget", "0", code=4)
    runs.run("estimate", *source, "--budget", "0", code=4)
    assert runs.sent() == 0


def test_a_budget_of_zero_sends_no_tasks_of_a_file(runs: CiRuns) -> None:
    tasks = runs.folder / "tasks.jsonl"
    tasks.write_text('{"path": "a.py", "kind": "review", "text": "a = 1\\n"}\n')
    runs.run("tasks", "submit", str(tasks), "--budget", "0", code=4)
    assert runs.sent() == 0
    assert runs.json("tasks", "submit", str(tasks))["tasks"]["new"] == 1


def test_a_flush_that_the_budget_refuses_ends_with_4(runs: CiRuns) -> None:
    runs.configure("budget.pull_request = 0\nverify = false\n")
    runs.run("submit", *RANGE, code=4)
    waiting = runs.json("status")["waiting"]
    number = waiting["tasks"]
    assert waiting["reasons"] == [{"reason": "budget", "count": number}]
    runs.run("flush", code=4)
    runs.configure("verify = false\n")
    assert runs.json("flush")["tasks"] == {"sent": number, "waiting": 0}


def test_a_flush_that_the_api_refuses_ends_with_3(runs: CiRuns) -> None:
    runs.run("submit", *RANGE, "--later")
    runs.run("flush", code=3, environ={"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"})
    assert runs.sent() == 0
    assert runs.json("flush")["tasks"]["sent"] > 0


def test_the_wishes_of_a_plan_are_recorded(runs: CiRuns) -> None:
    flags = ("--priority", "high", "--tag", "nightly", "--tag", "team:a", "--later")
    job = runs.json("submit", *RANGE, *flags)["job"]
    shown = runs.json("jobs", "show", job)
    assert (shown["priority"], shown["tags"]) == (75, ["nightly", "team:a"])


@pytest.mark.parametrize(
    "flags",
    [
        ("--now", "--later"),
        ("--now", "--after", "2h"),
        ("--later", "--wait"),
        ("--after", "2h", "--wait"),
        ("--all-open", "--share"),
        ("--all-open", "--pr", "1"),
        ("--after", "tomorrow"),
        ("--after", "2026-12-01T10:00:00"),
        ("--priority", "urgent"),
        ("--priority", "101"),
        ("--tag", "two words"),
    ],
)
def test_a_flag_that_cannot_apply_is_an_error(runs: CiRuns, flags: tuple[str, ...]) -> None:
    runs.run("submit", *flags, code=2)
    assert runs.sent() == 0


def test_times_and_priorities() -> None:
    assert parse_after("30m", START) == START + timedelta(minutes=30)
    assert parse_after("1d", START) == START + timedelta(days=1)
    assert parse_after("2026-11-23T10:00:00+01:00", START) == START + timedelta(hours=1)
    assert [parse_priority(word) for word in ("critical", "normal", "background", "7")] == [
        *(100, 50, 0, 7)
    ]
    with pytest.raises(BadUsage):
        parse_after("99999999999d", START)


def test_all_open_pull_requests_need_a_yes_and_share_a_batch(runs: CiRuns) -> None:
    runs.push_branch("other", {"other.py": "def other(x=[]):\n    return x\n"})
    for number, branch in enumerate(("feature", "other"), 1):
        assert runs.shop.hub.open_pull(f"Pull {number}", branch) == number
    estimate = runs.json("estimate", "--all-open")
    assert [plan["source"] for plan in estimate["plans"]] == ["pull request 1", "pull request 2"]
    assert estimate["estimate"]["usd"] > 0
    runs.run("submit", "--all-open", code=2)
    assert runs.sent() == 0
    sent = runs.json("submit", "--all-open", "--yes")
    [batch] = sent["batches"]
    assert sent["tasks"] == {"sent": batch["tasks"], "waiting": 0}
    assert runs.json("submit", "--all-open", "--yes")["batches"] == []


def test_without_an_open_pull_request_nothing_is_sent(runs: CiRuns) -> None:
    assert runs.json("estimate", "--all-open")["plans"] == []
    assert runs.json("submit", "--all-open", "--yes")["batches"] == []
    runs.run("submit", "--all-open", code=2)


def test_lane_auto_answers_at_once_where_that_costs_little(runs: CiRuns) -> None:
    runs.configure('lane = "auto"\nverify = false\n')
    sent = runs.json("submit", *RANGE)
    assert sent["lane"] == "now"
    assert [batch["id"] for batch in sent["batches"]] == [None]
    assert runs.json("jobs", "show", sent["job"])["status"] == "completed"


def test_a_person_is_asked_above_a_price(runs: CiRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submit_command, "is_terminal", lambda: True)
    monkeypatch.setattr("claude_batch.cli.options.MAX_USD_WITHOUT_QUESTION", Decimal(0))
    arguments = ["submit", *RANGE, "-C", str(runs.shop.work)]

    def answer(text: str) -> str:
        return CliRunner().invoke(app, arguments, text, env=runs.environ).output

    assert "Send it?" in answer("n\n")
    assert runs.sent() == 0
    assert "Send it?" in answer("y\n")
    assert runs.sent() > 0


def test_a_deadline_ends_the_wait_with_124(runs: CiRuns) -> None:
    runs.run("submit", *RANGE)
    before = runs.clock.at
    runs.run("collect", "--wait", "--interval", "10", "--deadline", "95", code=124)
    assert timedelta(seconds=95) <= runs.clock.at - before < timedelta(seconds=110)
    runs.run("collect", "--wait", "--deadline", "7200")
    runs.run("collect", "--deadline", "5", code=2)


def test_notes_of_the_hook_are_counted(runs: CiRuns) -> None:
    queue = HookQueue(runs.shop.work / ".git").path
    queue.parent.mkdir()
    queue.write_text(f"\n{'a' * 40} - {START:%Y-%m-%dT%H:%M:%SZ}")
    assert runs.json("status")["hook_notes"] == 1
    runs.forward(days=15)
    assert runs.json("status")["hook_notes"] == 0
