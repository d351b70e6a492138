"""A request with its answer, as deduplication and budgets see it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import overload

from claude_batch.event import Answered, Asked, IntentId, is_unpriced

ZERO = Decimal(0)
Key = tuple[IntentId, int]  # of a request: its intent and its number there


@dataclass(frozen=True, slots=True)
class Row:
    """One request as deduplication and budgets see it."""

    asked: Asked
    answered: Answered | None
    is_open: bool

    def charge(self) -> Decimal:
        """Dollars paid or reserved; what was paid and is not known keeps its reservation."""
        reserved = self.asked.estimate.usd_max
        if self.answered is None:
            return reserved if self.is_open else ZERO
        if self.answered.usd is not None:
            return self.answered.usd
        return reserved if is_unpriced(self.answered) else ZERO


@dataclass(frozen=True)
class Requests(Sequence[Row]):
    """Rows by key, each made when it is looked at: on a sheet they cost nothing until then."""

    keys: list[Key]
    row: Callable[[Key], Row]

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | list[Row]:
        return [*map(self.row, self.keys[at])] if isinstance(at, slice) else self.row(self.keys[at])

    def __len__(self) -> int:
        return len(self.keys)
