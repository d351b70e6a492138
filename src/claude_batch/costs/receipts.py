"""The dollars of a run or of a pull request."""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from claude_batch.anthropic_api.results import Usage
from claude_batch.costs.prices import BATCH_FACTOR
from claude_batch.formatting import dollars
from claude_batch.ledger.events import (
    AnswerRecorded,
    FoldedRequest,
    Model,
    RequestRecorded,
    is_lost,
    is_unpriced,
)

ZERO = Decimal(0)


class MonthToDate(Model):
    """What the whole ledger paid from the first of the month (UTC) to `day`; None: no limit."""

    day: date
    usd: Decimal
    budget_usd: Decimal | None


class Receipt(Model):
    """What answers cost, what they would have cost, and why they did not."""

    usd: Decimal = ZERO
    usd_standard: Decimal = ZERO
    saved_by_batch: Decimal = ZERO
    saved_by_cache: Decimal = ZERO
    saved_by_dedupe: Decimal = ZERO  # outside usd_standard: what reused tasks did not cost again
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    models: tuple[str, ...] = ()
    requests: int = 0
    month: MonthToDate | None = None  # up to the newest of these answers
    lost_usd: Decimal = ZERO  # the most that lost answers may have cost; in none of the sums
    unpriced: int = 0  # answers that may have cost something unknown: shown, never taken for zero

    # What `saved_by_cache` and `saved_by_batch` mean exactly: price.Cost.

    @property
    def saved_usd(self) -> Decimal:
        return self.usd_standard - self.usd


def sum_lost_reservations(
    pairs: Iterable[tuple[RequestRecorded, AnswerRecorded | FoldedRequest]],
) -> Decimal:
    """What was reserved for requests whose answers were lost."""
    return sum((asked.estimate.usd_max for asked, answer in pairs if is_lost(answer)), ZERO)


def build_receipt(
    answers: Iterable[AnswerRecorded | FoldedRequest],
    reused_usd: Decimal = ZERO,
    lost_usd: Decimal = ZERO,
) -> Receipt:
    """The sum over answers as the ledger recorded them: no price is looked up again.

    `reused_usd`: what the answers that were not asked for again have cost when they were.
    """
    usd = usd_standard = by_batch = ZERO
    tokens, models, requests, unpriced = Counter[str](), set[str](), 0, 0
    for row in answers:  # which may be too many to hold
        requests += 1
        unpriced += is_unpriced(row)
        if row.usd is not None and row.usd_standard is not None:
            usd += row.usd
            usd_standard += row.usd_standard
            by_batch += row.usd * (1 / BATCH_FACTOR - 1) if _in_batch(row) else ZERO
        if row.usage is not None:
            tokens.update(_tokens(row.usage))
            models.update([row.model] if row.model else [])
    return Receipt(
        usd=usd,
        usd_standard=usd_standard,
        saved_by_batch=by_batch,
        saved_by_cache=usd_standard - usd - by_batch,
        saved_by_dedupe=reused_usd,
        lost_usd=lost_usd,
        models=tuple(sorted(models)),
        requests=requests,
        unpriced=unpriced,
        **tokens,
    )


def _in_batch(row: AnswerRecorded | FoldedRequest) -> bool:
    return row.lane == "batch" if isinstance(row, FoldedRequest) else row.batch is not None


def _tokens(usage: Usage) -> dict[str, int]:
    return {
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cache_read_tokens": usage.cache_read,
        "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
    }


def describe_double_payment(most: Decimal) -> str:
    """What to say of lost answers."""
    return f"possibly paid twice, at most {dollars(most)} more"
