"""Estimate the minutes of GitHub Actions and the requests to GitHub of a month."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain
from math import ceil

from claude_batch.formatting import count, dollars
from claude_batch.ledger.events import Event
from claude_batch.ledger.view import LedgerState

MONTH = timedelta(days=30)
MIN_OBSERVED = timedelta(days=7)  # a shorter history is too short to multiply
WEEKS_PER_MONTH = 52 / 12
START_SECONDS = 30  # assumed: checkout and installation, before the first event of a run

# Counted on the test servers, for a pull request with one page of comments.
REQUESTS_PER_SCHEDULED_RUN = 1  # the list of open pull requests
REQUESTS_PER_PLAN = 2 * 9  # the run that sends, and the run that publishes

CRON = re.compile(r"""^\s*-\s*cron:\s*["']?([^"'#\n]+)""", re.MULTILINE)
# The ranges of the fields of a cron line: minute, hour, day of the month, month, day of the week.
FIELD_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
NAMES = {
    name: str(number)
    for names, first in (
        ("jan feb mar apr may jun jul aug sep oct nov dec", 1),
        ("sun mon tue wed thu fri sat", 0),
    )
    for number, name in enumerate(names.split(), first)
}


@dataclass(frozen=True)
class MonthlyUse:
    scheduled_runs: int
    event_runs: int  # started by pull requests
    minutes: int  # GitHub bills each run by the started minute
    github_requests: int
    usd: Decimal  # paid or reserved in the last 30 days

    @classmethod
    def estimate(cls, workflows: Iterable[str], state: LedgerState, now: datetime) -> "MonthlyUse":
        """`workflows`: the texts of the repository's workflow files."""
        scheduled = round(sum(map(count_scheduled_runs, workflows)))
        since = now - MONTH
        plans = [plan for plan in state.plans if plan.at >= since and plan.run.startswith("gh")]
        planning = {plan.run for plan in plans}
        minutes = _minutes_by_run(state, since)
        # A run of the schedule is counted with its first minute already.
        event_minutes = sum(used if run in planning else used - 1 for run, used in minutes.items())
        factor = MONTH / _observed(state, now)
        return cls(
            scheduled,
            round(len(planning) * factor),
            scheduled + round(event_minutes * factor),
            scheduled * REQUESTS_PER_SCHEDULED_RUN + round(len(plans) * REQUESTS_PER_PLAN * factor),
            state.spent(since),
        )

    def describe(self) -> str:
        schedule = (
            count(self.scheduled_runs, "scheduled run") if self.scheduled_runs else "no schedule"
        )
        return (
            f"estimated for a month: {schedule} and {count(self.event_runs, 'run')} for pull "
            f"requests, {count(self.minutes, 'minute')} of GitHub Actions, "
            f"{count(self.github_requests, 'request')} to GitHub; {dollars(self.usd)} paid or "
            "reserved in the last 30 days"
        )


def count_scheduled_runs(workflow: str) -> float:
    """The runs a month of a workflow that uses claude-batch; 0 for another one."""
    if "claude-batch" not in workflow:
        return 0
    return sum(_runs_of_cron(line.lower().split()) for line in CRON.findall(workflow))


def _runs_of_cron(fields: Sequence[str]) -> float:
    if len(fields) != len(FIELD_RANGES):
        return 0  # GitHub does not start it either
    minutes, hours, days, months, weekdays = (
        len(set(_expand(text, *limits))) for text, limits in zip(fields, FIELD_RANGES, strict=True)
    )
    by_weekday = weekdays * WEEKS_PER_MONTH
    if fields[2] == "*":
        days_of_month = by_weekday
    elif fields[4] == "*":
        days_of_month = days
    else:  # cron starts it on the days that fit either field
        days_of_month = min(days + by_weekday, 7 * WEEKS_PER_MONTH)
    return minutes * hours * days_of_month * months / 12


def _expand(text: str, low: int, high: int) -> Iterator[int]:
    """The values of a field, such as "*/15", "1-5" or "7,10,13"."""
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if first == "*":
            first, last = str(low), str(high)
        numbers = [NAMES.get(bound, bound) for bound in (first, last or first)]
        if not all(map(str.isdecimal, [*numbers, step or "1"])) or step == "0":
            continue
        end = high if step and not last else int(numbers[1])
        for value in range(int(numbers[0]), end + 1, int(step or 1)):
            yield value % 7 if high == 6 else value  # both 0 and 7 are Sunday


def _minutes_by_run(state: LedgerState, since: datetime) -> dict[str, int]:
    """By run of GitHub Actions, the started minutes, from its events in the ledger."""
    intents = (record.intent for record in state.batch_records.values())
    events: Iterable[Event] = chain(state.plans, state.posts.values(), intents)
    times: dict[str, list[datetime]] = {}
    for event in events:
        if event.at >= since and event.run.startswith("gh"):
            times.setdefault(event.run, []).append(event.at)
    return {
        run: ceil(((max(at) - min(at)).total_seconds() + START_SECONDS) / 60)
        for run, at in times.items()
    }


def _observed(state: LedgerState, now: datetime) -> timedelta:
    """How long the ledger has been written, from 7 to 30 days."""
    first = min((plan.at for plan in state.plans), default=now)
    return min(MONTH, max(MIN_OBSERVED, now - first))
