"""The steps that an event runs, and its outages as warnings. The steps are replaced."""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

import pytest

from claude_batch.batches.collect_result import CollectResult
from claude_batch.cli.commands.ci import CiRun
from claude_batch.cli.output.ci_result import CiResult, action_outputs, ci_document
from claude_batch.cli.output.json_writer import write_json
from claude_batch.config.model import Config, Lane
from claude_batch.errors import (
    BadConfig,
    BudgetExceeded,
    CannotCollect,
    CannotFetch,
    CannotPublish,
    CannotRead,
    CannotRecord,
    CannotSubmit,
    ClaudeBatchError,
    SubmitUnclear,
)
from claude_batch.git.repository import Repository
from claude_batch.ledger.events import BatchId, Plan
from claude_batch.pull_requests.publish import PublishResult
from claude_batch.submission.planner import SubmissionPlan, SubmitResult
from ledger_events import answered

LABEL = "claude-batch-now"
OURS = {"repo": {"full_name": "o/r"}}
PLAN = Plan.model_validate(
    {
        "at": "2026-11-22T10:00:00Z",
        "run": "r",
        "repo": "o/r",
        "id": "p",
        "pr": 7,
        "label": "pull request 7",
        "base": None,
        "head": None,
        "files": (),
        "new": 0,
        "reused": 0,
    }
)


@dataclass
class Calls:
    """The steps that ran, the errors they raise and the values they return."""

    failing: dict[str, Exception] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    open: list[tuple[str, str]] = field(default_factory=list)
    folded: int = 0

    def note(self, name: str, *args: object) -> None:
        self.names.append(" ".join([name, *map(str, args)]))
        if name in self.failing:
            raise self.failing[name]


@dataclass(frozen=True)
class RecordingRun(CiRun):
    """A run whose steps only note that they were called."""

    calls: Calls

    def submit(self, pr: int, lane: Lane | None) -> SubmitResult:
        self.calls.note("submit", pr, lane)
        return SubmitResult(SubmissionPlan(PLAN, ()), lane or "batch")

    def collect(self) -> CollectResult:
        self.calls.note("collect")
        return CollectResult((), (), ())

    def publish(self) -> list[PublishResult]:
        self.calls.note("publish")
        return [PublishResult(7)]

    def compact(self) -> int:
        self.calls.note("compact")
        return self.calls.folded

    def close(self, pr: int, merged: bool) -> list[tuple[BatchId, str]]:
        self.calls.note("close", pr, merged)
        return [(BatchId(batch), status) for batch, status in self.calls.open]


def payload(action: str, **pull: Any) -> dict[str, Any]:
    pull_request = {"number": 7, "user": {"login": "ann"}, "base": OURS, "head": OURS}
    return {"action": action, "pull_request": pull_request | pull, "label": {"name": LABEL}}


def run(event: str, event_payload: dict[str, Any], calls: Calls) -> CiResult:
    unused = cast(Repository, None)
    return RecordingRun(unused, Config(), CiResult(event), calls).run(event_payload, LABEL)


@pytest.mark.parametrize(
    ("event", "event_payload", "expected"),
    [
        ("pull_request", payload("opened"), ["submit 7 None"]),
        ("pull_request", payload("synchronize"), ["submit 7 None"]),
        ("pull_request", payload("labeled"), ["submit 7 now"]),
        ("pull_request", payload("closed"), ["close 7 False"]),
        ("pull_request", payload("closed", merged=True), ["close 7 True"]),
        ("pull_request", payload("opened", draft=True), []),
        ("pull_request", payload("assigned"), []),
        ("schedule", {}, ["collect", "publish", "compact"]),
        ("workflow_dispatch", {}, ["collect", "publish", "compact"]),
        ("push", {}, ["collect"]),
        ("issues", {}, []),
        ("merge_group", {}, []),
        ("", {}, []),
    ],
)
def test_an_event_runs_its_steps(
    event: str, event_payload: dict[str, Any], expected: list[str]
) -> None:
    calls = Calls()
    result = run(event, event_payload, calls)
    assert calls.names == expected
    assert result.warnings == []
    assert bool(result.notes) is (not expected or expected[0].startswith("close"))


@pytest.mark.parametrize(
    ("event", "note"),
    [
        ("merge_group", "nothing to do for merge_group"),
        ("", "nothing to do for a run without an event"),
    ],
)
def test_an_event_without_steps_is_noted(event: str, note: str) -> None:
    assert run(event, {}, Calls()).notes == [note]


def test_the_result_is_one_document() -> None:
    result = run("schedule", {}, Calls())
    document = json.loads(write_json(ci_document(result)))
    assert document.keys() >= {"event", "notes", "warnings", "collect", "publish"}
    assert "submit" not in document
    assert document["publish"]["pull_request"] == 7


def test_each_output_has_its_own_number() -> None:
    answer = answered("i1", usd=Decimal("0.02"), usd_standard=Decimal("0.05"), findings=4)
    result = CiResult(
        "schedule",
        collection=CollectResult(answers=(answer,)),
        publications=[PublishResult(7, posted=5, updated=6, unchanged=7)],
    )
    assert action_outputs(result) == {
        "batches": "0",
        "findings": "4",
        "posted": "5",
        "usd": "0.02",
        "saved-usd": "0.03",
    }


def test_canceled_batches_are_named() -> None:
    calls = Calls(open=[("msgbatch_1", "canceling")])
    assert run("pull_request", payload("closed"), calls).notes == ["batch msgbatch_1: canceling"]


def test_folded_files_are_noted_and_an_outage_is_a_warning() -> None:
    result = run("schedule", {}, Calls(folded=1_200))
    assert result.notes == ["1,200 old files of the ledger were folded"]
    outage = CannotRecord("no", "wait")
    result = run("schedule", {}, Calls({"compact": outage}))
    assert (result.warnings, result.notes) == ([outage], [])


OUTAGES = [
    BudgetExceeded("nothing was sent", "raise it"),
    CannotCollect("no", "wait"),
    CannotFetch("no", "wait"),
    CannotPublish("no", "wait"),
    CannotRecord("no", "wait"),
    CannotSubmit("no", "wait"),
    SubmitUnclear("no", "wait"),
]


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda error: type(error).__name__)
def test_an_outage_is_a_warning(outage: ClaudeBatchError) -> None:
    result = run("pull_request", payload("opened"), Calls({"submit": outage}))
    assert result.warnings == [outage]
    assert result.submission is None
    document = json.loads(write_json(ci_document(result)))["warnings"]
    assert document == [{"problem": outage.problem, "remedy": outage.remedy}]


def test_recorded_findings_are_published_although_collecting_failed() -> None:
    calls = Calls({"collect": CannotCollect("no", "wait"), "publish": CannotPublish("no", "wait")})
    result = run("schedule", {}, calls)
    assert calls.names == ["collect", "publish", "compact"]
    assert len(result.warnings) == 2


@pytest.mark.parametrize(
    "error",
    [BadConfig("unknown key", "did you mean"), CannotRead("no commit", "fetch"), ValueError("bug")],
    ids=lambda error: type(error).__name__,
)
def test_an_error_that_somebody_must_fix_fails_the_run(error: Exception) -> None:
    with pytest.raises(type(error)):
        run("pull_request", payload("opened"), Calls({"submit": error}))
