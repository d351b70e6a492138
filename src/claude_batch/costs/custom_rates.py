"""Rates of the user's own contract, laid over the table that ships."""

from collections.abc import Mapping

from claude_batch.config.model import CustomRates
from claude_batch.costs.prices import ModelPrice, Period, Prices, Rates
from claude_batch.errors import BadConfig


def apply_custom_rates(prices: Prices, custom_rates: Mapping[str, CustomRates]) -> Prices:
    """The table with these rates in it, of whatever day. Raises BadConfig for a model that the
    table does not have and that is not priced in full."""
    models = dict(prices.models)
    for name, deal in custom_rates.items():
        key = prices.canonical_name(name)
        models[key or name] = _over(models[key], deal) if key else _new(name, deal, prices)
    if not custom_rates:
        return prices
    # Not a copy: that would keep the names that the table has worked out.
    return Prices(as_of=prices.as_of, source=prices.source, models=models)


def apply_to(rates: Rates, base: Rates, custom: CustomRates) -> Rates:
    """`rates` with a contract's own prices. A named class keeps its proportion to `base`, so a long
    prompt costs as many times more as it does in the list."""
    made = {}
    for name in Rates.model_fields:
        listed, own, usual = getattr(rates, name), getattr(custom, name), getattr(base, name)
        made[name] = listed * (1 - custom.discount) if own is None else own * listed / usual
    return Rates(**made)


def _over(listed: ModelPrice, deal: CustomRates) -> ModelPrice:
    return listed.model_copy(
        update={"periods": tuple(_period(one, deal) for one in listed.periods)}
    )


def _period(period: Period, deal: CustomRates) -> Period:
    changed: dict[str, object] = {"rates": apply_to(period.rates, period.rates, deal)}
    if period.long_prompt:
        rates = apply_to(period.long_prompt.rates, period.rates, deal)
        changed["long_prompt"] = period.long_prompt.model_copy(update={"rates": rates})
    return period.model_copy(update=changed)


def _new(name: str, deal: CustomRates, prices: Prices) -> ModelPrice:
    own = {field: getattr(deal, field) for field in Rates.model_fields}
    missing = [field for field, amount in own.items() if amount is None]
    if missing:
        raise BadConfig(
            f"`prices` names {name!r}, which the table of {prices.as_of} does not have, and leaves "
            f"out {', '.join(missing)}",
            prices.suggest(name) or "give all five classes, or the name of a listed model",
        )
    return ModelPrice(periods=(Period(rates=Rates(**own)),))
