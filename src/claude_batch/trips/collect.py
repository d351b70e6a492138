"""`collect` and what follows: what failed in passing is asked again, the rest looked at again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from claude_batch.collected import Collection, together
from claude_batch.follow_up import Followed


@dataclass(frozen=True)
class Verbs:
    collect: Callable[[], Collection]  # one round, or as long as anything is open
    follow_ups: Sequence[Callable[[], Followed]]


def collect(verbs: Verbs, *, wait: bool) -> Collection:
    """With `wait` until nothing is open and nothing follows any more."""
    rounds = [_round(verbs)]
    while wait and rounds[-1].submitted:
        rounds.append(_round(verbs))
    return together(rounds)


def _round(verbs: Verbs) -> Collection:
    done = verbs.collect()
    afterwards = [follow_up() for follow_up in verbs.follow_ups]
    return together(
        [done, *(Collection((), one.answers, one.notes, one.sent) for one in afterwards)]
    )
