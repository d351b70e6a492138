"""Checks at the end of a crash trial: the servers show each thing paid once and posted once."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.anthropic_api.models import BatchId
from claude_batch.anthropic_api.results import BatchResult, parse_message, parse_result_line
from claude_batch.costs.receipts import ZERO, describe_double_payment, sum_lost_reservations
from claude_batch.formatting import dollars
from claude_batch.ledger.view import LedgerState, TaskStatus
from claude_batch.pull_requests.comment import read_marker
from crash_trial import Trial
from rig import PRICES, ROW, content

CLAIM = re.compile(r'^<claim id="[^"]*".*\n> (.*)$', re.MULTILINE)

Words = tuple[str, str | None, int | None, str]


def said(trial: Trial) -> Counter[Words]:
    """Everything posted on GitHub: kind, path, line and who resolved its thread; pull requests by
    their titles, and the branches that they could come from."""
    shop = trial.place.shop
    pulls = shop.forge().list_open_pull_requests()
    words: list[Words] = [
        (one.kind, one.path, one.line, one.resolved_by or "")
        for pull in pulls
        for one in shop.hub.conversation(pull.number)
    ]
    words += [("pull request", None, None, pull.title) for pull in pulls]
    branches = shop.git("ls-remote", "origin", "refs/heads/claude-batch/*").stdout.splitlines()
    return Counter([*words, *(("branch", None, None, "") for _ in branches)])


def faults(trial: Trial, expected: Counter[Words]) -> Iterator[str]:
    """Check batches. `expected` is the result of a run without a crash."""
    view = trial.ledger().view()
    yield from ledger_faults(view)
    yield from _twice("paid", questions(asked for *_, asked in trial.place.batches.submitted()))
    yield from words_faults(trial, expected)
    if recorded(view) != _billed(trial):
        yield f"the ledger has {recorded(view)} dollars, and {_billed(trial)} were billed"


def now_faults(trial: Trial, expected: Counter[Words]) -> Iterator[str]:
    """Check immediate requests: one that was paid but not recorded is sent once more, in a batch,
    with a note."""
    view = trial.ledger().view()
    yield from ledger_faults(view)
    yield from words_faults(trial, expected)
    asked = questions(json.loads(paid.asked) for paid in trial.paid)
    asked += questions(params for *_, params in trial.place.batches.submitted())
    yield from (f"paid {n} times: {key}" for key, n in asked.items() if n > 2)
    answers = (parse_message("", paid.answered, None) for paid in trial.paid)
    billed = sum((_usd(answer, batch=False) for answer in answers), _billed(trial))
    lost = sum_lost_reservations((row.request, row.answer) for row in view.requests if row.answer)
    if not recorded(view) <= billed <= recorded(view) + lost:
        yield f"{billed} were billed, the ledger has {recorded(view)} and at most {lost} more"
    if billed > recorded(view) and not any(
        describe_double_payment(lost) in body for body in _bodies(trial)
    ):
        yield f"no receipt says that {lost} may have been paid twice"


def ledger_faults(view: LedgerState) -> Iterator[str]:
    yield from (f"damaged: {line}" for line in view.damaged)
    yield from (f"open: {sending.intent.id}" for sending in view.open_batches())
    tasks = {task.id for plan in view.plans for file in plan.files for task in file.tasks}
    if not tasks:
        yield "nothing was planned"
    for task in tasks:
        if view.task_status(task) is not TaskStatus.ANSWERED:
            yield f"task {task[:8]} is {view.task_status(task)}"


def words_faults(trial: Trial, expected: Counter[Words]) -> Iterator[str]:
    found = said(trial)
    if found != expected:
        yield f"said too much: {found - expected}; too little: {expected - found}"
    bodies = _bodies(trial)
    yield from _twice("said", Counter(key for key in map(read_marker, bodies) if key))
    view = trial.ledger().view()
    paid = f"**{dollars(recorded(view))}**"
    if bodies and not any(paid in body for body in bodies):
        yield f"no receipt says {paid}"


def questions(asked: Iterable[Mapping[str, object]]) -> Counter[str]:
    """How often each hunk was asked about, and each claim was looked at again."""
    found = Counter[str]()
    for params in asked:
        shown = content(params)
        for hunk in shown.split("\n@@"):
            rows = [row for row in map(ROW.fullmatch, hunk.split("\n")) if row]
            if rows:
                found["\n".join(f"{row[2]}{row[3]}" for row in rows)] += 1
        found.update(CLAIM.findall(shown))
    return found


def recorded(view: LedgerState) -> Decimal:
    return sum((row.answer.usd for row in view.requests if row.answer and row.answer.usd), ZERO)


def _twice(what: str, counted: Counter[str]) -> Iterator[str]:
    yield from (f"{what} {n} times: {key}" for key, n in counted.items() if n > 1)


def _bodies(trial: Trial) -> list[str]:
    hub, pulls = trial.place.shop.hub, trial.place.shop.forge().list_open_pull_requests()
    return [one.body for pull in pulls for one in hub.conversation(pull.number)]


def _billed(trial: Trial) -> Decimal:
    """The price of all batches, from the server's usage."""
    claude = AnthropicClient(trial.place.environ, sleep=lambda seconds: None)
    batches = dict.fromkeys(batch for batch, *_ in trial.place.batches.submitted())
    lines = [line for batch in batches for line in claude.stream_results(BatchId(batch))]
    claude.close()
    return sum((_usd(parse_result_line(line, None)) for line in lines), ZERO)


def _usd(answer: BatchResult, *, batch: bool = True) -> Decimal:
    if answer.usage is None or answer.model is None:
        return ZERO
    return PRICES.cost(answer.model, answer.usage, at=date(2026, 11, 22), batch=batch).usd
