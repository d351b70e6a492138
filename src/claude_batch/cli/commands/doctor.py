"""`claude-batch doctor`."""

from collections.abc import Iterator
from functools import partial
from typing import Annotated

import typer

from claude_batch.batches.forget import adopt_scope
from claude_batch.cli import clock
from claude_batch.cli.configuration import load_config
from claude_batch.cli.connections import (
    anthropic_client,
    ci_runner,
    github_client,
    open_ledgers,
    open_local_ledger,
    open_repository,
    open_shared_ledger,
    run_id,
)
from claude_batch.cli.options import (
    HERE,
    Directory,
    FormatFlag,
    command_app,
    print_result,
    print_status,
)
from claude_batch.cli.output.json_writer import Json, select
from claude_batch.costs.prices import Prices
from claude_batch.git.repository import Repository
from claude_batch.ledger.repair import LedgerHistory, RepairResult
from claude_batch.ledger.repair import repair as repair_ledger
from claude_batch.setup.doctor import DoctorCheck, DoctorInputs, run_checks

app = command_app()


@app.command()
def doctor(
    repair: Annotated[
        bool, typer.Option("--repair", help="Restore lost files of the ledger.")
    ] = False,
    adopt: Annotated[
        str | None,
        typer.Option("--adopt-scope", metavar="OLD", help="Take over batches of a replaced key."),
    ] = None,
    output_format: FormatFlag = "text",
    directory: Directory = HERE,
) -> None:
    """Check set-up, rights and ledger."""
    repository = open_repository(directory)
    inputs = DoctorInputs(
        config=partial(load_config, repository),
        ledger=lambda: open_shared_ledger(repository, load_config(repository)),
        anthropic=lambda: anthropic_client(repository),
        github=lambda: github_client(repository),
        prices=Prices.load(),
        workflows=partial(_read_workflows, repository),
        now=clock.utc_now,
    )
    repairs = _repair(repository) if repair else []
    adopted = _adopt_scope(repository, adopt) if adopt else []
    checks = run_checks(inputs)
    healthy = all(check.verdict != "fault" for check in checks)
    document: dict[str, object] = {"ok": healthy, "checks": checks}
    if repair:
        document["repairs"] = [_repair_document(result) for result in repairs]
    if adopt:
        document["adopted"] = adopted
    lines = [line for result in repairs for line in _repair_lines(result)]
    lines += [f"adopted: batch {batch} is left to the key of this environment" for batch in adopted]
    lines += map(_check_line, checks)
    print_result(document, dict, lambda _: "\n".join(lines), output_format)
    if not healthy:
        raise typer.Exit(3)


def _read_workflows(repository: Repository) -> Iterator[str]:
    """The texts of the workflow files; none in a bare repository."""
    folder = repository.root / ".github" / "workflows" if repository.root else None
    for path in sorted(folder.glob("*.y*ml")) if folder else ():
        yield path.read_text("utf-8", "replace")


def _repair(repository: Repository) -> list[RepairResult]:
    history = LedgerHistory(repository.git)
    ledgers = [open_shared_ledger(repository, load_config(repository))]
    ledgers += [] if ci_runner(repository) else [open_local_ledger(repository)]
    return [repair_ledger(ledger, history, print_status) for ledger in ledgers]


def _adopt_scope(repository: Repository, old: str) -> list[str]:
    ledgers = open_ledgers(repository, load_config(repository))
    return adopt_scope(ledgers, old, anthropic_client(repository).key_scope, run_id(repository))


def _repair_document(result: RepairResult) -> Json:
    return {
        **select(result, "ref", brought_back="restored_commit", put_back="restored_files"),
        "lost": [select(loss, "path", said="consequence") for loss in result.lost],
    }


def _repair_lines(result: RepairResult) -> Iterator[str]:
    if result.restored_commit:
        yield f"repaired: {result.ref}: pushed {result.restored_commit} again"
    for path in result.restored_files:
        yield f"repaired: {result.ref}: {path} is back"
    for loss in result.lost:
        yield f"lost: {result.ref}: {loss.path}: {loss.consequence}"


def _check_line(check: DoctorCheck) -> str:
    remedy = f"\n  help: {check.remedy}" if check.remedy else ""
    return f"{check.verdict}: {check.name}: {check.said}{remedy}"
