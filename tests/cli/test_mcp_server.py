"""The MCP server as a process, asked by the client of the same package."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, TextContent

from claude_batch.sandbox.anthropic_server.server import BatchesServer
from shop import TOKEN, Shop, open_shop

PROGRAM = Path(sys.executable).parent / "claude-batch"


@dataclass
class Desk:
    """A clone with the pull request's branch checked out, and what the program is told."""

    shop: Shop
    batches: BatchesServer
    environ: dict[str, str]

    def command(self, *arguments: str) -> Any:
        done = subprocess.run(
            [PROGRAM, *arguments, "--format", "json"],
            cwd=self.shop.work,
            env=os.environ | self.environ,
            capture_output=True,
            check=True,
        )
        return json.loads(done.stdout)

    def talk(self, said: Callable[[Client], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            parameters = StdioServerParameters(
                command=str(PROGRAM),
                args=["mcp", "--directory", str(self.shop.work)],
                env=self.environ,
            )
            async with Client(parameters) as client:
                await said(client)

        asyncio.run(whole())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_shop(tmp_path) as shop, BatchesServer(seconds=0) as batches:
        shop.feature()
        given = {
            "ANTHROPIC_API_KEY": "sandbox",
            "ANTHROPIC_BASE_URL": batches.url,
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_API_URL": shop.hub.url,
            "GITHUB_REPOSITORY": shop.hub.repository,
        }
        git = {name: os.environ[name] for name in os.environ if name.startswith("GIT_")}
        yield Desk(shop, batches, git | given)


def text(result: CallToolResult) -> str:
    [block] = result.content
    assert isinstance(block, TextContent)
    return block.text


async def ask(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text(result)
    return json.loads(text(result))


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return text(result)


def test_the_whole_way_from_an_estimate_to_a_finding(desk: Desk) -> None:
    source = {"range": "main..HEAD"}

    async def said(client: Client) -> None:
        estimate = await ask(client, "estimate", **source)
        assert estimate == desk.command("estimate", "--range", "main..HEAD")
        assert estimate["tasks"]["new"] > 0

        sent = await ask(client, "submit", **source)
        assert [batch["requests"] for batch in sent["batches"]] == [sent["requests"]]
        again = await ask(client, "submit", **source)
        assert (again["batches"], again["tasks"]["new"]) == ([], 0)

        [open_batch] = (await ask(client, "status"))["batches"]
        assert open_batch["id"] == sent["batches"][0]["id"]
        collected = await ask(client, "collect")
        assert collected["answers"]["succeeded"] == sent["requests"]
        assert await ask(client, "status") == desk.command("status")

        assert await ask(client, "findings") == desk.command("findings")
        shown = await ask(client, "show", id=open_batch["id"])
        assert shown == desk.command("show", open_batch["id"])
        assert (shown["type"], shown["status"]) == ("batch", "collected")

    desk.talk(said)


def test_every_tool_says_what_it_takes_and_whether_it_writes(desk: Desk) -> None:
    async def said(client: Client) -> None:
        assert client.server_info.name == "claude-batch"
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        reading = {
            name: bool(tool.annotations and tool.annotations.read_only_hint)
            for name, tool in tools.items()
        }
        assert reading == {
            "estimate": True,
            "status": True,
            "findings": True,
            "show": True,
            "submit": False,
            "collect": False,
        }
        takes = tools["submit"].input_schema["properties"]
        assert set(takes) == {"range", "pr", "staged", "queued", "paths", "kind", "now"}
        assert takes == tools["estimate"].input_schema["properties"]
        assert tools["show"].input_schema["required"] == ["id"]
        assert all(tool.description for tool in tools.values())

    desk.talk(said)


def test_a_refusal_is_told_in_its_two_sentences(desk: Desk) -> None:
    async def said(client: Client) -> None:
        both = await refusal(client, "estimate", staged=True, queued=True)
        assert "two sources were named; give one of --range, --pr" in both
        assert "is not a range" in await refusal(client, "submit", range="main")
        assert "greater than or equal to 1" in await refusal(client, "estimate", pr=0)
        assert (await ask(client, "status"))["batches"] == []

    desk.talk(said)


def test_the_budget_of_the_configuration_holds(desk: Desk) -> None:
    (desk.shop.work / ".claude-batch.toml").write_text("budget.month = 0.0001\n")

    async def said(client: Client) -> None:
        told = await refusal(client, "submit", range="main..HEAD")
        assert "nothing was sent" in told
        assert "raise `budget.month`" in told

    desk.talk(said)
    assert not [seen for seen in desk.batches.log if seen.method == "POST"]


def test_without_the_extra_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['mcp'] = None; sys.argv[1:] = ['mcp']\n"
        "from claude_batch.__main__ import main\n"
        "sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "error: the MCP server needs the module mcp, which is not installed\n"
        " help: install the extra: pip install 'claude-batch[mcp]'\n"
    )
