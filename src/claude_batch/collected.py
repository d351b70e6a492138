"""What a collect run found out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import overload

from claude_batch.event import Answered, Outcome
from claude_batch.parcel import Sent
from claude_batch.receipt import ZERO, Receipt, receipt


@dataclass(frozen=True)
class Progress:
    """What a waiting person sees: requests in all, and those whose batches have ended."""

    total: int
    done: int


@dataclass(frozen=True, eq=False)
class Answers(Sequence[Answered]):
    """Each is read when it is looked at: 100,000 of them are never in memory at once."""

    places: tuple[tuple[Mapping[int, Answered], int], ...]  # rows, and a number among them

    @classmethod
    def of(cls, answers: Sequence[Answered]) -> "Answers":
        if isinstance(answers, Answers):
            return answers
        rows = dict(enumerate(answers))
        return cls(tuple((rows, at) for at in rows))

    @overload
    def __getitem__(self, at: int) -> Answered: ...
    @overload
    def __getitem__(self, at: slice) -> "Answers": ...
    def __getitem__(self, at: int | slice) -> "Answered | Answers":
        if isinstance(at, slice):
            return Answers(self.places[at])
        rows, n = self.places[at]
        return rows[n]

    def __len__(self) -> int:
        return len(self.places)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Collection:
    batches: tuple[tuple[str, str], ...]  # id (the intent's while it has none), status
    answers: Sequence[Answered]  # those recorded by this run
    notes: tuple[str, ...]
    submitted: tuple[Sent, ...] = ()  # what followed: second looks
    lost_usd: Decimal = ZERO  # the most that lost answers among `answers` may have cost

    @property
    def receipt(self) -> Receipt:
        return receipt(self.answers, lost_usd=self.lost_usd)

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
        Answers(tuple(place for one in rows for place in Answers.of(one.answers).places)),
        tuple(dict.fromkeys(note for one in rows for note in one.notes)),
        tuple(sent for one in rows for sent in one.submitted),
        sum((one.lost_usd for one in rows), ZERO),
    )
