import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path

import pytest

from claude_batch.anthropic_api.client import MAX_BYTES, AnthropicClient
from claude_batch.anthropic_api.models import BatchId
from claude_batch.anthropic_api.request_body import BatchPayload, InMemoryBody
from claude_batch.anthropic_api.results import Outcome, Usage, parse_message, parse_result_line
from claude_batch.errors import CannotCollect, CannotSubmit, SubmitUnclear
from claude_batch.findings.parsing import validate_review
from claude_batch.sandbox.anthropic_server.server import BatchesServer
from claude_batch.sandbox.http_messages import Fault, FindFault, HttpRequest, fail_calls

BATCHES = "/v1/messages/batches"
PARAMS = json.dumps(
    {
        "model": "claude-sonnet-5-5",
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": "é"}],
    }
).encode()
WIRE = {
    "id": "",
    "processing_status": "ended",
    "created_at": "2026-11-22T10:00:00+00:00",
    "expires_at": "2026-11-23T10:00:00+00:00",
    "request_counts": {"succeeded": 1},
    "something": "new",
}
BODY = InMemoryBody(PARAMS)
RECORDINGS = Path(__file__).parent.parent / "recordings"

Edge = Callable[..., tuple[AnthropicClient, BatchesServer]]


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def edge(slept: list[float]) -> Iterator[Edge]:
    """`edge(faults=…)`: a Claude and the look-alike that it talks to."""
    servers: list[BatchesServer] = []
    claudes: list[AnthropicClient] = []

    def make(
        environ: Mapping[str, str] | None = None,
        timeout: float = 10,
        luck: float = 0.0,
        most: int = MAX_BYTES,
        **given: object,
    ) -> tuple[AnthropicClient, BatchesServer]:
        servers.append(BatchesServer(**given).start())  # type: ignore[arg-type]
        full = {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": servers[-1].url} | (environ or {})
        made = AnthropicClient(
            full,
            sleep=slept.append,
            timeout=timeout,
            answer_timeout=timeout,
            jitter=lambda: luck,
            max_bytes=most,
        )
        claudes.append(made)
        return claudes[-1], servers[-1]

    yield make
    for claude in claudes:
        claude.close()
    for server in servers:
        server.stop()


def test_from_create_to_results(edge: Edge) -> None:
    claude, server = edge()
    before = datetime.now(UTC)
    created = claude.create_batch([("a", BODY), ("b", BODY)])
    assert (created.status, created.requests, created.archived_at) == ("in_progress", 2, None)
    assert before <= created.created_at <= datetime.now(UTC)
    assert created.expires_at - created.created_at == timedelta(days=1)
    assert claude.retrieve_batch(created.id).status == "ended"
    answers = [
        parse_result_line(line, validate_review) for line in claude.stream_results(created.id)
    ]
    assert sorted(answer.custom_id for answer in answers) == ["a", "b"]
    assert {answer.outcome for answer in answers} == {Outcome.SUCCEEDED}
    sent = [(custom_id, params) for _, custom_id, params in server.submitted()]
    assert sent == [("a", json.loads(PARAMS)), ("b", json.loads(PARAMS))]


def test_a_batch_is_sent_with_its_length_and_once(edge: Edge) -> None:
    claude, server = edge()
    claude.create_batch((name, BODY) for name in "abc")
    (logged,) = server.log
    row = len(PARAMS) + len('{"custom_id":"a","params":}')
    assert logged.body_bytes == len('{"requests":[]}') + 3 * row + 2


@pytest.mark.parametrize(
    ("fault", "problem", "remedy"),
    [
        (
            Fault(400, "invalid_request_error", "so"),
            "the Anthropic API refused (400 invalid_request_error): so",
            "check `model` and `effort` in the config with `claude-batch doctor`",
        ),
        (
            Fault(401, "authentication_error", "so"),
            "the Anthropic API refused (401 authentication_error): so",
            "check ANTHROPIC_API_KEY: it may be mistyped, disabled or of another deployment",
        ),
        (
            Fault(403, "permission_error", "so"),
            "the Anthropic API refused (403 permission_error): so",
            "use a key of a workspace that may use this model and the Message Batches API",
        ),
        (
            Fault(404, "not_found_error", "so"),
            "the Anthropic API refused (404 not_found_error): so",
            "check `model` in the config, and ANTHROPIC_BASE_URL if it is set",
        ),
        (
            Fault(413, "request_too_large", "so"),
            "the Anthropic API refused (413 request_too_large): so",
            "submit less at a time, with --paths or more `exclude` in the config",
        ),
        (
            Fault(429, "rate_limit_error", "so", headers={"retry-after": "30"}),
            "the Anthropic API refused (429 rate_limit_error): so",
            "wait 30 seconds, then run the command again",
        ),
        (
            Fault(429, "rate_limit_error", "so", {"error_code": "enforced_spend_limit_reached"}),
            "the Anthropic API refused (429 rate_limit_error): so",
            "raise the spend limit in the Anthropic Console, or wait until the next month begins",
        ),
        (
            Fault(400, "billing_error", "so"),
            "the Anthropic API refused (400 billing_error): so",
            "add credit in the Anthropic Console, under billing",
        ),
        (
            Fault(529, "overloaded_error", "so"),
            "the Anthropic API refused (529 overloaded_error): so",
            "the API is overloaded: run the command again in a few minutes",
        ),
        (
            Fault(413, body=b"<html>Too Large</html>"),
            "the Anthropic API refused (413): no reason given",
            "submit less at a time, with --paths or more `exclude` in the config",
        ),
    ],
)
@pytest.mark.parametrize("lane", ["batch", "now"])
def test_a_refusal_is_plain_and_sent_once(
    edge: Edge, slept: list[float], lane: str, fault: Fault, problem: str, remedy: str
) -> None:
    claude, server = edge(faults=lambda call: fault)
    with pytest.raises(CannotSubmit) as caught:
        claude.create_batch([("a", BODY)]) if lane == "batch" else claude.create_message(PARAMS)
    assert type(caught.value) is CannotSubmit
    assert (caught.value.problem, caught.value.remedy) == (problem, remedy)
    assert (len(server.log), slept) == (1, [])


@pytest.mark.parametrize(
    "fault",
    [
        Fault(500),
        Fault(502, body=b"bad gateway"),
        Fault(503),
        Fault(504, "timeout_error"),
        Fault(408),
        Fault(after=True),
        Fault(200, body=b"<html>welcome to the hotel</html>"),
        Fault(200, body=b"{}"),
        Fault(cut=10),
        Fault(hang=True),
    ],
)
@pytest.mark.parametrize("lane", ["batch", "now"])
def test_what_may_have_been_accepted_is_unclear_and_never_repeated(
    edge: Edge, slept: list[float], lane: str, fault: Fault
) -> None:
    claude, server = edge(faults=lambda call: fault, timeout=0.3)
    with pytest.raises(SubmitUnclear) as caught:
        claude.create_batch([("a", BODY)]) if lane == "batch" else claude.create_message(PARAMS)
    assert "`claude-batch collect` finds the batch if it was accepted" in caught.value.remedy
    assert (len(server.log), slept) == (1, [])


def test_a_batch_whose_answer_was_lost_can_be_found(edge: Edge) -> None:
    claude, _ = edge(faults=fail_calls("POST", "/batches", Fault(after=True)))
    since = datetime.now(UTC)
    with pytest.raises(SubmitUnclear):
        claude.create_batch([("a", BODY), ("b", BODY)])
    assert [batch.requests for batch in claude.list_batches(since).batches] == [2]


def test_a_server_that_is_not_there_got_nothing(edge: Edge) -> None:
    claude, server = edge()
    server.stop()
    with pytest.raises(CannotSubmit) as caught:
        claude.create_batch([("a", BODY)])
    assert type(caught.value) is CannotSubmit
    assert caught.value.problem.startswith("the connection to the Anthropic API failed: ")


def test_no_redirect_is_followed(edge: Edge) -> None:
    _, elsewhere = edge()
    claude, _ = edge(
        faults=lambda call: Fault(307, headers={"location": elsewhere.url + call.path})
    )
    with pytest.raises(CannotSubmit, match="307") as caught:
        claude.create_batch([("a", BODY)])
    assert caught.value.remedy.startswith("set ANTHROPIC_BASE_URL to the final address")
    with pytest.raises(CannotCollect, match="307"):
        claude.retrieve_batch(BatchId("b"))
    with pytest.raises(CannotCollect, match="307"):
        list(claude.stream_results(BatchId("b")))
    assert elsewhere.log == []


def test_the_limit_is_of_what_goes_over_the_wire(edge: Edge) -> None:
    """`most` small, so that the edge of the limit is seen to the byte."""
    size = BatchPayload([("a", BODY), ("b", BODY)]).size
    exact, server = edge(most=size)
    assert exact.create_batch([("a", BODY), ("b", BODY)]).requests == 2
    assert server.log[0].body_bytes == size
    below, server = edge(most=size - 1)
    with pytest.raises(CannotSubmit):
        below.create_batch([("a", BODY), ("b", BODY)])
    assert server.log == []


def test_a_batch_above_the_limit_is_not_sent(edge: Edge) -> None:
    claude, server = edge()
    large = InMemoryBody(b"x" * 8_000_000)
    with pytest.raises(CannotSubmit) as caught:
        claude.create_batch((f"n{n}", large) for n in range(33))
    assert caught.value.problem == "a batch of 264 MB was not sent: the API takes 256 MB"
    assert server.log == []


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({}, "there is no key for the Anthropic API"),
        ({"ANTHROPIC_API_KEY": " "}, "there is no key for the Anthropic API"),
        (
            {"ANTHROPIC_API_KEY": "sk-ключ"},
            "ANTHROPIC_API_KEY cannot be a key: it has spaces or special characters",
        ),
        (
            {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": "http://[::1"},
            "ANTHROPIC_BASE_URL is not a web address: http://[::1",
        ),
        (
            {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": "localhost:80"},
            "ANTHROPIC_BASE_URL is not a web address: localhost:80",
        ),
    ],
)
def test_what_is_missing_is_said_at_first_use(environ: Mapping[str, str], problem: str) -> None:
    claude = AnthropicClient(environ, sleep=lambda seconds: None)
    with pytest.raises(CannotSubmit) as caught:
        claude.create_batch([("a", BODY)])
    assert caught.value.problem == problem


def test_a_key_or_a_token_with_its_newline(edge: Edge) -> None:
    keys = frozenset({"right"})
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        claude, _ = edge({"ANTHROPIC_API_KEY": "", name: "right\n"}, keys=keys)
        assert claude.list_batches(datetime.now(UTC)).batches == ()
    claude, _ = edge({"ANTHROPIC_API_KEY": "wrong"}, keys=keys)
    with pytest.raises(CannotCollect, match="401 authentication_error"):
        claude.list_batches(datetime.now(UTC))


@pytest.mark.parametrize(
    ("faults", "waits"),
    [
        ([Fault(404, "not_found_error"), Fault(404, "not_found_error")], [1, 2]),
        ([Fault(429, headers={"retry-after": "7"}), Fault(529)], [7, 2]),
        ([Fault(429, headers={"retry-after-ms": "1500", "retry-after": "7"})], [1.5]),
        ([Fault(400, headers={"x-should-retry": "true"})], [1]),
        ([Fault(500), Fault(), Fault(503), Fault(cut=5)], [1, 2, 4, 8]),
    ],
)
def test_reading_is_patient(
    edge: Edge, slept: list[float], faults: list[Fault], waits: list[float]
) -> None:
    claude, _ = edge(faults=reading(faults))
    batch = claude.create_batch([("a", BODY)]).id
    assert claude.retrieve_batch(batch).requests == 1
    assert slept == waits


def test_who_failed_together_does_not_come_back_together(edge: Edge, slept: list[float]) -> None:
    faults = [Fault(500), Fault(503), Fault(429, headers={"retry-after": "10"})]
    claude, _ = edge(faults=reading(faults), luck=1.0)
    batch = claude.create_batch([("a", BODY)]).id
    claude.retrieve_batch(batch)
    assert slept == [0.5, 1, 11]


def test_a_date_to_come_back_at_counts_from_the_answers_own(edge: Edge, slept: list[float]) -> None:
    later = formatdate(time.time() + 30, usegmt=True)
    claude, _ = edge(faults=reading([Fault(429, headers={"retry-after": later})]))
    batch = claude.create_batch([("a", BODY)]).id
    claude.retrieve_batch(batch)
    assert 25 < slept[0] <= 31


def test_how_soon_to_look_again_is_the_servers_word(edge: Edge) -> None:
    raw = json.dumps(WIRE | {"id": "b", "processing_status": "in_progress"}).encode()
    told = [Fault(200, body=raw, headers={"retry-after": "10"}), Fault(200, body=raw)]
    claude, _ = edge(faults=reading(told))
    assert [claude.retrieve_batch(BatchId("b")).retry_after for _ in told] == [10, None]


def reading(faults: list[Fault]) -> FindFault:
    left = list(faults)
    return lambda call: left.pop(0) if call.method == "GET" and left else None


@pytest.mark.parametrize(
    ("fault", "calls"),
    [
        (Fault(404, "not_found_error", "No batch"), 5),
        (Fault(500, message="No batch"), 5),
        (Fault(403, "permission_error", "No batch"), 1),
        (Fault(429, message="No batch", headers={"retry-after": "3600"}), 1),
        (Fault(529, message="No batch", headers={"x-should-retry": "false"}), 1),
        (Fault(429, message="No batch", details={"error_code": "enforced_spend_limit_reached"}), 1),
    ],
)
def test_reading_ends_with_a_reason(edge: Edge, fault: Fault, calls: int) -> None:
    claude, server = edge(faults=lambda call: fault)
    for read in (
        claude.retrieve_batch,
        claude.cancel_batch,
        lambda batch: list(claude.stream_results(batch)),
    ):
        server.log.clear()
        with pytest.raises(CannotCollect, match="No batch"):
            read(BatchId("msgbatch_x"))
        assert len(server.log) == calls


def test_an_answer_in_another_format_is_said(edge: Edge) -> None:
    claude, _ = edge(faults=lambda call: Fault(200, body=b"<html>"))
    with pytest.raises(CannotCollect, match="not its own format"):
        claude.retrieve_batch(BatchId("b"))


def test_a_cut_stream_starts_over_and_yields_nothing_twice(edge: Edge, slept: list[float]) -> None:
    cuts = [Fault(cut=100), Fault(cut=100_000), Fault(cut=300)]
    claude, _ = edge(faults=fail_calls("GET", "/results", *cuts))
    batch = claude.create_batch((f"n{n}", BODY) for n in range(500)).id
    names = [json.loads(line)["custom_id"] for line in claude.stream_results(batch)]
    assert sorted(names) == sorted(f"n{n}" for n in range(500))
    assert slept == [1, 2, 4]


def test_a_stream_that_ends_early_without_an_error_is_left_to_the_caller(
    edge: Edge, slept: list[float]
) -> None:
    short = Fault(200, body=b'{"custom_id":"a","result":{"type":"canceled"}}\n{"custom_id":"b","re')
    claude, _ = edge(faults=fail_calls("GET", "/results", short))
    batch = claude.create_batch([("a", BODY), ("b", BODY)]).id
    assert len(list(claude.stream_results(batch))) == 2
    assert slept == []


def test_results_are_fetched_from_our_own_address(edge: Edge) -> None:
    _, foreign = edge()

    def faults(call: HttpRequest) -> Fault | None:
        if call.method == "GET" and not call.path.endswith("/results"):
            told = ended | {"results_url": f"{foreign.url}{call.path}/results"}
            return Fault(200, body=json.dumps(told).encode())
        return None

    claude, _ = edge(faults=faults)
    batch = claude.create_batch([("a", BODY)]).id
    ended = WIRE | {"id": batch}
    assert claude.retrieve_batch(batch).status == "ended"
    assert len(list(claude.stream_results(batch))) == 1
    assert foreign.log == []


def test_recent_reads_pages_until_they_are_older(edge: Edge) -> None:
    now = datetime(2026, 11, 22, 10, tzinfo=UTC)
    times = [now]
    claude, server = edge(now=lambda: times[0])
    for n in range(250):
        times[0] = now + timedelta(minutes=n)
        claude.create_batch([("a", BODY)])
    server.log.clear()
    assert len(claude.list_batches(now + timedelta(minutes=100)).batches) == 150
    assert len(server.log) == 2
    found = claude.list_batches(now).batches
    assert len({batch.id for batch in found}) == 250
    assert list(found) == sorted(found, key=lambda batch: batch.created_at, reverse=True)
    assert claude.list_batches(now + timedelta(days=1)).batches == ()


def test_a_listing_says_when_it_was_made(edge: Edge) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    claude, _ = edge(now=lambda: now)
    assert claude.list_batches(now).listed_at == now


def test_a_full_disk_is_one_sentence(edge: Edge) -> None:
    claude, server = edge()
    batch = claude.create_batch([("a", BODY)]).id
    given = {"ANTHROPIC_API_KEY": "sandbox", "ANTHROPIC_BASE_URL": server.url}
    full = AnthropicClient(
        given,
        sleep=lambda seconds: None,
        open_spool=lambda: open("/dev/full", "r+b", buffering=0),  # noqa: SIM115
    )
    with closing(full), pytest.raises(CannotCollect) as caught:
        list(full.stream_results(batch))
    assert caught.value.problem == (
        "the results could not be stored in a temporary file: No space left on device"
    )
    assert len(list(claude.stream_results(batch))) == 1


def test_cancel_twice_is_the_same_as_once(edge: Edge) -> None:
    claude, _ = edge(seconds=3600)
    batch = claude.create_batch([("a", BODY)]).id
    assert claude.cancel_batch(batch).status == "canceling"
    again = claude.cancel_batch(batch)
    assert (again.status, again.counts["canceled"]) == ("ended", 1)


def test_an_archived_batch_says_so(edge: Edge) -> None:
    times = [datetime(2026, 11, 22, 10, tzinfo=UTC)]
    claude, _ = edge(now=lambda: times[0])
    batch = claude.create_batch([("a", BODY)]).id
    times[0] += timedelta(days=30)
    assert claude.retrieve_batch(batch).archived_at
    with pytest.raises(CannotCollect, match="no longer available"):
        list(claude.stream_results(batch))


def test_the_lane_now(edge: Edge) -> None:
    claude, server = edge()
    answer = parse_message("a", claude.create_message(PARAMS), validate_review)
    assert (answer.outcome, answer.model) == (Outcome.SUCCEEDED, "claude-sonnet-5-5")
    assert answer.usage == Usage(input=1, output=8)
    assert [logged.path for logged in server.log] == ["/v1/messages"]


def test_models(edge: Edge, slept: list[float]) -> None:
    claude, _ = edge()
    retires = datetime(2027, 1, 15, tzinfo=UTC)
    model = claude.retrieve_model("claude-haiku-4-5")
    assert model is not None
    assert model.model_dump() == {
        "id": "claude-haiku-4-5",
        "lifecycle": "deprecated",
        "retires_at": retires,
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
        "batch": True,
        "structured_outputs": True,
    }
    assert claude.retrieve_model("claude-unknown") is None
    assert slept == []


def test_federation_needs_no_key(edge: Edge, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("the job's own token")
    minted = {"access_token": "minted", "expires_in": 3600, "token_type": "bearer"}

    def faults(call: HttpRequest) -> Fault | None:
        if call.path == "/v1/oauth/token":
            return Fault(200, body=json.dumps(minted).encode())
        return None

    claude, _ = edge(
        {
            "ANTHROPIC_API_KEY": "",
            "ANTHROPIC_IDENTITY_TOKEN_FILE": str(token),
            "ANTHROPIC_FEDERATION_RULE_ID": "rule",
            "ANTHROPIC_ORGANIZATION_ID": "organization",
        },
        keys=frozenset({"minted"}),
        faults=faults,
    )
    assert claude.list_batches(datetime.now(UTC)).batches == ()


def test_federation_that_fails_sent_nothing(edge: Edge, tmp_path: Path) -> None:
    claude, server = edge(
        {
            "ANTHROPIC_API_KEY": "",
            "ANTHROPIC_IDENTITY_TOKEN_FILE": str(tmp_path / "absent"),
            "ANTHROPIC_FEDERATION_RULE_ID": "rule",
            "ANTHROPIC_ORGANIZATION_ID": "organization",
        }
    )
    with pytest.raises(CannotSubmit) as caught:
        claude.create_batch([("a", BODY)])
    assert type(caught.value) is CannotSubmit
    assert caught.value.problem.startswith("the Anthropic credentials cannot be used: ")
    assert server.log == []


@pytest.fixture(scope="module")
def vcr_cassette_dir() -> str:
    return str(RECORDINGS)


@pytest.fixture(scope="module")
def vcr_config() -> dict[str, object]:
    """The recordings have answers only, so the body cannot be part of what is matched."""
    return {"match_on": ["method", "scheme", "host", "port", "path", "query"]}


@pytest.fixture
def official(slept: list[float]) -> AnthropicClient:
    return AnthropicClient({"ANTHROPIC_API_KEY": "none"}, sleep=slept.append)


@pytest.mark.vcr
@pytest.mark.default_cassette("basic_batch_completion.yaml")
def test_a_recorded_batch(official: AnthropicClient) -> None:
    created = official.create_batch([("0", BODY), ("1", BODY), ("2", BODY)])
    assert created.id == "msgbatch_01MxdL3LT4Dizo9t3j6FY9Ap"
    assert created.counts["processing"] == 3
    assert official.retrieve_batch(created.id).status == "in_progress"
    ended = official.retrieve_batch(created.id)
    assert (ended.status, ended.counts["succeeded"]) == ("ended", 3)
    assert ended.created_at == datetime(2025, 1, 12, 5, 59, 14, 154311, UTC)
    answers = [parse_result_line(line, None) for line in official.stream_results(created.id)]
    assert [(answer.custom_id, answer.outcome) for answer in answers] == [
        ("0", Outcome.SUCCEEDED),
        ("1", Outcome.SUCCEEDED),
        ("2", Outcome.SUCCEEDED),
    ]
    assert [answer.usage for answer in answers] == [
        Usage(input=11, output=273),
        Usage(input=10, output=259),
        Usage(input=10, output=313),
    ]
    assert {answer.model for answer in answers} == {"claude-3-5-sonnet-20241022"}
    assert "Sauté onions" in str(answers[0].text)


@pytest.mark.vcr
@pytest.mark.default_cassette("basic_batch_reasoning_completion.yaml")
def test_a_recorded_batch_with_thinking(official: AnthropicClient) -> None:
    batch = official.create_batch([("0", BODY), ("1", BODY)]).id
    lines = list(official.stream_results(batch))
    blocks = [json.loads(line)["result"]["message"]["content"] for line in lines]
    assert [[block["type"] for block in content] for content in blocks] == [
        ["thinking", "text"],
        ["thinking", "text"],
    ]
    answers = [parse_result_line(line, None) for line in lines]
    assert [answer.text for answer in answers] == [content[1]["text"] for content in blocks]
    assert {parse_result_line(line, validate_review).outcome for line in lines} == {
        Outcome.UNREADABLE
    }


@pytest.mark.vcr
@pytest.mark.default_cassette("batch_cancel.yaml")
def test_a_recorded_cancel(official: AnthropicClient) -> None:
    batch = official.create_batch([("0", BODY)]).id
    assert official.retrieve_batch(batch).status == "in_progress"
    assert official.cancel_batch(batch).status == "canceling"


@pytest.mark.vcr
@pytest.mark.default_cassette("batch_cancel.yaml")
def test_what_was_not_recorded_fails(official: AnthropicClient) -> None:
    with pytest.raises(CannotCollect):
        official.retrieve_batch(BatchId("msgbatch_another"))


def test_recorded_results_of_other_years() -> None:
    state = json.loads((RECORDINGS / "state-capitals-anthropic.json").read_text())
    answers = [
        parse_result_line(json.dumps({"custom_id": str(n), "result": result}).encode(), None)
        for n, result in enumerate(state["results"])
    ]
    assert [(answer.text, answer.usage) for answer in answers] == [
        ("Des Moines", Usage(input=26, output=7)),
        ("Albany", Usage(input=24, output=5)),
        ("Sacramento", Usage(input=23, output=7)),
        ("Austin", Usage(input=25, output=5)),
    ]
    cited = parse_result_line(
        (RECORDINGS / "msgbatch_01YFCujNum1PSgW5xSjfsSt2_0.json").read_bytes(), None
    )
    assert cited.usage == Usage(input=2117, output=82)
    assert str(cited.text).startswith("Here's a summary of the document:\n\nThe document is a")
    assert str(cited.text).endswith("and its broad impact.")
