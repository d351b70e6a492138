"""Values for tests: recorded results."""

import json

from claude_batch.anthropic_api.results import BatchResult, Outcome, Usage
from claude_batch.batches.batching import custom_id
from claude_batch.batches.record_answers import AnswerRecorder
from claude_batch.diff.model import Hunk
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.ledger.events import IntentId
from claude_batch.ledger.view import LedgerState
from claude_batch.tasks.task import TaskId
from ledger_events import asked, at
from rig import PRICES

I1 = IntentId("i1")


ANCHORED = AnchoredTask.from_hunk(TaskId("t1"), "a.py", Hunk(1, 1, b"+total = 0"))
ASKED = asked("i1", 0).model_copy(update={"tasks": (ANCHORED,)})


def name(n: int) -> str:
    return custom_id(I1, n, "1" * 64)


def said(*anchors: str) -> str:
    findings = [
        {
            "from": one,
            "to": one,
            "severity": "high",
            "confidence": "high",
            "category": "bug",
            "title": "Wrong",
            "body": "It is wrong.",
            "replacement": None,
        }
        for one in anchors
    ]
    return json.dumps({"findings": findings})


def succeeded(
    n: int, text: str = '{"findings":[]}', model: str = "claude-sonnet-5-5"
) -> BatchResult:
    usage, findings = Usage(input=1000, output=100), len(json.loads(text)["findings"])
    return BatchResult(name(n), Outcome.SUCCEEDED, model, usage, text, findings=findings)


def recorder(view: LedgerState, **more: object) -> AnswerRecorder:
    given: dict[str, object] = {"prices": PRICES, "now": at(20), "run": "run-2"}
    return AnswerRecorder(view.batch_records[I1], **(given | more))  # type: ignore[arg-type]
