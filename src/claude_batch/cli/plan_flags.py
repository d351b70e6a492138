"""The flags that say how a plan is sent: its priority, its time and its tags."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated

import typer

from claude_batch.config.duration import parse_duration
from claude_batch.errors import BadUsage
from claude_batch.ledger.events import NORMAL_PRIORITY
from claude_batch.submission.scope import PlanOptions

PRIORITIES = {"critical": 100, "high": 75, "normal": 50, "low": 25, "background": 0}
TAG = re.compile(r"[A-Za-z0-9._:-]{1,64}")

LaterFlag = Annotated[bool, typer.Option("--later", help="Only plan; the next flush sends it.")]
PriorityFlag = Annotated[
    str | None, typer.Option("--priority", help="critical, high, normal, low ... or 0-100.")
]
AfterFlag = Annotated[
    str | None, typer.Option("--after", help="Not before a time, or after 30m, 2h, 1d.")
]
TagFlag = Annotated[list[str] | None, typer.Option("--tag", help="A tag; may be repeated.")]
DamageFlag = Annotated[
    bool, typer.Option("--despite-damage", help="Send although the ledger is damaged.")
]
YesFlag = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


NO_WISHES = PlanOptions()
CONFLICTS = (
    ("--now", "--later"),
    ("--now", "--after"),
    ("--later", "--wait"),  # nothing would be sent, so there is nothing to wait for
    ("--after", "--wait"),
    *(
        ("--all-open", flag)
        for flag in ("--range", "--pr", "--staged", "--queued", "--paths", "--wait", "--share")
    ),
)


def check_conflicts(flags: Collection[str]) -> None:
    """Raises BadUsage for two flags that cannot apply together."""
    for one, other in CONFLICTS:
        if one in flags and other in flags:
            raise BadUsage(f"{one} and {other} exclude each other", "give one of them")


def parse_wishes(
    priority: str | None, after: str | None, tags: Sequence[str], now: datetime
) -> PlanOptions:
    """The wishes of the flags, which are recorded with the plan. Raises BadUsage."""
    return PlanOptions(
        priority=NORMAL_PRIORITY if priority is None else parse_priority(priority),
        not_before=None if after is None else parse_after(after, now),
        tags=check_tags(tags),
    )


def parse_priority(text: str) -> int:
    """A word, or a number from 0 to 100. Raises BadUsage."""
    number = PRIORITIES.get(text, int(text) if text.isdecimal() else -1)
    if not 0 <= number <= 100:
        raise BadUsage(
            f"{text!r} is not a priority", f"choose from {', '.join(PRIORITIES)}, or 0 to 100"
        )
    return number


def parse_after(text: str, now: datetime) -> datetime:
    """A time of RFC 3339, or a duration from now on. Raises BadUsage."""
    duration = parse_duration(text)
    try:
        time = datetime.fromisoformat(text) if duration is None else now + duration
    except (ValueError, OverflowError):
        time = None
    if time is None or time.tzinfo is None:
        raise BadUsage(
            f"{text!r} is not a time",
            "give a duration (30m, 2h, 1d), or a time with its zone (2026-12-01T18:00:00Z)",
        )
    return time


def check_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """The tags, each once. Raises BadUsage."""
    for tag in tags:
        if not TAG.fullmatch(tag):
            raise BadUsage(
                f"{tag!r} is not a tag", "use 1 to 64 letters, digits and the signs . _ : -"
            )
    return tuple(dict.fromkeys(tags))
