"""Results that end too early, although the stream ends without an error."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request, urlopen

import pytest

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.anthropic_api.models import BatchId
from claude_batch.anthropic_api.results import Outcome
from claude_batch.batches.collect_result import CollectResult
from claude_batch.batches.record_answers import load_findings
from claude_batch.cli.output.collect_result import collect_document
from claude_batch.config.model import Config
from claude_batch.errors import CannotCollect
from claude_batch.ledger.view import TaskStatus
from claude_batch.sandbox.http_messages import Fault, HttpRequest
from rig import Rig, find, open_rig
from scratch import Work


class Stream:
    """Replaces the results of every batch by these bytes; None: the true results."""

    body: bytes | None = None

    def __call__(self, call: HttpRequest) -> Fault | None:
        if call.path.endswith("/results") and self.body is not None:
            return Fault(200, body=self.body)
        return None


@pytest.fixture
def stream() -> Stream:
    return Stream()


@pytest.fixture
def rig(work: Work, stream: Stream) -> Iterator[Rig]:
    with open_rig(work.path, faults=stream) as made:
        yield made


def two(rig: Rig) -> list[bytes]:
    """Send a batch of two requests; its true result lines."""
    (sent,) = rig.submit(rig.apart("a.py", "b.py")).sent
    return list(rig.claude.stream_results(BatchId(str(sent.id))))


def status_of(result: CollectResult) -> list[str]:
    return [status for _, status in result.batches]


ERROR = json.dumps({"type": "error", "error": {"type": "api_error", "message": "no"}}).encode()


@pytest.mark.parametrize("kept", [0, 1], ids=["0 of 2 lines", "1 of 2 lines"])
@pytest.mark.parametrize("end", [b"", ERROR, b'{"custom_id":"0', b"<html>"])
def test_too_few_lines_are_fetched_again_and_nothing_is_resent(
    rig: Rig, stream: Stream, kept: int, end: bytes
) -> None:
    lines = two(rig)
    stream.body = b"".join(line + b"\n" for line in lines[:kept]) + end
    short = rig.collect()
    assert status_of(short) == ["in_progress"]
    assert len(rig.answers()) == kept
    (batch,) = rig.view.open_batches()
    assert batch.submitted
    assert dict(short.errors)[batch.submitted.batch] == (
        f"the results are incomplete: {kept} of 2 requests"
    )
    assert "fetched" not in str(short.notes), "the note says what to do"
    assert "run `claude-batch collect` again" in short.notes[0]
    assert rig.submit(rig.apart("a.py", "b.py")).plan.new == 0, "nothing is paid twice"
    assert len(rig.sent()) == 1
    (row,) = collect_document(short)["batches"]  # type: ignore[misc, str-unpack]
    assert "incomplete" in row["error"]  # type: ignore[index]
    stream.body = None
    whole = rig.collect()
    assert status_of(whole) == ["collected"]
    assert whole.errors == ()
    assert {answer.outcome for answer in rig.answers().values()} == {Outcome.SUCCEEDED}


def test_a_cut_line_is_not_an_answer(rig: Rig, stream: Stream) -> None:
    first, second = two(rig)
    for end in range(0, len(second), 7):
        stream.body = first + b"\n" + second[:end]
        assert status_of(rig.collect()) == ["in_progress"], second[:end]
    assert len(rig.answers()) == 1


@contextmanager
def old_proxy(target: str, limit: list[int]) -> Iterator[str]:
    """A proxy that speaks HTTP/1.0, gives no length and cuts results after `limit` bytes."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            headers = {name: value for name, value in self.headers.items() if name != "Host"}
            with urlopen(Request(target + self.path, headers=headers)) as answer:  # noqa: S310
                body = answer.read()
            cut = limit[0] if self.path.endswith("/results") else len(body)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body[:cut])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_proxy_with_http_1_0_cuts_the_stream(rig: Rig) -> None:
    lines = two(rig)
    limit = [len(lines[0]) + 1 + len(lines[1]) // 2]
    with old_proxy(rig.server.url, limit) as url:
        environ = {"ANTHROPIC_API_KEY": "sandbox", "ANTHROPIC_BASE_URL": url}
        scope = rig.claude.key_scope
        rig.claude.close()
        rig.claude = AnthropicClient(environ, sleep=rig.slept.append)
        assert rig.claude.key_scope == scope, "a local proxy has any port"
        assert status_of(rig.collect()) == ["in_progress"]
        assert len(rig.answers()) == 1
        limit[0] = sum(map(len, lines)) + 2
        assert status_of(rig.collect()) == ["collected"]
    assert len(rig.answers()) == 2


def test_a_day_after_the_end_a_request_without_a_line_is_missing(rig: Rig, stream: Stream) -> None:
    first, _ = two(rig)
    stream.body = first + b"\n"
    rig.clock.forward(hours=23)
    assert status_of(rig.collect()) == ["in_progress"]
    reserved = rig.view.spent(rig.view.plans[0].at)
    rig.clock.forward(hours=1)
    done = rig.collect()
    assert status_of(done) == ["collected"]
    (missing,) = [row for row in rig.view.requests if row.answer and row.answer.error]
    assert missing.answer
    assert missing.answer.outcome is Outcome.ERRORED
    assert missing.answer.error == "missing_from_results"
    assert missing.answer.retriable
    assert missing.charge() == missing.request.estimate.usd
    assert rig.view.spent(rig.view.plans[0].at) < reserved
    assert done.receipt.unpriced == 1, "marked: it may have been billed"
    assert rig.view.task_status(missing.request.tasks[0].id) is TaskStatus.NEW


@pytest.mark.parametrize("counts", [None, {"succeeded": {"a": 1}}, {}, {"succeeded": 0}])
def test_where_counts_cannot_be_used_the_intent_counts(work: Work, counts: object) -> None:
    stream = Stream()

    def faults(call: HttpRequest) -> Fault | None:
        if call.method == "GET" and call.path.rpartition("/")[2].startswith("msgbatch"):
            name = call.path.rpartition("/")[2]
            return Fault(
                200, body={"id": name, "processing_status": "ended", "request_counts": counts}
            )
        return stream(call)

    with open_rig(work.path, faults=faults) as rig:
        lines = two(rig)
        stream.body = lines[0]
        assert status_of(rig.collect()) == ["in_progress"]
        stream.body = None
        assert status_of(rig.collect()) == ["collected"]


def test_findings_that_are_read_again_are_not_read_from_half_a_stream(
    work: Work, stream: Stream
) -> None:
    with open_rig(work.path, faults=stream, reviewer=find("a = 1")) as rig:
        rig.config = Config(retention="ids")
        rig.submit(rig.given({"path": "a.py", "text": "a = 1\n"}))
        answers = rig.collect().answers
        stream.body = b""
        with pytest.raises(CannotCollect, match="1 answer missing"):
            list(load_findings(rig.ledger, rig.view, answers, rig.claude.stream_results))
