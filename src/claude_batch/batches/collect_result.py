"""The result of a collect run, and its counts and receipt."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import overload

from claude_batch.anthropic_api.results import Outcome
from claude_batch.batches.batching import SentBatch
from claude_batch.costs.receipts import ZERO, Receipt, build_receipt
from claude_batch.ledger.events import AnswerRecorded

NO_RECEIPT = Receipt()
MAX_FAILURES_KEPT = 20
ENDED = ("collected", "lost")


@dataclass(frozen=True)
class Progress:
    """Requests in all, and those whose batches have ended."""

    total: int
    done: int


@dataclass(frozen=True, eq=False)
class Answers(Sequence[AnswerRecorded]):
    """Answers, loaded on access: there may be 100,000 of them."""

    positions: tuple[tuple[Mapping[int, AnswerRecorded], int], ...]  # rows, and a number among them

    @classmethod
    def from_answers(cls, answers: Sequence[AnswerRecorded]) -> "Answers":
        if isinstance(answers, Answers):
            return answers
        rows = dict(enumerate(answers))
        return cls(tuple((rows, n) for n in rows))

    @overload
    def __getitem__(self, at: int) -> AnswerRecorded: ...
    @overload
    def __getitem__(self, at: slice) -> "Answers": ...
    def __getitem__(self, at: int | slice) -> "AnswerRecorded | Answers":
        if isinstance(at, slice):
            return Answers(self.positions[at])
        rows, n = self.positions[at]
        return rows[n]

    def __len__(self) -> int:
        return len(self.positions)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]


@dataclass
class AnswerTally:
    """Counts over answers, made in one pass: each answer may have to be read from its file."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    findings: int = 0
    refuted: int = 0
    failed: list[AnswerRecorded] = field(default_factory=list)  # the first of those with a reason
    receipt: Receipt = NO_RECEIPT

    @classmethod
    def from_answers(
        cls, answers: Iterable[AnswerRecorded], lost_usd: Decimal = ZERO
    ) -> "AnswerTally":
        tally = cls()
        tally.receipt = build_receipt(map(tally._add, answers), lost_usd=lost_usd)
        return tally

    def _add(self, answer: AnswerRecorded) -> AnswerRecorded:
        self.outcomes[answer.outcome] += 1
        self.findings += answer.findings
        self.refuted += len(answer.refuted)
        if answer.error and len(self.failed) < MAX_FAILURES_KEPT:
            self.failed.append(answer)
        return answer


@dataclass(frozen=True)
class CollectResult:
    """The result of a collect run, or of one of its steps."""

    batches: tuple[tuple[str, str], ...] = ()  # id (the intent's while it has none), status
    answers: Sequence[AnswerRecorded] = ()  # recorded by this run
    notes: tuple[str, ...] = ()
    sent: tuple[SentBatch, ...] = ()  # second looks and retries
    lost_usd: Decimal = ZERO  # the most that lost answers among `answers` may have cost
    errors: tuple[tuple[str, str], ...] = ()  # of batches that could not be read, by their ids

    @property
    def has_failed(self) -> bool:
        """True if there were open batches and none of them could be read."""
        return bool(self.errors) and {name for name, _ in self.batches} <= dict(self.errors).keys()

    @cached_property
    def tally(self) -> AnswerTally:
        return AnswerTally.from_answers(self.answers, self.lost_usd)

    @property
    def receipt(self) -> Receipt:
        return self.tally.receipt

    def counts(self) -> dict[str, int]:
        """Disjoint, by outcome; sums to the requests that this run recorded."""
        return {outcome.value: self.tally.outcomes[outcome] for outcome in Outcome}


def merge_results(parts: Iterable[CollectResult]) -> CollectResult:
    """Merge the results of several ledgers or rounds. The last status of a batch counts."""
    results = list(parts)
    batches = dict(batch for result in results for batch in result.batches)
    errors = dict(error for result in results for error in result.errors)
    answers = (Answers.from_answers(result.answers) for result in results)
    return CollectResult(
        tuple(batches.items()),
        Answers(tuple(position for part in answers for position in part.positions)),
        tuple(dict.fromkeys(note for result in results for note in result.notes)),
        tuple(sent for result in results for sent in result.sent),
        sum((result.lost_usd for result in results), ZERO),
        # A later round may have succeeded.
        tuple((name, text) for name, text in errors.items() if batches.get(name) not in ENDED),
    )
