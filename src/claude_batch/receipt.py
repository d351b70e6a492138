"""The dollars of a run or of a pull request."""

from decimal import Decimal

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
