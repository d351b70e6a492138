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
from claude_batch.config.model import Config
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
from claude_batch.ledger.events import BatchId
from claude_batch.pull_requests.publish import PublishResult
from claude_batch.reconcile.reconciler import Reconciler, ReconcileResult
from ledger_events import answered

LABEL = "claude-batch-now"
NEW_BASE = {"changes": {"base": {"ref": {"from": "main"}}}}
OURS = {"repo": {"full_name": "o/r"}}


@dataclass
class Calls:
    """The steps that ran, the errors they raise and the values they return."""

    failing: dict[str, Exception] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    reconciled: ReconcileResult = field(default_factory=ReconcileResult)
    folded: int = 0

    def note(self, name: str, *args: object) -> None:
        self.names.append(" ".join([name, *map(str, args)]))
        if name in self.failing:
            raise self.failing[name]


@dataclass(frozen=True)
class RecordingRun(CiRun):
    """A run whose steps only note that they were called."""

    calls: Calls

    @property
    def reconciler(self) -> Reconciler:  # type: ignore[override]
        return cast(Reconciler, RecordingReconciler(self.calls))

    def collect(self) -> CollectResult:
        self.calls.note("collect")
        return CollectResult((), (), ())

    def publish_refactorings(self) -> list[PublishResult]:
        self.calls.note("refactorings")
        return []

    def compact(self) -> int:
        self.calls.note("compact")
        return self.calls.folded


@dataclass(frozen=True)
class RecordingReconciler:
    calls: Calls

    def reconcile_pull_request(self, number: int, *, is_labelled: bool) -> ReconcileResult:
        self.calls.note("pull request", number, *["at once"] * is_labelled)
        return self.calls.reconciled

    def reconcile_all(self) -> ReconcileResult:
        self.calls.note("all")
        return self.calls.reconciled


def payload(action: str, **pull: Any) -> dict[str, Any]:
    pull_request = {"number": 7, "user": {"login": "ann"}, "base": OURS, "head": OURS}
    return {"action": action, "pull_request": pull_request | pull, "label": {"name": LABEL}}


def run(event: str, event_payload: dict[str, Any], calls: Calls) -> CiResult:
    unused = cast(Repository, None)
    return RecordingRun(unused, Config(), LABEL, CiResult(event), calls).run(event_payload)


@pytest.mark.parametrize(
    ("event", "event_payload", "expected"),
    [
        ("pull_request", payload("opened"), ["pull request 7"]),
        ("pull_request", payload("synchronize"), ["pull request 7"]),
        ("pull_request", payload("labeled"), ["pull request 7 at once"]),
        ("pull_request", payload("closed"), ["pull request 7"]),
        # What it is now decides, and not the payload.
        ("pull_request", payload("opened", draft=True), ["pull request 7"]),
        ("pull_request", payload("assigned"), []),
        ("pull_request", payload("edited"), []),
        ("pull_request", payload("edited") | NEW_BASE, ["pull request 7"]),
        ("schedule", {}, ["collect", "all", "refactorings", "compact"]),
        ("workflow_dispatch", {}, ["collect", "all", "refactorings", "compact"]),
        ("push", {}, ["collect"]),
        ("issues", {}, []),
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
    assert bool(result.notes) is not expected


@pytest.mark.parametrize(
    ("event", "note"),
    [
        ("issues", "nothing to do for issues"),
        ("", "nothing to do for a run without an event"),
    ],
)
def test_an_event_without_steps_is_noted(event: str, note: str) -> None:
    assert run(event, {}, Calls()).notes == [note]


def test_the_result_is_one_document() -> None:
    reconciled = ReconcileResult(publications=[PublishResult(7)])
    result = run("schedule", {}, Calls(reconciled=reconciled))
    document = json.loads(write_json(ci_document(result)))
    assert document.keys() >= {"event", "notes", "warnings", "collect", "publish"}
    assert "flush" not in document
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
    reconciled = ReconcileResult(canceled=[(BatchId("msgbatch_1"), "canceling")], notes=["closed"])
    calls = Calls(reconciled=reconciled)
    notes = run("pull_request", payload("closed"), calls).notes
    assert notes == ["closed", "batch msgbatch_1: canceling"]


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
    result = run("pull_request", payload("opened"), Calls({"pull request": outage}))
    assert result.warnings == [outage]
    assert result.flush.parts == ()
    document = json.loads(write_json(ci_document(result)))["warnings"]
    assert document == [{"problem": outage.problem, "remedy": outage.remedy}]


def test_recorded_findings_are_published_although_collecting_failed() -> None:
    calls = Calls({"collect": CannotCollect("no", "wait"), "all": CannotPublish("no", "wait")})
    result = run("schedule", {}, calls)
    assert calls.names == ["collect", "all", "refactorings", "compact"]
    assert len(result.warnings) == 2


@pytest.mark.parametrize(
    "error",
    [BadConfig("unknown key", "did you mean"), CannotRead("no commit", "fetch"), ValueError("bug")],
    ids=lambda error: type(error).__name__,
)
def test_an_error_that_somebody_must_fix_fails_the_run(error: Exception) -> None:
    with pytest.raises(type(error)):
        run("pull_request", payload("opened"), Calls({"pull request": error}))
