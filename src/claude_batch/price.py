"""What tokens cost. All money is Decimal dollars; rounding happens where it is shown."""

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, NonNegativeInt


class Usage(BaseModel):
    """Tokens of one answer by class. `output` is the billed total and includes `thinking`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: NonNegativeInt = 0
    output: NonNegativeInt = 0
    cache_read: NonNegativeInt = 0
    cache_write_5m: NonNegativeInt = 0
    cache_write_1h: NonNegativeInt = 0
    thinking: NonNegativeInt = 0


class Cost(BaseModel):
    """Dollars for a usage: paid, and what the same tokens cost at standard price, uncached."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    usd: Decimal
    usd_standard: Decimal
