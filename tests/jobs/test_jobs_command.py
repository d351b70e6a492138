"""The `jobs` commands on a ledger of this clone, in this process."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from typer.main import get_command

from claude_batch.cli.commands.jobs import app
from claude_batch.errors import BadUsage, ClaudeBatchError
from rig import Rig, open_rig
from scratch import Work


@pytest.fixture
def rig(work: Work, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    with open_rig(work.path, seconds=600) as made:
        for name in ("GITHUB_ACTIONS", "GITHUB_REPOSITORY", "GITHUB_SERVER_URL"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sandbox")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", made.server.url)
        monkeypatch.setattr("claude_batch.cli.clock.utc_now", made.clock)
        monkeypatch.setattr(
            "claude_batch.cli.clock.sleep", lambda seconds: made.clock.forward(seconds=seconds)
        )
        made.submit(made.given({"path": "a.py", "text": "a = 1\n"}, pr=None))
        yield made


@pytest.fixture
def job(rig: Rig) -> str:
    return rig.view.plans[0].id


def run(rig: Rig, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = get_command(app).main(
        [*arguments, "-C", str(rig.folder)], prog_name="claude-batch jobs", standalone_mode=False
    )
    return code or 0, capsys.readouterr().out


def document(rig: Rig, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    _, output = run(rig, capsys, *arguments, "--format", "json")
    return json.loads(output, parse_float=Decimal)


def test_list_and_show(rig: Rig, job: str, capsys: pytest.CaptureFixture[str]) -> None:
    page = document(rig, capsys, "list")
    assert (page["total"], page["limit"], page["offset"]) == (1, 50, 0)
    (item,) = page["items"]
    assert document(rig, capsys, "show", job[:16]) == item
    assert item == {
        "id": job,
        "status": "processing",
        "source": None,
        "kind": "review",
        "kinds": ["review"],
        "priority": 50,
        "tags": [],
        "pull_request": None,
        "label": "pull request None",
        "created_at": item["created_at"],
        "started_at": item["started_at"],
        "completed_at": None,
        "expires_at": item["expires_at"],
        "progress": {
            "total": 1,
            "pending": 0,
            "processing": 1,
            "completed": 0,
            "failed": 0,
            "cancelled": 0,
            "percent": 0,
        },
        "usd": 0,
        "usd_standard": 0,
    }
    _, text = run(rig, capsys, "list", "--status", "processing", "--priority", "normal")
    assert text == f"{job}  processing  0% of 1 task  $0.00  pull request None\n"
    assert run(rig, capsys, "list", "--pr", "7")[1] == "no jobs\n"
    with pytest.raises(BadUsage, match="'urgent' is not a priority"):
        run(rig, capsys, "list", "--priority", "urgent")


def test_wait_collects_and_results_follow(
    rig: Rig, job: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = run(rig, capsys, "wait", job)
    assert (code, text.split()[1]) == (0, "completed")
    results = document(rig, capsys, "results", job)
    assert (results["succeeded"], results["failed"], results["total"]) == (1, 0, 1)
    stats = document(rig, capsys, "stats")
    assert (stats["created"], stats["completed"], stats["deduplicated"]) == (1, 1, 0)
    assert stats["seconds"]["p50"] == stats["seconds"]["p90"] == stats["seconds"]["mean"]
    events = document(rig, capsys, "events")
    assert [item["type"] for item in events["items"]] == [
        "job.created",
        "job.status_changed",
        "job.progress",
        "job.status_changed",
        "job.completed",
    ]


def test_wait_ends_at_its_deadline(rig: Rig, job: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = run(rig, capsys, "wait", job, "--deadline", "60")
    assert (code, text.split()[1]) == (124, "processing")


def test_cancel_retry_and_delete(rig: Rig, job: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert document(rig, capsys, "cancel", job)["status"] == "cancelled"
    with pytest.raises(ClaudeBatchError, match=f"job {job} is cancelled, so it cannot be paused"):
        run(rig, capsys, "pause", job)
    assert document(rig, capsys, "retry", job)["status"] == "processing"
    assert document(rig, capsys, "delete", job)["status"] == "deleted"
    assert document(rig, capsys, "list")["items"] == []
    assert [item["id"] for item in document(rig, capsys, "list", "--all")["items"]] == [job]


def test_pause_and_resume(rig: Rig, job: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert document(rig, capsys, "pause", "--all") == {
        "target": "all",
        "paused": True,
        "changed": True,
    }
    assert run(rig, capsys, "pause", "--all")[1] == "all: unchanged\n"
    assert run(rig, capsys, "resume", "--all")[1] == "all: resumed\n"
    assert run(rig, capsys, "pause", "--kind", "review")[1] == "kind:review: paused\n"
    assert document(rig, capsys, "pause", job)["id"] == job
    with pytest.raises(BadUsage, match="what to hold is not clear"):
        run(rig, capsys, "pause", job, "--all")
    with pytest.raises(BadUsage, match="what to hold is not clear"):
        run(rig, capsys, "resume")


def test_help_lines_are_short() -> None:
    for command in app.registered_commands:
        assert command.callback is not None
        first_line = (command.callback.__doc__ or "").splitlines()[0]
        assert 0 < len(first_line) <= 60
