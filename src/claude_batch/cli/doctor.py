"""`claude-batch doctor`."""

import typer

from claude_batch.cli.shared import HERE, As, Directory, Format, command, show
from claude_batch.cli.world import World
from claude_batch.commands import doctor as verb
from claude_batch.commands.doctor import Check, Patient
from claude_batch.price import Prices

app = command()


@app.command()
def doctor(form: As = Format.text, directory: Directory = HERE) -> None:
    """Check set-up, rights and ledger."""
    world = World(directory)
    patient = Patient(
        config=world.config,
        ledger=lambda: world.shared(world.config()),
        claude=lambda: world.claude,
        forge=lambda: world.forge,
        prices=Prices.load(),
    )
    checks = verb.doctor(patient)
    healthy = all(check.verdict != "fault" for check in checks)
    show({"ok": healthy, "checks": checks}, lambda: "\n".join(map(_line, checks)), form)
    if not healthy:
        raise typer.Exit(3)


def _line(check: Check) -> str:
    remedy = f"\n  help: {check.remedy}" if check.remedy else ""
    return f"{check.verdict}: {check.name}: {check.said}{remedy}"
