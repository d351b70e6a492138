import http.client
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import pytest

from batch_params import START, params
from claude_batch.sandbox.anthropic_server.reviewer import ModelReply
from claude_batch.sandbox.anthropic_server.server import BatchesServer
from claude_batch.sandbox.http_messages import Fault, LoggedRequest, fail_calls

BATCHES = "/v1/messages/batches"


class Clock:
    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time

    def forward(self, **by: float) -> None:
        self.time += timedelta(**by)


class Caller:
    """Speaks HTTP to the server by hand: status, body."""

    def __init__(self, server: BatchesServer) -> None:
        self.server = server
        self.headers = {"x-api-key": "k", "anthropic-version": "2026-10-21"}

    def raw(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.server.url).netloc, timeout=10)
        try:
            connection.request(method, path, body, self.headers | headers)
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return response.status, names, response.read()
        finally:
            connection.close()

    def __call__(self, method: str, path: str, body: object = None) -> tuple[int, dict]:
        sent = None if body is None else json.dumps(body).encode()
        status, _, answer = self.raw(method, path, sent)
        return status, json.loads(answer)

    def create(self, *requests: dict) -> dict:
        status, batch = self("POST", BATCHES, {"requests": list(requests)})
        assert status == 200, batch
        return batch

    def results(self, name: str) -> dict[str, dict]:
        status, _, body = self.raw("GET", f"{BATCHES}/{name}/results")
        assert status == 200, body
        rows = [json.loads(line) for line in body.splitlines()]
        return {row["custom_id"]: row["result"] for row in rows}


def request(custom_id: str = "a", **other: object) -> dict:
    return {"custom_id": custom_id, "params": params(**other)}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[BatchesServer]:
    with BatchesServer(seconds=60, now=clock, max_bytes=20_000) as started:
        yield started


@pytest.fixture
def call(server: BatchesServer) -> Caller:
    return Caller(server)


def test_a_batch_from_creation_to_archive(call: Caller, clock: Clock) -> None:
    created = call.create(request("a"), request("b"))
    name = created["id"]
    assert created == {
        "id": name,
        "type": "message_batch",
        "processing_status": "in_progress",
        "request_counts": {
            "processing": 2,
            "succeeded": 0,
            "errored": 0,
            "canceled": 0,
            "expired": 0,
        },
        "ended_at": None,
        "created_at": "2026-11-22T10:00:00+00:00",
        "expires_at": "2026-11-23T10:00:00+00:00",
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": None,
    }
    clock.forward(seconds=59)
    assert call("GET", f"{BATCHES}/{name}") == (200, created)
    assert call("GET", f"{BATCHES}/{name}/results")[0] == 400
    clock.forward(seconds=1)
    ended = call("GET", f"{BATCHES}/{name}")[1]
    assert ended["processing_status"] == "ended"
    assert ended["request_counts"] == created["request_counts"] | {"processing": 0, "succeeded": 2}
    assert ended["ended_at"] == "2026-11-22T10:01:00+00:00"
    assert ended["results_url"] == f"{call.server.url}{BATCHES}/{name}/results"
    assert call.results(name).keys() == {"a", "b"}
    clock.forward(days=29)
    archived = call("GET", f"{BATCHES}/{name}")[1]
    assert archived["archived_at"] == "2026-12-21T10:00:00+00:00"
    assert archived["results_url"] is None
    assert call("GET", f"{BATCHES}/{name}/results")[0] == 404


def test_a_message(call: Caller, clock: Clock) -> None:
    name = call.create(request())["id"]
    clock.forward(seconds=60)
    message = call.results(name)["a"]["message"]
    assert message["content"] == [{"type": "text", "text": '{"findings": []}', "citations": None}]
    assert (message["model"], message["stop_reason"]) == ("claude-sonnet-5-5", "end_turn")
    assert message["usage"] == {
        "input_tokens": 9,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 8,
        "output_tokens_details": {"thinking_tokens": 0},
        "server_tool_use": None,
        "service_tier": "batch",
        "inference_geo": "global",
    }


def test_results_come_in_another_order_in_chunks_as_an_attachment(
    call: Caller, clock: Clock
) -> None:
    names = [f"n{n}" for n in range(30)]
    batch = call.create(*map(request, names))["id"]
    clock.forward(seconds=60)
    status, headers, body = call.raw("GET", f"{BATCHES}/{batch}/results")
    assert status == 200
    assert headers["transfer-encoding"] == "chunked"
    assert headers["content-type"] == "application/x-jsonl"
    assert headers["content-disposition"] == f'attachment; filename="{batch}_results.jsonl"'
    order = [json.loads(line)["custom_id"] for line in body.splitlines()]
    assert order != names
    assert sorted(order) == sorted(names)


def test_cancel_keeps_what_was_done(call: Caller, clock: Clock) -> None:
    name = call.create(*(request(f"n{n}") for n in range(4)))["id"]
    clock.forward(seconds=30)
    status, canceling = call("POST", f"{BATCHES}/{name}/cancel")
    assert (status, canceling["processing_status"]) == (200, "canceling")
    assert canceling["request_counts"]["processing"] == 4
    assert canceling["cancel_initiated_at"] == "2026-11-22T10:00:30+00:00"
    ended = call("GET", f"{BATCHES}/{name}")[1]
    assert ended["processing_status"] == "ended"
    assert {kind: n for kind, n in ended["request_counts"].items() if n} == {
        "succeeded": 2,
        "canceled": 2,
    }
    assert call("POST", f"{BATCHES}/{name}/cancel")[0] == 400


def test_canceling_can_take_a_while() -> None:
    clock = Clock()
    with BatchesServer(seconds=60, cancel_seconds=5, now=clock) as server:
        call = Caller(server)
        name = call.create(request())["id"]
        call("POST", f"{BATCHES}/{name}/cancel")
        assert call("GET", f"{BATCHES}/{name}")[1]["processing_status"] == "canceling"
        clock.forward(seconds=5)
        assert call.results(name) == {"a": {"type": "canceled"}}


def test_after_a_day_what_is_not_done_expires() -> None:
    clock = Clock()
    with BatchesServer(seconds=48 * 3600, now=clock) as server:
        call = Caller(server)
        name = call.create(request("a"), request("b"))["id"]
        clock.forward(hours=24)
        results = call.results(name)
        assert results["a"]["type"] == "succeeded"
        assert results["b"] == {"type": "expired"}


def test_delete_only_after_the_end(call: Caller, clock: Clock) -> None:
    name = call.create(request())["id"]
    assert call("DELETE", f"{BATCHES}/{name}")[0] == 400
    clock.forward(seconds=60)
    assert call("DELETE", f"{BATCHES}/{name}") == (
        200,
        {"id": name, "type": "message_batch_deleted"},
    )
    assert call("GET", f"{BATCHES}/{name}")[0] == 404


def test_listing_is_newest_first_and_paged(call: Caller, clock: Clock) -> None:
    names = []
    for _ in range(5):
        names.insert(0, call.create(request())["id"])
        clock.forward(seconds=1)
    page = call("GET", f"{BATCHES}?limit=2")[1]
    assert [batch["id"] for batch in page["data"]] == names[:2]
    assert (page["has_more"], page["first_id"], page["last_id"]) == (True, names[0], names[1])
    page = call("GET", f"{BATCHES}?limit=2&after_id={names[3]}")[1]
    assert ([batch["id"] for batch in page["data"]], page["has_more"]) == (names[4:], False)
    page = call("GET", f"{BATCHES}?limit=2&before_id={names[3]}")[1]
    assert ([batch["id"] for batch in page["data"]], page["has_more"]) == (names[1:3], True)
    assert call("GET", f"{BATCHES}?limit=1001")[0] == 400


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "requests: Field required"),
        ({"requests": []}, "requests: List should have between 1 and 100000 items"),
        ({"requests": [request()], "metadata": {}}, "metadata: Extra inputs are not permitted"),
        ({"requests": [request() | {"tag": 1}]}, "requests.0.tag: Extra inputs are not permitted"),
        (
            {"requests": [request("a/b.py")]},
            "requests.0.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'",
        ),
        (
            {"requests": [request("x" * 65)]},
            "requests.0.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'",
        ),
        ({"requests": [request(), request()]}, "requests.1.custom_id: duplicate custom_id 'a'"),
    ],
)
def test_envelope_faults_show_at_creation(call: Caller, body: dict, said: str) -> None:
    status, answer = call("POST", BATCHES, body)
    assert (status, answer["type"]) == (400, "error")
    assert answer["error"] == {"type": "invalid_request_error", "message": said}
    assert answer["request_id"].startswith("req_")


def test_what_is_no_json_or_too_large_is_refused(call: Caller) -> None:
    assert call.raw("POST", BATCHES, b'{"requests":[')[0] == 400
    status, _, body = call.raw("POST", BATCHES, b"x" * 200_000)
    assert (status, json.loads(body)["error"]["type"]) == (413, "request_too_large")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
        (
            {"max_tokens": 100_000, "model": "claude-haiku-4-5"},
            "max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens "
            "for claude-haiku-4-5",
        ),
        ({"temperature": 1.0}, "temperature: not supported since anthropic-version 2026-10-21"),
        ({"top_p": 1}, "top_p: not supported since anthropic-version 2026-10-21"),
        ({"top_k": 5}, "top_k: not supported since anthropic-version 2026-10-21"),
        ({"betas": []}, "betas: Extra inputs are not permitted"),
        ({"stream": True}, "stream: streaming is not supported in a message batch"),
        ({"fallbacks": []}, "fallbacks: not supported in a message batch"),
        (
            {"tool_choice": {"type": "any"}},
            "tool_choice: forced tool use is not supported by claude-sonnet-5-5",
        ),
        (
            {"messages": [*params()["messages"], {"role": "assistant", "content": "{"}]},
            "This model does not support assistant message prefill.",
        ),
        ({"messages": []}, "messages: at least one message is required"),
        (
            {"messages": [{"role": "user", "content": ""}]},
            "messages.0: text content blocks must be non-empty",
        ),
        (
            {"model": "claude-opus-5-5", "thinking": {"type": "disabled"}},
            "thinking: cannot be disabled for claude-opus-5-5",
        ),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
            "output_config.format.schema: 'additionalProperties' must be false",
        ),
        (
            {
                "output_config": {
                    "format": {"type": "json_schema", "schema": {"type": "array", "maxItems": 3}}
                }
            },
            "output_config.format.schema: the keyword 'maxItems' is not supported",
        ),
        (
            {"output_config": {"effort": "extreme"}},
            "output_config.effort: Input should be one of low, medium, high, xhigh, max",
        ),
        (
            {"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}] * 5},
            "a maximum of 4 blocks with cache_control may be provided",
        ),
    ],
)
def test_faults_of_params_show_only_at_the_end_and_spare_the_others(
    call: Caller, clock: Clock, other: dict, said: str
) -> None:
    name = call.create(request("bad", **other), request("good"))["id"]
    clock.forward(seconds=60)
    results = call.results(name)
    assert results["bad"] == {
        "type": "errored",
        "error": {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": said},
            "request_id": None,
        },
    }
    assert results["good"]["type"] == "succeeded"


def test_an_unknown_model_is_not_found_and_old_versions_take_a_temperature(
    call: Caller, clock: Clock
) -> None:
    call.headers["anthropic-version"] = "2023-06-01"
    name = call.create(request("a", model="gpt"), request("b", temperature=0.5))["id"]
    clock.forward(seconds=60)
    results = call.results(name)
    assert results["a"]["error"]["error"] == {"type": "not_found_error", "message": "model: gpt"}
    assert results["b"]["type"] == "succeeded"


REPLIES = {
    "refused": ModelReply(stop_reason="refusal", refusal="cyber"),
    "long": ModelReply("x" * 9_000),
    "thinking": ModelReply('{"findings":[]}', thinking="hm " * 100),
    "broken": ModelReply(result="errored", error=("overloaded_error", "Overloaded")),
    "late": ModelReply(result="expired"),
}


def test_a_reviewer_of_ones_own_makes_every_kind_of_result() -> None:
    def reviewer(asked: dict) -> ModelReply:
        return REPLIES[asked["messages"][0]["content"]]

    with BatchesServer(reviewer=reviewer) as server:
        call = Caller(server)
        asked = [
            request(name, messages=[{"role": "user", "content": name}], max_tokens=500)
            for name in REPLIES
        ]
        results = call.results(call.create(*asked)["id"])
    refused = results["refused"]["message"]
    assert (refused["stop_reason"], refused["content"]) == ("refusal", [])
    assert refused["stop_details"]["category"] == "cyber"
    long = results["long"]["message"]
    assert (long["stop_reason"], long["usage"]["output_tokens"]) == ("max_tokens", 500)
    assert len(long["content"][0]["text"]) == 1100
    thinking = results["thinking"]["message"]
    assert [block["type"] for block in thinking["content"]] == ["thinking", "text"]
    assert thinking["usage"]["output_tokens_details"] == {"thinking_tokens": 137}
    assert thinking["usage"]["output_tokens"] == 144
    assert results["broken"]["error"]["error"]["type"] == "overloaded_error"
    assert results["late"] == {"type": "expired"}


def test_every_answer_fits_the_types_of_the_official_sdk() -> None:
    from anthropic.types import Message, MessageTokensCount, ModelInfo
    from anthropic.types.messages import (
        DeletedMessageBatch,
        MessageBatch,
        MessageBatchIndividualResponse,
    )

    def fits(shape: type, body: object) -> None:
        shape.model_validate_json(json.dumps(body), strict=True)
        assert isinstance(body, dict)
        assert body.keys() <= shape.model_fields.keys()

    def reviewer(asked: dict) -> ModelReply:
        return REPLIES.get(asked["messages"][0]["content"], ModelReply("{}"))

    with BatchesServer(reviewer=reviewer, max_bytes=10_000) as server:
        call = Caller(server)
        asked = [request(name, messages=[{"role": "user", "content": name}]) for name in REPLIES]
        batch = call.create(*asked, request("bad", max_tokens=0))
        fits(MessageBatch, batch)
        fits(MessageBatch, call("GET", f"{BATCHES}/{batch['id']}")[1])
        for name, result in call.results(batch["id"]).items():
            fits(MessageBatchIndividualResponse, {"custom_id": name, "result": result})
        for listed in call("GET", BATCHES)[1]["data"]:
            fits(MessageBatch, listed)
        fits(Message, call("POST", "/v1/messages", params())[1])
        fits(MessageTokensCount, call("POST", "/v1/messages/count_tokens", params())[1])
        fits(ModelInfo, call("GET", "/v1/models/claude-opus-5-5")[1])
        fits(ModelInfo, call("GET", "/v1/models/claude-haiku-4-5")[1])
        fits(DeletedMessageBatch, call("DELETE", f"{BATCHES}/{batch['id']}")[1])


def test_a_prefix_is_cached_for_a_later_batch_and_not_for_siblings(
    call: Caller, clock: Clock
) -> None:
    control = {"type": "ephemeral", "ttl": "1h"}
    prefix = [{"type": "text", "text": "rule " * 300, "cache_control": control}]
    small = [{"type": "text", "text": "rule " * 30, "cache_control": control}]

    def counters(name: str) -> dict[str, tuple[int, int, int]]:
        return {
            key: (
                result["message"]["usage"]["input_tokens"],
                result["message"]["usage"]["cache_creation"]["ephemeral_1h_input_tokens"],
                result["message"]["usage"]["cache_read_input_tokens"],
            )
            for key, result in call.results(name).items()
        }

    first = call.create(request("a", system=prefix), request("b", system=prefix))["id"]
    clock.forward(seconds=60)
    assert counters(first) == {"a": (3, 682, 0), "b": (3, 682, 0)}
    later = call.create(request("a", system=prefix), request("b", system=small))["id"]
    clock.forward(seconds=60)
    assert counters(later) == {"a": (3, 0, 682), "b": (72, 0, 0)}
    clock.forward(hours=2)
    much_later = call.create(request("a", system=prefix))["id"]
    clock.forward(seconds=60)
    assert counters(much_later) == {"a": (3, 682, 0)}


def test_the_lane_now(call: Caller) -> None:
    status, message = call("POST", "/v1/messages", params())
    assert (status, message["usage"]["service_tier"]) == (200, "standard")
    status, refused = call("POST", "/v1/messages", params(temperature=1))
    assert (status, refused["error"]["type"]) == (400, "invalid_request_error")
    assert call("POST", "/v1/messages", params(model="x"))[0] == 404
    without = {key: value for key, value in params().items() if key != "max_tokens"}
    assert call("POST", "/v1/messages/count_tokens", without) == (200, {"input_tokens": 9})


def test_keys_and_versions(call: Caller) -> None:
    call.headers = {"authorization": "Bearer k", "anthropic-version": "2023-06-01"}
    assert call("GET", BATCHES)[0] == 200
    call.headers = {"anthropic-version": "2026-10-21"}
    status, answer = call("GET", BATCHES)
    assert (status, answer["error"]["type"]) == (401, "authentication_error")
    call.headers = {"x-api-key": "k"}
    assert call("GET", BATCHES)[0] == 400
    with BatchesServer(keys=frozenset({"right"})) as server:
        strict = Caller(server)
        assert strict("GET", BATCHES)[0] == 401
        strict.headers["x-api-key"] = "right"
        assert strict("GET", BATCHES)[0] == 200


def test_paths_and_methods_that_do_not_exist(call: Caller) -> None:
    assert call("GET", "/v1/unknown")[0] == 404
    assert call("DELETE", BATCHES)[0] == 405
    assert call("GET", f"{BATCHES}/msgbatch_unknown")[0] == 404
    assert call("GET", "/v1/models/unknown")[0] == 404


def test_the_log_and_what_was_submitted(call: Caller) -> None:
    batch = call.create(request("a"))["id"]
    call("GET", "/v1/unknown")
    size = len(json.dumps({"requests": [request("a")]}))
    assert call.server.log == [
        LoggedRequest("POST", BATCHES, size, 200),
        LoggedRequest("GET", "/v1/unknown", 0, 404),
    ]
    assert list(call.server.submitted()) == [(batch, "a", params())]


def test_faults_come_first_and_leave_the_rest_alone() -> None:
    faults = fail_calls(
        "POST",
        "/batches",
        Fault(429, "rate_limit_error", headers={"retry-after": "7"}),
        Fault(after=True),
        None,
    )
    with BatchesServer(faults=faults) as server:
        call = Caller(server)
        body = json.dumps({"requests": [request()]}).encode()
        status, headers, _ = call.raw("POST", BATCHES, body)
        assert (status, headers["retry-after"]) == (429, "7")
        with pytest.raises(http.client.RemoteDisconnected):
            call.raw("POST", BATCHES, body)
        assert call.raw("POST", BATCHES, body)[0] == 200
        assert len(call("GET", BATCHES)[1]["data"]) == 2
        assert [row.status for row in server.log] == [429, 0, 200, 200]


def test_a_cut_answer() -> None:
    with BatchesServer(faults=fail_calls("GET", "/results", Fault(cut=40))) as server:
        call = Caller(server)
        name = call.create(request())["id"]
        with pytest.raises(http.client.IncompleteRead):
            call.raw("GET", f"{BATCHES}/{name}/results")
        assert call.results(name).keys() == {"a"}
