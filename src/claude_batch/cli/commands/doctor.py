"""`claude-batch doctor`."""

from collections.abc import Iterator
from typing import Annotated

import typer

from claude_batch.cli.context import CliContext
from claude_batch.cli.options import HERE, As, Directory, Format, command, print_status, show
from claude_batch.costs.prices import Prices
from claude_batch.ledger.repair import LedgerHistory, Repair
from claude_batch.ledger.repair import repair as mend
from claude_batch.setup import doctor as verb
from claude_batch.setup.doctor import DoctorCheck, DoctorInputs

app = command()


@app.command()
def doctor(
    repair: Annotated[
        bool, typer.Option("--repair", help="Put back what the ledger has lost.")
    ] = False,
    form: As = Format.text,
    directory: Directory = HERE,
) -> None:
    """Check set-up, rights and ledger."""
    world = CliContext(directory)
    patient = DoctorInputs(
        config=world.config,
        ledger=lambda: world.shared(world.config()),
        anthropic=lambda: world.claude,
        github=lambda: world.forge,
        prices=Prices.load(),
    )
    repairs = _repaired(world) if repair else []
    checks = verb.run_checks(patient)
    healthy = all(check.verdict != "fault" for check in checks)
    said = {"ok": healthy, "checks": checks} | ({"repairs": repairs} if repair else {})
    lines = [*(line for one in repairs for line in _told(one)), *map(_line, checks)]
    show(said, lambda: "\n".join(lines), form)
    if not healthy:
        raise typer.Exit(3)


def _repaired(world: CliContext) -> list[Repair]:
    history = LedgerHistory(world.repository.git)
    ledgers = [world.shared(world.config()), *([] if world.runner else [world.local()])]
    return [mend(ledger, history, print_status) for ledger in ledgers]


def _told(repair: Repair) -> Iterator[str]:
    if repair.brought_back:
        yield f"repaired: {repair.ref}: pushed {repair.brought_back} again"
    for path in repair.put_back:
        yield f"repaired: {repair.ref}: {path} is back"
    for loss in repair.lost:
        yield f"lost: {repair.ref}: {loss.path}: {loss.said}"


def _line(check: DoctorCheck) -> str:
    remedy = f"\n  help: {check.remedy}" if check.remedy else ""
    return f"{check.verdict}: {check.name}: {check.said}{remedy}"
