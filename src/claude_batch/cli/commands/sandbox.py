"""`claude-batch sandbox`."""

import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from claude_batch.cli.options import FormatFlag, command_app, print_result, print_status
from claude_batch.environment import environment
from claude_batch.git.process import Git
from claude_batch.sandbox.anthropic_server.server import BatchesServer
from claude_batch.sandbox.github_server.server import GitHubServer
from claude_batch.sandbox.github_server.state import GitHubSettings

app = command_app()


@app.command()
def sandbox(
    repository: Annotated[
        str, typer.Option("--repository", help="Its name on the GitHub test server.")
    ] = "acme/shop",
    bare: Annotated[
        Path | None, typer.Option("--bare", help="A bare repository, created if absent.")
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0, help="How long a batch takes.")
    ] = 5.0,
    batches_port: Annotated[
        int, typer.Option("--batches-port", help="The port; 0 is any free one.")
    ] = 0,
    github_port: Annotated[
        int, typer.Option("--github-port", help="The port; 0 is any free one.")
    ] = 0,
    output_format: FormatFlag = "text",
) -> None:
    """Serve local test servers for both APIs."""
    environ = environment()
    with tempfile.TemporaryDirectory(prefix="claude-batch-sandbox-") as folder:
        path = bare or Path(folder) / "origin.git"
        if not path.exists():
            Git(environ, Path(folder), is_git_dir=False).run(
                "init", "--quiet", "--bare", "--initial-branch=main", str(path.resolve())
            )
        with (
            BatchesServer(seconds=seconds, port=batches_port) as batches,
            GitHubServer(
                path, environ, GitHubSettings(repository=repository), port=github_port
            ) as github,
        ):
            variables = {
                "ANTHROPIC_API_KEY": "sandbox",
                "ANTHROPIC_BASE_URL": batches.url,
                "GITHUB_TOKEN": "sandbox",
                "GITHUB_API_URL": github.url,
                "GITHUB_REPOSITORY": repository,
            }
            clone = github.clone_url.replace("://", "://x-access-token:sandbox@")
            document = {"environment": variables, "clone_url": clone}
            text = _text(variables, clone)
            print_result(document, dict, lambda _: text, output_format)
            sys.stdout.flush()
            print_status("serving until interrupted; the answers come from rules, not from Claude")
            while True:
                time.sleep(3600)


def _text(variables: dict[str, str], clone: str) -> str:
    exports = [f"export {name}={value}" for name, value in variables.items()]
    return "\n".join([*exports, f"# git clone {clone}"])
