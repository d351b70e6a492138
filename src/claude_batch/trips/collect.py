"""`collect` and what follows it: second looks at what was found."""

from collections.abc import Callable
from dataclasses import dataclass

from claude_batch.collected import Collection, together
from claude_batch.follow_up import Followed


@dataclass(frozen=True)
class Verbs:
    collect: Callable[[], Collection]  # one round, or as long as anything is open
    follow_up: Callable[[], Followed]


def collect(verbs: Verbs, *, wait: bool) -> Collection:
    """With `wait` until nothing is open and nothing follows any more."""
    rounds = [_round(verbs)]
    while wait and rounds[-1].submitted:
        rounds.append(_round(verbs))
    return together(rounds)


def _round(verbs: Verbs) -> Collection:
    done = verbs.collect()
    after = verbs.follow_up()
    return together([done, Collection((), after.answers, after.notes, after.sent)])
