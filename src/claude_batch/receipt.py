"""The dollars of a run or of a pull request."""

from decimal import ROUND_HALF_UP, Decimal

from claude_batch.event import Model

ZERO = Decimal(0)


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
    unpriced: int = 0  # answers of a model without a price: shown, never counted as zero

    @property
    def saved_usd(self) -> Decimal:
        return self.usd_standard - self.usd


CENT = Decimal("0.01")
TENTH_OF_A_MILL = Decimal("0.0001")


def dollars(amount: Decimal) -> str:
    """For people: four decimals below ten cents, else two. What was paid never reads as nothing."""
    size = abs(amount)
    sign = "-" if amount < 0 else ""
    if size and size < TENTH_OF_A_MILL / 2:
        return f"{sign}<$0.0001"
    step = TENTH_OF_A_MILL if 0 < size < Decimal("0.10") else CENT
    return f"{sign}${size.quantize(step, ROUND_HALF_UP):,}"
