"""What a collect run found out."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from claude_batch.event import Answered, Outcome
from claude_batch.parcel import Sent


@dataclass(frozen=True)
class Progress:
    """What a waiting person sees: requests in all, and those whose batches have ended."""

    total: int
    done: int


@dataclass(frozen=True)
class Collection:
    batches: tuple[tuple[str, str], ...]  # id (the intent's while it has none), status
    answers: tuple[Answered, ...]  # those recorded by this run
    notes: tuple[str, ...]
    submitted: tuple[Sent, ...] = ()  # what followed: second looks

    def counts(self) -> dict[str, int]:
        """Disjoint, by outcome; sums to the requests that this run recorded."""
        tally = Counter(answered.outcome for answered in self.answers)
        return {outcome.value: tally[outcome] for outcome in Outcome}


def together(parts: Iterable[Collection]) -> Collection:
    """Of several ledgers or rounds; a batch as the last of them saw it."""
    rows = list(parts)
    batches = {name: status for one in rows for name, status in one.batches}
    return Collection(
        tuple(batches.items()),
        tuple(answered for one in rows for answered in one.answers),
        tuple(dict.fromkeys(note for one in rows for note in one.notes)),
        tuple(sent for one in rows for sent in one.submitted),
    )
