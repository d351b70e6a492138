"""Answers of the API whose fields are missing, odd or damaged."""

import json
from datetime import timedelta

import pytest

from claude_batch.anthropic_api.models import BatchId
from claude_batch.anthropic_api.results import Outcome
from claude_batch.sandbox.http_messages import Fault, HttpRequest
from rig import open_rig
from scratch import Work

TIMES = {"created_at": "2026-11-22T10:00:00+00:00", "expires_at": "2026-11-23T10:00:00+00:00"}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"request_counts": None, **TIMES},
        {"request_counts": {"processing": {"text": 1}}, **TIMES},
        {**TIMES, "expires_at": None},
        {**TIMES, "expires_at": "2026-11-23T10:00:00"},
        {**TIMES, "created_at": "soon", "expires_at": 10**40},
        {"processing_status": None, "archived_at": {}, "retry_after": "soon"},
    ],
)
def test_of_the_answer_to_create_only_the_id_is_needed(
    work: Work, fields: dict[str, object]
) -> None:
    def odd(call: HttpRequest) -> Fault | None:
        if call.method != "POST" or not call.path.endswith("/batches"):
            return None
        return Fault(200, body={"id": "msgbatch_odd", **fields})

    with open_rig(work.path, faults=odd) as rig:
        (sent,) = rig.submit(rig.given({"path": "a.py", "text": "a\n"})).sent
        assert sent.id == "msgbatch_odd"
        (record,) = rig.view.open_batches()
        assert record.submitted
        life = record.submitted.expires_at - record.submitted.created_at
        assert timedelta(hours=23) < life < timedelta(hours=25)


ODD = {
    "lone surrogate": rb'[{"type":"text","text":"\ud800"}]',
    "stray byte": b'[{"type":"text","text":"\xff"}]',
    "control character": b'[{"type":"text","text":"\x00"}]',
    "nesting": b"[" * 100_000 + b"]" * 100_000,
}


@pytest.mark.parametrize("content", ODD.values(), ids=ODD)
def test_a_damaged_line_is_unreadable_and_not_lost(work: Work, content: bytes) -> None:
    bodies: list[bytes] = []

    def odd(call: HttpRequest) -> Fault | None:
        return Fault(200, body=bodies[0]) if bodies and call.path.endswith("/results") else None

    with open_rig(work.path, faults=odd) as rig:
        (sent,) = rig.submit(rig.given({"path": "a.py", "text": "a\n"})).sent
        (line,) = rig.claude.stream_results(BatchId(str(sent.id)))
        row = json.loads(line)
        message = row["result"]["message"]
        message["content"] = "CONTENT"
        bodies.append(json.dumps(row).encode().replace(b'"CONTENT"', content) + b"\n")
        assert [status for _, status in rig.collect().batches] == ["collected"]
        answer = rig.answers()["a.py"]
        assert answer.outcome is Outcome.UNREADABLE
        assert answer.retriable
        assert answer.usage
        assert answer.usage.input == message["usage"]["input_tokens"]
        assert answer.usd, "it is paid for"
        assert str(answer.error).startswith("not JSON: ")
