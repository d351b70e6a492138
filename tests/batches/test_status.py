import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from claude_batch.batches.status import list_batches, show, status
from claude_batch.cli.output.json_writer import write_json
from claude_batch.cli.output.status_result import (
    StatusReport,
    batch_line,
    details_document,
    status_document,
    status_text,
)
from claude_batch.errors import BadUsage, CannotSubmit
from claude_batch.ledger.events import UnknownEvent
from claude_batch.ledger.store import Write
from claude_batch.sandbox.anthropic_server.reviewer import ModelReply
from claude_batch.sandbox.http_messages import Fault, fail_calls
from ledger_events import head
from rig import Reviewer, Rig, find, open_rig
from scratch import Work


@pytest.fixture
def rig(work: Work) -> Iterator[Rig]:
    with open_rig(work.path, reviewer=find("a = 1"), seconds=600) as made:
        yield made


def test_what_is_open_done_and_spent(rig: Rig) -> None:
    rig.submit(rig.given({"path": "a.py", "text": "a = 1\n"}))
    rig.clock.forward(seconds=600)
    rig.collect()
    (sent,) = rig.submit(rig.given({"path": "b.py", "text": "b = 1\n"})).sent
    found = status(rig.ledger, rig.clock())
    said = json.loads(write_json(status_document(StatusReport([found], [], 0))))
    assert [(row["id"], row["status"], row["requests"]) for row in said["batches"]] == [
        (sent.id, "in_progress", 1)
    ]
    assert (said["pending_tasks"], said["failed_tasks"], said["damaged"]) == (1, 0, [])
    done = next(row for row in list_batches([rig.ledger], rig.clock()) if row.id != sent.id)
    assert done.completed_at == rig.answers()["a.py"].at
    assert "; completed 2026-11-22 10:1" in batch_line(done)
    row = found.batches[0]
    assert row.completed_at is None
    assert row.expires_at == row.created_at + timedelta(days=1)
    paid = rig.answers()["a.py"].usd
    assert paid is not None
    assert found.spent_usd > paid > 0, "what is open is reserved"


def test_failed_tasks_are_counted_and_named(work: Work) -> None:
    bad = ModelReply(result="errored", error=("invalid_request_error", "no"))
    with open_rig(work.path, reviewer=Reviewer({"a.py": bad})) as rig:
        rig.submit(rig.apart("a.py", "b.py"))
        rig.collect()
        found = status(rig.ledger, rig.clock())
        assert (found.batches, found.pending_tasks) == ((), 0)
        (failed,) = found.failed
        said = status_text(StatusReport([found], [], 0)).splitlines()
        assert said[0].startswith("0 tasks pending, 1 failed, $")
        assert said[1:] == [
            f"failed: a.py (review, task {failed.id[:12]}): invalid_request_error: no",
            "run `claude-batch retry` to retry failed tasks",
        ]


def test_a_batch_that_is_late_is_warned_of(work: Work) -> None:
    with open_rig(work.path, seconds=23 * 3600) as rig:
        rig.submit(rig.given({"path": "a.py", "text": "a = 1\n"}))
        assert status(rig.ledger, rig.clock()).warnings == ()
        rig.clock.forward(hours=21)
        (warning,) = status(rig.ledger, rig.clock()).warnings
        assert "will expire at 2026-11-23 10:00 UTC" in warning
        assert rig.collect().notes == (warning,)
        report = StatusReport([status(rig.ledger, rig.clock())], [], 0)
        assert json.loads(write_json(status_document(report)))["warnings"] == [warning]
        rig.clock.forward(hours=3)
        assert rig.collect().notes == ()


def test_events_of_a_newer_version_are_warned_of(rig: Rig) -> None:
    new = [
        UnknownEvent(**head(number), type=name, n=number)
        for number, name in enumerate(("mended", "mended", "dyed"))
    ]
    rig.ledger.transact(lambda state: Write(tuple(new)))
    found = status(rig.ledger, rig.clock())
    assert found.warnings == (
        "1 event of the unknown type 'dyed' was written by a newer claude-batch",
        "2 events of the unknown type 'mended' were written by a newer claude-batch",
    )
    assert found.damaged == ()


def test_an_empty_ledger_is_no_error(rig: Rig) -> None:
    found = status(rig.ledger, rig.clock())
    assert (found.batches, found.pending_tasks, found.spent_usd) == ((), 0, 0)
    assert list_batches([rig.ledger], rig.clock()) == []


def test_the_list_has_every_batch_the_newest_first(rig: Rig) -> None:
    names = []
    for path in ("a.py", "b.py"):
        names += [one.id for one in rig.submit(rig.given({"path": path, "text": path})).sent]
        rig.clock.forward(seconds=600)
    rig.collect()
    rows = list_batches([rig.ledger], rig.clock())
    assert [(row.id, row.status) for row in rows] == [
        (names[1], "collected"),
        (names[0], "collected"),
    ]


def test_the_list_says_why_a_batch_was_never_sent(work: Work) -> None:
    refused = fail_calls("POST", "/batches", Fault(400, "invalid_request_error"))
    with open_rig(work.path, faults=refused) as rig:
        subject = rig.given({"path": "a.py", "text": "a = 1\n"})
        with pytest.raises(CannotSubmit) as said:
            rig.submit(subject)
        rig.clock.forward(seconds=1)
        rig.submit(subject)
        sent, lost = list_batches([rig.ledger], rig.clock())
        assert (sent.not_sent, lost.status, lost.not_sent) == (None, "lost", said.value.problem)
        assert "not sent" not in batch_line(sent)
        assert batch_line(lost).endswith(f"1 request, 1 task; not sent: {said.value.problem}")
        keys = ("id", "status", "created_at", "expires_at", "requests", "tasks", "lane", "not_sent")
        assert list(json.loads(write_json(lost))) == [*keys, "completed_at"]


class TestShow:
    def seen(self, rig: Rig, prefix: str) -> dict[str, object]:
        loaded: dict[str, object] = json.loads(
            write_json(details_document(show([rig.ledger], prefix, rig.clock())))
        )
        return loaded

    def test_a_batch_a_task_and_a_finding(self, rig: Rig) -> None:
        subject = rig.given({"path": "a.py", "text": "a = 1\n"})
        (sent,) = rig.submit(subject).sent
        rig.clock.forward(seconds=600)
        (answered,) = rig.collect().answers
        (finding,) = rig.ledger.findings([answered])
        batch = self.seen(rig, str(sent.id)[:18])
        assert (batch["type"], batch["id"], batch["status"]) == ("batch", sent.id, "collected")
        task = self.seen(rig, subject.tasks[0].id[:6])
        assert (task["type"], task["standing"]) == ("task", "answered")
        assert task["asked"] == batch["asked"]
        assert self.seen(rig, finding.id[:8])["title"] == "About a = 1"
        assert self.seen(rig, finding.id)["type"] == "finding"

    def test_an_intent_has_a_name_before_it_has_a_batch(self, rig: Rig) -> None:
        rig.submit(rig.given({"path": "a.py", "text": "a = 1\n"}))
        (intent,) = rig.view.batch_records
        assert self.seen(rig, intent)["type"] == "batch"

    @pytest.mark.parametrize(
        ("prefix", "said"),
        [
            ("abc", "too short"),
            ("msgbatch_ab", "too short"),
            ("nothing-has-this", "nothing is called"),
            ("000000", "2 things start with"),
        ],
    )
    def test_what_is_not_one_thing(self, rig: Rig, prefix: str, said: str) -> None:
        for path in ("a.py", "b.py"):
            rig.submit(rig.given({"path": path, "text": path}))
        with pytest.raises(BadUsage, match=said):
            show([rig.ledger], prefix, rig.clock())
