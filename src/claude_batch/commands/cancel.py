"""`cancel`: on batches. What is already running may still be answered, and is then paid for."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from claude_batch.edges.claude import Claude
from claude_batch.errors import BadUsage
from claude_batch.event import BatchId, BatchStatus
from claude_batch.ledger import Ledger, Sending, View, Write


@dataclass(frozen=True)
class Canceled:
    batches: tuple[tuple[BatchId, str], ...]  # id, status at the API


def cancel(
    ledger: Ledger,
    claude: Claude,
    chosen: Callable[[View], Iterable[Sending]],
    run: str,
    now: Callable[[], datetime],
) -> Canceled:
    done: list[tuple[BatchId, str]] = []
    facts: list[BatchStatus] = []
    for sending in list(chosen(ledger.view())):
        if sending.submitted is None:
            continue
        batch = sending.submitted.batch
        status = claude.cancel(batch).status
        facts.append(
            BatchStatus(
                at=now(), run=run, repo=sending.intent.repo, batch=batch, status="canceling"
            )
        )
        done.append((batch, status))
    ledger.transact(lambda view: Write(tuple(facts)))
    return Canceled(tuple(done))


def by_id(prefixes: Iterable[str]) -> Callable[[View], list[Sending]]:
    """Open batches whose ids start so; all of them for no prefix. Raises BadUsage."""
    wanted = tuple(prefixes)

    def choose(view: View) -> list[Sending]:
        found = [sending for sending in view.open_batches() if sending.submitted]
        for prefix in wanted:
            if not any(_is(sending, prefix) for sending in found):
                raise BadUsage(
                    f"no open batch is called {prefix!r}", "see `claude-batch status` for the ids"
                )
        return [one for one in found if not wanted or any(_is(one, p) for p in wanted)]

    return choose


def only_of(pr: int) -> Callable[[View], list[Sending]]:
    """Open batches that hold work of this pull request and of no other."""
    return lambda view: [
        sending
        for sending in view.open_batches()
        if sending.submitted and {asked.pr for asked in sending.requests.values()} == {pr}
    ]


def _is(sending: Sending, prefix: str) -> bool:
    return sending.submitted is not None and sending.submitted.batch.startswith(prefix)
