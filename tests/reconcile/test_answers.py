"""Answers that cannot be used: asked again within limits, and never taken for a clean review."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ci_runs import CiRuns, open_ci_runs
from claude_batch.sandbox.anthropic_server.reviewer import ModelReply
from program import ONCE, SUSPICIOUS

USELESS = {
    "refused": ModelReply("", stop_reason="refusal"),
    "truncated": ModelReply('{"findings":[', stop_reason="max_tokens"),
    "unreadable": ModelReply("no JSON"),
}


def opened(path: Path, monkeypatch: pytest.MonkeyPatch, reply: ModelReply) -> Iterator[CiRuns]:
    with open_ci_runs(path, monkeypatch, reviewer=lambda params: reply) as runs:
        runs.shop.hub.open_pull("Change the cart", "feature")
        yield runs


@pytest.mark.parametrize("reply", USELESS.values(), ids=USELESS.keys())
def test_at_most_three_paid_attempts_then_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reply: ModelReply
) -> None:
    for runs in opened(tmp_path / "ci", monkeypatch, reply):
        runs.event("opened")
        for _ in range(8):
            runs.schedule()
            assert "No findings" not in runs.title()
            assert "Nothing found" not in runs.title()
        assert runs.title().startswith("Incomplete: ")
        assert 1 <= runs.asked("line_10 = 'ten'") <= 3
        sent = runs.sent()
        runs.schedule()
        assert runs.sent() == sent
        runs.push({"late.py": "late = 1\n"})
        runs.event("synchronize")
        assert runs.sent() > sent


def test_a_better_model_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def review(params: dict[str, object]) -> ModelReply:
        is_weak = params["model"] == "claude-haiku-4-5"
        return ModelReply("", stop_reason="refusal") if is_weak else ModelReply('{"findings":[]}')

    config = ONCE + 'effort = false\nmodel = "claude-haiku-4-5"\n'
    with open_ci_runs(tmp_path / "ci", monkeypatch, config=config, reviewer=review) as runs:
        runs.shop.hub.open_pull("Change the cart", "feature")
        runs.event("opened")
        for _ in range(4):
            runs.schedule()
        assert runs.title().startswith("Incomplete: ")
        runs.configure(ONCE)
        for _ in range(3):
            runs.schedule()
        assert runs.title().startswith("No findings in ")


def test_findings_that_cannot_be_read_any_more_stay_posted_and_are_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_ci_runs(tmp_path / "ci", monkeypatch) as runs:
        runs.push({"run.py": SUSPICIOUS})
        runs.shop.hub.open_pull("Change the cart", "feature")
        runs.event("opened")
        runs.schedule()
        posted = [body for body in runs.comments() if "claude-batch:" in body]
        sent = runs.sent()
        delete_shards(runs)
        runs.schedule()
        assert [body for body in runs.comments() if "claude-batch:" in body] == posted
        assert "No findings" not in runs.title()
        assert runs.sent() > sent
        runs.schedule()
        assert [body for body in runs.comments() if "claude-batch:" in body][:5] == posted[:5]


def delete_shards(runs: CiRuns) -> None:
    """Delete all findings from the state branch, as `prune` does for closed pull requests."""
    git, state = runs.shop.git, "refs/heads/claude-batch-state"
    git("fetch", "-q", "origin", f"+{state}:refs/test/state")
    git("worktree", "add", "-q", "--detach", str(runs.folder / "state"), "refs/test/state")
    at = ("-C", str(runs.folder / "state"))
    git(*at, "rm", "-rq", "answers")
    git(*at, "-c", "user.email=a@b.c", "commit", "-qm", "prune")
    git(*at, "push", "-q", "origin", f"HEAD:{state}")
