"""The workspace is named beside a key or a token, and inside the exchange of a federation."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.sandbox.anthropic_server.server import BatchesServer
from claude_batch.sandbox.http_messages import Fault, HttpRequest

HEADER = "anthropic-workspace-id"
TOKENS = "/v1/oauth/token"


class Door:
    """Notes the requests of a test server, and mints tokens."""

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []

    def __call__(self, request: HttpRequest) -> Fault | None:
        self.requests.append(request)
        if request.path != TOKENS:
            return None
        assert request.body  # read now: later it is gone
        minted = {"access_token": "minted", "expires_in": 3600, "token_type": "bearer"}
        return Fault(200, body=json.dumps(minted).encode())


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def server(door: Door) -> Iterator[BatchesServer]:
    with BatchesServer(keys=frozenset({"k", "minted"}), faults=door) as made:
        yield made


def listed(server: BatchesServer, environ: Mapping[str, str]) -> None:
    given = {"ANTHROPIC_BASE_URL": server.url, **environ}
    client = AnthropicClient(given, sleep=lambda seconds: None)
    assert client.list_batches(datetime.now(UTC)).batches == ()
    client.close()


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"])
@pytest.mark.parametrize("workspace", ["wrkspc_1", None])
def test_a_key_or_a_token_goes_with_the_workspace(
    server: BatchesServer, door: Door, name: str, workspace: str | None
) -> None:
    named = {"ANTHROPIC_WORKSPACE_ID": workspace} if workspace else {}
    listed(server, {name: "k"} | named)
    assert [request.headers.get(HEADER) for request in door.requests] == [workspace]


def test_a_federation_asks_for_a_token_of_the_workspace(
    server: BatchesServer, door: Door, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("the job's own token")
    federation = {
        "ANTHROPIC_IDENTITY_TOKEN_FILE": str(token),
        "ANTHROPIC_FEDERATION_RULE_ID": "rule",
        "ANTHROPIC_ORGANIZATION_ID": "organization",
        "ANTHROPIC_WORKSPACE_ID": "wrkspc_1",
    }
    listed(server, federation)
    exchange, *others = door.requests
    assert exchange.json()["workspace_id"] == "wrkspc_1"
    assert [request.headers.get(HEADER) for request in others] == [None], "the API refuses it"
