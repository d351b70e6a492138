"""Events for tests, each with little said: `asked("i1", 0, "t1")`."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from claude_batch.anthropic_api.models import BatchId
from claude_batch.anthropic_api.results import Outcome, Usage
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.findings.finding import Category, Confidence, Finding, Severity
from claude_batch.ledger.events import (
    AnswerRecorded,
    BatchStatus,
    Estimate,
    FoldedRequest,
    Intent,
    IntentAbandoned,
    IntentId,
    Plan,
    RequestRecorded,
    Submitted,
    TasksReset,
)
from claude_batch.tasks.task import TaskId

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
REPO = "octo/demo"


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def head(minute: float) -> dict[str, object]:
    return {"at": at(minute), "run": "run-1", "repo": REPO}


def intent(name: str, minute: float = 0, requests: int = 1) -> Intent:
    return Intent(
        **head(minute),
        id=IntentId(name),
        lease_until=at(minute + 30),
        lane="batch",
        requests=requests,
        sha256="0" * 64,
    )


def asked(name: str, n: int, *tasks: str, minute: float = 0, **more: object) -> RequestRecorded:
    rows = tuple(
        AnchoredTask(id=TaskId(t), path="a.py", signs="+", hashes="AAAAAAAA") for t in tasks
    )
    estimate = Estimate(
        input_tokens=100,
        output_tokens=50,
        usd=Decimal("0.01"),
        usd_standard=Decimal("0.02"),
        usd_max=Decimal("0.05"),
    )
    given = {
        "sha": "1" * 64,
        "pr": 7,
        "kind": "review",
        "model": "claude-sonnet-5-5",
        "effort": "medium",
        "estimate": estimate,
    }
    return RequestRecorded(**head(minute), intent=IntentId(name), n=n, tasks=rows, **(given | more))


def answered(name: str, n: int = 0, minute: float = 10, **more: object) -> AnswerRecorded:
    given = {
        "batch": BatchId(f"batch-{name}"),
        "outcome": Outcome.SUCCEEDED,
        "model": "claude-sonnet-5-5",
        "usage": Usage(input=100, output=40),
        "usd": Decimal("0.02"),
        "usd_standard": Decimal("0.04"),
    }
    return AnswerRecorded(**head(minute), intent=IntentId(name), n=n, **(given | more))


def failed(name: str, n: int = 0, minute: float = 10, **more: object) -> AnswerRecorded:
    given = {
        "outcome": Outcome.EXPIRED,
        "model": None,
        "usage": None,
        "usd": None,
        "usd_standard": None,
        "retriable": True,
    }
    return answered(name, n, minute, **(given | more))


def submitted(name: str, minute: float = 1) -> Submitted:
    return Submitted(
        **head(minute),
        intent=IntentId(name),
        batch=BatchId(f"batch-{name}"),
        created_at=at(minute),
        expires_at=at(minute + 1440),
    )


def voided(name: str, minute: float = 2) -> IntentAbandoned:
    return IntentAbandoned(**head(minute), intent=IntentId(name), reason="no batch was found twice")


def status(name: str, word: str, minute: float = 20) -> BatchStatus:
    return BatchStatus(**head(minute), batch=BatchId(f"batch-{name}"), status=word)


def forgotten(*tasks: str, minute: float = 30) -> TasksReset:
    return TasksReset(**head(minute), tasks=tuple(TaskId(t) for t in tasks), reason="retry")


def plan(name: str, minute: float = 0, pr: int | None = 7) -> Plan:
    return Plan(
        **head(minute),
        id=name,
        pr=pr,
        label=f"pull request {pr}",
        base="b" * 40,
        head="c" * 40,
        files=(),
        new=1,
        reused=0,
    )


def settled(name: str, n: int, *tasks: str, minute: float = 10, **more: object) -> FoldedRequest:
    given = {
        "pr": 7,
        "kind": "review",
        "model": "claude-sonnet-5-5",
        "lane": "batch",
        "outcome": Outcome.SUCCEEDED,
        "usage": Usage(input=100, output=40),
        "usd": Decimal("0.02"),
        "usd_standard": Decimal("0.04"),
        "usd_estimated": Decimal("0.01"),
    }
    ids = tuple(TaskId(t) for t in tasks)
    return FoldedRequest(**head(minute), intent=IntentId(name), n=n, tasks=ids, **(given | more))


def finding(name: str, task: str | None = "t1", body: str = "It overflows.") -> Finding:
    return Finding(
        id=name,
        fingerprint=f"f-{name}",
        task=TaskId(task) if task else None,
        kind="review",
        path="a.py",
        category=Category.BUG,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        title="Overflow",
        body=body,
    )
