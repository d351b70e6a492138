"""What a collect run found out."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from claude_batch.event import Answered, Outcome


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

    def counts(self) -> dict[str, int]:
        """Disjoint, by outcome; sums to the requests that this run recorded."""
        tally = Counter(answered.outcome for answered in self.answers)
        return {outcome.value: tally[outcome] for outcome in Outcome}


def together(parts: Iterable[Collection]) -> Collection:
    """Of several ledgers."""
    rows = list(parts)
    return Collection(
        tuple(batch for one in rows for batch in one.batches),
        tuple(answered for one in rows for answered in one.answers),
        tuple(note for one in rows for note in one.notes),
    )
