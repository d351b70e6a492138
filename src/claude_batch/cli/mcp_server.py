"""`claude-batch mcp`. Not named mcp: no module bears the name of one that we import.

A tool takes what the command of its name takes, less what would lift a limit (`--budget`) or
publish (`--share`): whoever calls it is a model, and the configuration is a person's word.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from claude_batch import __version__
from claude_batch.batches import status as verb
from claude_batch.cli.commands import collect, findings, submit
from claude_batch.cli.context import CliContext
from claude_batch.cli.options import HERE, Directory, command
from claude_batch.cli.output import json_documents as report
from claude_batch.cli.output.json_writer import document
from claude_batch.cli.source_options import source_of
from claude_batch.errors import ClaudeBatchError

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

app = command()

INSTRUCTIONS = (
    "Code review through the Message Batches API: submit what changed, collect the answers "
    "minutes to 24 hours later, then read the findings. Every tool answers with one JSON document. "
    "Submit, and the second looks of collect, cost money within the budget of the repository's "
    "configuration; estimate is free."
)

Range = Annotated[str | None, Field(description="A..B, from the merge base.")]
Pull = Annotated[int | None, Field(ge=1, description="A pull request by number.")]
Staged = Annotated[bool, Field(description="What is staged.")]
Queued = Annotated[bool, Field(description="What the pre-commit hook noted.")]
Paths = Annotated[list[str] | None, Field(description="Whole files of HEAD, by pattern.")]
Kinds = Annotated[list[str] | None, Field(description="What to ask, for example review.")]
AtOnce = Annotated[bool, Field(description="Answered at once, at full price.")]
Id = Annotated[str, Field(min_length=6, description="Six characters of the id or more.")]


class CannotServe(ClaudeBatchError):
    pass


@app.command("mcp")
def mcp_(directory: Directory = HERE) -> None:
    """Serve the commands to an MCP client (stdio)."""
    server(Tools(directory)).run("stdio")


@dataclass(frozen=True)
class Tools:
    """Each call has a World of its own: between two of them everything may have changed."""

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
        """Say what submit would send, and its price; sends nothing. Without a source: this branch
        against the default one."""
        world = CliContext(self.directory)
        source = source_of(world, range, pr, staged, queued, paths)
        done = submit.run_estimate(world, source, _flags(kind, now), share=False)
        return document(report.estimate(done))

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
        """Send what changed and is not yet known; costs money. Without a source: this branch
        against the default one. Twice is the same as once."""
        world = CliContext(self.directory)
        source = source_of(world, range, pr, staged, queued, paths)
        done = submit.run(world, source, _flags(kind, now), share=False)
        return document(report.submission(done))

    def status(self) -> str:
        """What is pending, failed and spent."""
        world = CliContext(self.directory)
        ledgers = world.ledgers(world.config())
        return document(report.status([verb.status(ledger, world.now()) for ledger in ledgers]))

    def collect(self) -> str:
        """Fetch the answers of batches that have ended, and send second looks at what they found.
        Does not wait: call it again later."""
        world = CliContext(self.directory)
        return document(report.collection(collect.run(world, world.config())))

    def findings(self) -> str:
        """All findings that were collected, with what became of each, gravest first."""
        return document(findings.listed(findings.rows(CliContext(self.directory))))

    def show(self, id: Id) -> str:
        """One batch, task or finding."""
        world = CliContext(self.directory)
        return document(report.shown(verb.show(world.ledgers(world.config()), id, world.now())))


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

    made = MCPServer(
        "claude-batch", version=__version__, instructions=INSTRUCTIONS, log_level="WARNING"
    )
    reading = types.ToolAnnotations(read_only_hint=True)
    writing = types.ToolAnnotations(destructive_hint=False, idempotent_hint=True)
    for tool in (tools.estimate, tools.status, tools.findings, tools.show):
        made.add_tool(_told(tool), annotations=reading, structured_output=False)
    for tool in (tools.submit, tools.collect):
        made.add_tool(_told(tool), annotations=writing, structured_output=False)
    return made


def _told(tool: Callable[..., str]) -> Callable[..., str]:
    """An error of ours reaches the client as its two sentences; any other is a bug, on stderr."""
    from mcp.server.mcpserver.exceptions import ToolError

    @wraps(tool)
    def call(*args: object, **given: object) -> str:
        try:
            return tool(*args, **given)
        except ClaudeBatchError as error:
            raise ToolError(f"{error.problem}; {error.remedy}") from error

    return call
