"""Apply the rates of the user's own contract to the price table of the package."""

from collections.abc import Mapping

from claude_batch.config.model import CustomRates
from claude_batch.costs.prices import ModelPrice, Period, Prices, Rates
from claude_batch.errors import BadConfig


def apply_custom_rates(prices: Prices, custom_rates: Mapping[str, CustomRates]) -> Prices:
    """Return the table with these rates in all periods.

    Raises BadConfig for a model that is not in the table and not priced in full.
    """
    if not custom_rates:
        return prices
    models = dict(prices.models)
    for name, custom in custom_rates.items():
        if key := prices.canonical_name(name):
            periods = tuple(_apply_to_period(period, custom) for period in models[key].periods)
            models[key] = models[key].model_copy(update={"periods": periods})
        else:
            models[name] = _new_model(name, custom, prices)
    # model_copy would keep the cached names of the old table.
    return Prices(as_of=prices.as_of, source=prices.source, models=models)


def apply_to(rates: Rates, base: Rates, custom: CustomRates) -> Rates:
    """Return `rates` with the prices of a contract; `base` has the rates of short prompts."""
    amounts = {}
    for name in Rates.model_fields:
        listed, own, short = getattr(rates, name), getattr(custom, name), getattr(base, name)
        # The surcharge of long prompts stays in proportion to the list price.
        amounts[name] = listed * (1 - custom.discount) if own is None else own * listed / short
    return Rates(**amounts)


def _apply_to_period(period: Period, custom: CustomRates) -> Period:
    changed: dict[str, object] = {"rates": apply_to(period.rates, period.rates, custom)}
    if period.long_prompt:
        rates = apply_to(period.long_prompt.rates, period.rates, custom)
        changed["long_prompt"] = period.long_prompt.model_copy(update={"rates": rates})
    return period.model_copy(update=changed)


def _new_model(name: str, custom: CustomRates, prices: Prices) -> ModelPrice:
    own = {field: getattr(custom, field) for field in Rates.model_fields}
    missing = [field for field, amount in own.items() if amount is None]
    if missing:
        raise BadConfig(
            f"`prices` names {name!r}, which the table of {prices.as_of} does not have, and leaves "
            f"out {', '.join(missing)}",
            prices.suggest(name) or "give all five classes, or the name of a listed model",
        )
    return ModelPrice(periods=(Period(rates=Rates(**own)),))
