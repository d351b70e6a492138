"""`claude-batch mcp`: the commands as tools of an MCP server.

A tool has the flags of its command, except `--budget` and `--share`: a model calls it, and a model
must not raise limits or publish.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from claude_batch import __version__
from claude_batch.batches import status as batch_status
from claude_batch.cli import clock
from claude_batch.cli.commands import collect, submit
from claude_batch.cli.commands.findings import findings_document
from claude_batch.cli.commands.status import load_status
from claude_batch.cli.connections import open_repository, open_with_ledgers
from claude_batch.cli.options import HERE, Directory, command_app
from claude_batch.cli.output.collect_result import collect_document
from claude_batch.cli.output.json_writer import write_json
from claude_batch.cli.output.status_result import details_document, status_document
from claude_batch.cli.output.submit_result import estimate_document, submit_document
from claude_batch.cli.source_options import choose_source
from claude_batch.errors import ClaudeBatchError
from claude_batch.pull_requests.outcomes import list_findings

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

app = command_app()

INSTRUCTIONS = (
    "Code review through the Message Batches API: submit changes, collect the answers minutes to "
    "24 hours later, then read the findings. Every tool returns one JSON document. Submit, and the "
    "second looks of collect, cost money within the configured budget; estimate is free."
)

Range = Annotated[str | None, Field(description="A..B, from the merge base.")]
Pull = Annotated[int | None, Field(ge=1, description="A pull request by number.")]
Staged = Annotated[bool, Field(description="The staged changes.")]
Queued = Annotated[bool, Field(description="The trees that the pre-commit hook recorded.")]
Paths = Annotated[list[str] | None, Field(description="Whole files of HEAD, by pattern.")]
Kinds = Annotated[list[str] | None, Field(description="The kinds, for example review.")]
AtOnce = Annotated[bool, Field(description="Answer at once, at full price.")]
Id = Annotated[str, Field(min_length=6, description="An id, or its first 6 characters.")]


class CannotServe(ClaudeBatchError):
    pass


@app.command("mcp")
def mcp_(directory: Directory = HERE) -> None:
    """Serve the commands to an MCP client (stdio)."""
    server(Tools(directory)).run("stdio")


@dataclass(frozen=True)
class Tools:
    """The tools for one directory. Each call opens the repository anew: it may have changed."""

    directory: Path

    def estimate(
        self,
        range: Range = None,
        pr: Pull = None,
        staged: Staged = False,
        queued: Queued = False,
        paths: Paths = None,
        kind: Kinds = None,
        now: AtOnce = False,
    ) -> str:
        """Show what submit would send, and its price. Sends nothing. Without a source: this branch
        against the default branch."""
        repository = open_repository(self.directory)
        source = choose_source(repository, range, pr, staged, queued, paths)
        result = submit.run_estimate(repository, source, _flags(kind, now), share=False)
        return write_json(estimate_document(result))

    def submit(
        self,
        range: Range = None,
        pr: Pull = None,
        staged: Staged = False,
        queued: Queued = False,
        paths: Paths = None,
        kind: Kinds = None,
        now: AtOnce = False,
    ) -> str:
        """Submit new changes for review. Costs money. Without a source: this branch against the
        default branch. Idempotent."""
        repository = open_repository(self.directory)
        source = choose_source(repository, range, pr, staged, queued, paths)
        result = submit.run(repository, source, _flags(kind, now), share=False)
        return write_json(submit_document(result))

    def status(self) -> str:
        """Show pending and failed tasks, and costs."""
        return write_json(status_document(load_status(*open_with_ledgers(self.directory))))

    def collect(self) -> str:
        """Fetch the answers of ended batches, and send second looks at their findings. Does not
        wait: call it again later."""
        result = collect.run(*open_with_ledgers(self.directory))
        return write_json(collect_document(result))

    def findings(self) -> str:
        """List all recorded findings with their outcomes, the most severe first."""
        _, _, ledgers = open_with_ledgers(self.directory)
        return write_json(findings_document(list_findings(ledgers)))

    def show(self, id: Id) -> str:
        """Show one batch, task or finding."""
        _, _, ledgers = open_with_ledgers(self.directory)
        return write_json(details_document(batch_status.show(ledgers, id, clock.utc_now())))


def _flags(kind: list[str] | None, at_once: bool) -> dict[str, object]:
    return {"kinds": tuple(kind) if kind else None, "lane": "now" if at_once else None}


def server(tools: Tools) -> "MCPServer[Any]":
    try:
        from mcp import types
        from mcp.server.mcpserver import MCPServer
    except ModuleNotFoundError as error:
        raise CannotServe(
            f"the MCP server needs the module {error.name}, which is not installed",
            "install the extra: pip install 'claude-batch[mcp]'",
        ) from error

    mcp_server = MCPServer(
        "claude-batch", version=__version__, instructions=INSTRUCTIONS, log_level="WARNING"
    )
    read_only = types.ToolAnnotations(read_only_hint=True)
    writes = types.ToolAnnotations(destructive_hint=False, idempotent_hint=True)
    for tool in (tools.estimate, tools.status, tools.findings, tools.show):
        mcp_server.add_tool(_with_errors(tool), annotations=read_only, structured_output=False)
    for tool in (tools.submit, tools.collect):
        mcp_server.add_tool(_with_errors(tool), annotations=writes, structured_output=False)
    return mcp_server


def _with_errors(tool: Callable[..., str]) -> Callable[..., str]:
    """Send expected errors to the client. Any other is a bug, and goes to stderr."""
    from mcp.server.mcpserver.exceptions import ToolError

    @wraps(tool)
    def call(*args: object, **arguments: object) -> str:
        try:
            return tool(*args, **arguments)
        except ClaudeBatchError as error:
            raise ToolError(f"{error.problem}; {error.remedy}") from error

    return call
