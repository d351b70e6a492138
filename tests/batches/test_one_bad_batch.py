"""One bad batch, listing or answer does not keep the others from being collected."""

from collections.abc import Callable, Iterator

import pytest

from claude_batch.batches.collect import MAX_FAILED_ROUNDS
from claude_batch.cli.output.collect_result import collect_document
from claude_batch.sandbox.http_messages import Fault, HttpRequest
from rig import Rig, open_rig
from scratch import Work

Gate = dict[str, Fault]  # by the end of the path


@pytest.fixture
def gate() -> Gate:
    return {}


@pytest.fixture
def rig(work: Work, gate: Gate) -> Iterator[Rig]:
    def faults(call: HttpRequest) -> Fault | None:
        return next((fault for end, fault in gate.items() if call.path.endswith(end)), None)

    with open_rig(work.path, faults=faults) as made:
        yield made


def send_one(rig: Rig, path: str) -> str:
    return str(rig.submit(rig.given({"path": path, "text": f"{path}\n"})).sent[0].id)


FORBIDDEN = Fault(403, "permission_error")
NO_JSON = Fault(200, body=b"<html>")
NO_GZIP = Fault(200, body=b"no gzip", headers={"content-encoding": "gzip"})


@pytest.mark.parametrize(
    ("end", "fault"),
    [
        ("/results", Fault(500)),
        ("/results", FORBIDDEN),
        ("/results", NO_JSON),
        ("/results", NO_GZIP),
        ("/results", Fault(404, "not_found_error")),
        ("", Fault(404, "not_found_error")),
        ("", Fault(500)),
        ("", NO_JSON),
    ],
)
def test_the_other_is_collected_and_the_bad_one_is_named(
    rig: Rig, gate: Gate, end: str, fault: Fault
) -> None:
    bad, good = send_one(rig, "a.py"), send_one(rig, "b.py")
    gate[bad + end] = fault
    done = rig.collect()
    assert dict(done.batches) == {bad: "in_progress", good: "collected"}
    assert done.errors[0][0] == bad
    assert any(note.startswith(f"batch {bad}: ") for note in done.notes)
    rows = collect_document(done)["batches"]
    assert [set(row) for row in rows] == [{"id", "status", "error"}, {"id", "status"}]  # type: ignore[attr-defined]
    assert not done.has_failed
    gate.clear()
    assert dict(rig.collect().batches) == {bad: "collected"}


def test_a_wait_ends_when_only_a_bad_batch_is_left(rig: Rig, gate: Gate) -> None:
    bad, good = send_one(rig, "a.py"), send_one(rig, "b.py")
    gate[bad] = Fault(404, "not_found_error")
    pauses: list[float] = []
    done = rig.collector().wait(pauses.append, lambda progress: None)
    assert len(pauses) < MAX_FAILED_ROUNDS + 1
    assert dict(done.batches) == {bad: "in_progress", good: "collected"}
    assert [name for name, _ in done.errors] == [bad]


def test_six_hours_past_its_expiry_a_batch_is_said_and_no_more_waited_for(work: Work) -> None:
    def never_ends(call: HttpRequest) -> Fault | None:
        name = call.path.rpartition("/")[2]
        is_status = call.method == "GET" and name.startswith("msgbatch")
        body = {"id": name, "processing_status": "in_progress"}
        return Fault(200, body=body) if is_status else None

    with open_rig(work.path, faults=never_ends) as rig:
        send_one(rig, "a.py")
        rig.clock.forward(hours=29, minutes=59)
        assert rig.collect().notes == ()
        rig.clock.forward(minutes=1)
        done = rig.collector().wait(fail, lambda progress: None)
        assert "was to end by 2026-11-23 10:00 UTC" in done.notes[0]


def fail(seconds: float) -> None:
    raise AssertionError("nothing is waited for")


class TestTheListing:
    """It is needed to find the batch of a doubtful intent."""

    @pytest.fixture
    def doubtful(self, work: Work) -> Iterator[Callable[[Fault], Rig]]:
        listing: list[Fault] = []
        lost = iter([Fault(502, after=True)])

        def faults(call: HttpRequest) -> Fault | None:
            if not call.path.endswith("/batches"):
                return None
            if call.method == "POST":
                return next(lost, None) if listing else None
            return listing[-1]

        with open_rig(work.path, faults=faults) as rig:
            send_one(rig, "a.py")

            def start(fault: Fault) -> Rig:
                listing.append(fault)
                with pytest.raises(Exception, match="502"):
                    send_one(rig, "b.py")
                return rig

            yield start

    def test_it_is_refused(self, doubtful: Callable[[Fault], Rig]) -> None:
        rig = doubtful(FORBIDDEN)
        done = rig.collect()
        assert sorted(status for _, status in done.batches) == ["collected", "intent"]
        assert done.notes[0].startswith("the batches cannot be listed: ")
        rig.clock.forward(days=2)
        rig.collect()
        assert len(rig.view.open_batches()) == 1, "nothing is taken for lost"

    def test_its_cursor_does_not_move(self, doubtful: Callable[[Fault], Rig]) -> None:
        rows = [
            {"id": f"other{n}", "created_at": "2026-11-22T10:00:00Z", "request_counts": None}
            for n in range(3)
        ]
        rig = doubtful(Fault(200, body={"data": rows, "has_more": True}))
        done = rig.collect()
        assert sorted(status for _, status in done.batches) == ["collected", "intent"]
        lists = [row for row in rig.server.log if row.path.endswith("/batches")]
        assert [row.method for row in lists].count("GET") == 2


def test_results_that_are_cut_off_do_not_prove_that_a_batch_is_foreign(work: Work) -> None:
    lost, empty = iter([Fault(502, after=True)]), [True]

    def faults(call: HttpRequest) -> Fault | None:
        if call.method == "POST":
            return next(lost, None) if call.path.endswith("/batches") else None
        return Fault(200, body=b"") if call.path.endswith("/results") and empty else None

    with open_rig(work.path, faults=faults) as rig:
        with pytest.raises(Exception, match="502"):
            send_one(rig, "a.py")
        for _ in range(4):
            rig.collect()
            rig.clock.forward(hours=1)
        assert rig.view.open_batches(), "it may be the batch of this intent"
        empty.clear()
        assert [status for _, status in rig.collect().batches] == ["collected"]


def test_many_open_batches_need_one_call(work: Work) -> None:
    with open_rig(work.path, seconds=3600) as rig:
        names = [send_one(rig, f"{n}.py") for n in range(4)]
        before = len(rig.server.log)
        assert dict(rig.collect().batches) == dict.fromkeys(names, "in_progress")
        assert [row.path for row in rig.server.log[before:]] == ["/v1/messages/batches"]
        rig.clock.forward(hours=1)
        assert dict(rig.collect().batches) == dict.fromkeys(names, "collected")
