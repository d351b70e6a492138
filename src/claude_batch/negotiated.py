"""Rates of the user's own contract, laid over the table that ships."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from claude_batch.errors import BadConfig
from claude_batch.price import ModelPrice, Period, Prices, Rates

LEAST, MOST = Decimal("0.0001"), Decimal(10_000)  # dollars per million tokens


def _number(value: object) -> object:
    """pydantic would take quoted amounts and truth values for numbers. TOML's null is false."""
    if isinstance(value, str) or value is True:
        raise ValueError
    return None if value is False else value


PerMillion = Annotated[
    Annotated[Decimal, Field(ge=LEAST, le=MOST)] | None,
    BeforeValidator(_number),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0.0001, "maximum": 10_000}, {"const": False}]}
    ),
]
Share = Annotated[
    Annotated[Decimal, Field(ge=0, le=Decimal("0.99"))],
    BeforeValidator(_number),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 0.99}),
]


class Negotiated(BaseModel):
    """Of one model. A class that is not named keeps its rate; the discount is taken off those."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: PerMillion = Field(None, description="Dollars per million input tokens.")
    output: PerMillion = Field(None, description="Dollars per million output tokens.")
    cache_read: PerMillion = Field(None, description="Dollars per million, read from cache.")
    cache_write_5m: PerMillion = Field(
        None, description="Dollars per million, written to the cache for five minutes."
    )
    cache_write_1h: PerMillion = Field(
        None, description="Dollars per million, written to the cache for an hour."
    )
    discount: Share = Field(
        Decimal(0), description="The share, 0 to 0.99, that is taken off the classes not named."
    )

    def over(self, rates: Rates, base: Rates) -> Rates:
        """`rates` of some period or size as negotiated; a named class keeps its proportion to
        `base`, so that a long prompt stays as much dearer as it is."""
        made = {}
        for name in Rates.model_fields:
            listed, own = getattr(rates, name), getattr(self, name)
            usual = getattr(base, name)
            made[name] = listed * (1 - self.discount) if own is None else own * listed / usual
        return Rates(**made)


def negotiate(prices: Prices, deals: Mapping[str, Negotiated]) -> Prices:
    """The table with these rates in it, of whatever day. Raises BadConfig for a model that the
    table does not have and that is not priced in full."""
    models = dict(prices.models)
    for name, deal in deals.items():
        key = prices.name_of(name)
        models[key or name] = _over(models[key], deal) if key else _new(name, deal, prices)
    if not deals:
        return prices
    # Not a copy: that would keep the names that the table has worked out.
    return Prices(as_of=prices.as_of, source=prices.source, models=models)


def _over(listed: ModelPrice, deal: Negotiated) -> ModelPrice:
    return listed.model_copy(
        update={"periods": tuple(_period(one, deal) for one in listed.periods)}
    )


def _period(period: Period, deal: Negotiated) -> Period:
    changed: dict[str, object] = {"rates": deal.over(period.rates, period.rates)}
    if period.long_prompt:
        rates = deal.over(period.long_prompt.rates, period.rates)
        changed["long_prompt"] = period.long_prompt.model_copy(update={"rates": rates})
    return period.model_copy(update=changed)


def _new(name: str, deal: Negotiated, prices: Prices) -> ModelPrice:
    own = {field: getattr(deal, field) for field in Rates.model_fields}
    missing = [field for field, amount in own.items() if amount is None]
    if missing:
        raise BadConfig(
            f"`prices` names {name!r}, which the table of {prices.as_of} does not have, and leaves "
            f"out {', '.join(missing)}",
            prices.suggest(name) or "give all five classes, or the name of a listed model",
        )
    return ModelPrice(periods=(Period(rates=Rates(**own)),))
