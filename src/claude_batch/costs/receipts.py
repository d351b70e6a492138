"""Receipts: the dollars that a run or a pull request paid and saved."""

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
    """The amount that the whole ledger paid from the first of the month (UTC) to `day`."""

    day: date
    usd: Decimal
    budget_usd: Decimal | None  # None: no limit


class Receipt(Model):
    """The cost of answers, their standard price, and the causes of the difference."""

    usd: Decimal = ZERO
    usd_standard: Decimal = ZERO
    saved_by_batch: Decimal = ZERO  # defined by prices.Cost, like saved_by_cache
    saved_by_cache: Decimal = ZERO
    saved_by_dedupe: Decimal = ZERO  # the earlier cost of reused tasks; not in usd_standard
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    models: tuple[str, ...] = ()
    requests: int = 0
    month: MonthToDate | None = None  # up to the newest of these answers
    lost_usd: Decimal = ZERO  # the most that lost answers may have cost; in no other sum
    unpriced: int = 0  # answers that may have been billed at an unknown price; in no sum

    @property
    def saved_usd(self) -> Decimal:
        return self.usd_standard - self.usd


def sum_lost_reservations(
    pairs: Iterable[tuple[RequestRecorded, AnswerRecorded | FoldedRequest]],
) -> Decimal:
    """Return the dollars reserved for requests whose answers were lost."""
    return sum((request.estimate.usd_max for request, answer in pairs if is_lost(answer)), ZERO)


def build_receipt(
    answers: Iterable[AnswerRecorded | FoldedRequest],
    reused_usd: Decimal = ZERO,
    lost_usd: Decimal = ZERO,
) -> Receipt:
    """Add up answers at their recorded costs.

    `reused_usd`: the original cost of the answers that were reused.
    """
    usd = usd_standard = by_batch = ZERO
    tokens, models, requests, unpriced = Counter[str](), set[str](), 0, 0
    # There may be too many answers to hold in a list.
    for answer in answers:
        requests += 1
        unpriced += is_unpriced(answer)
        if answer.usd is not None and answer.usd_standard is not None:
            usd += answer.usd
            usd_standard += answer.usd_standard
            by_batch += answer.usd * (1 / BATCH_FACTOR - 1) if _in_batch(answer) else ZERO
        if answer.usage is not None:
            tokens.update(_tokens(answer.usage))
            models.update([answer.model] if answer.model else [])
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


def _in_batch(answer: AnswerRecorded | FoldedRequest) -> bool:
    """True if the answer had the discount of a batch."""
    if answer.usage and answer.usage.service_tier == "standard":
        return False
    if isinstance(answer, FoldedRequest):
        return answer.lane == "batch"
    return answer.batch is not None


def _tokens(usage: Usage) -> dict[str, int]:
    return {
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cache_read_tokens": usage.cache_read,
        "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
    }


def describe_double_payment(lost_usd: Decimal) -> str:
    return f"possibly paid twice, at most {dollars(lost_usd)} more"
