"""The price table. Money is Decimal dollars and rounded only for display."""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache, cached_property
from importlib import resources
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from claude_batch.anthropic_api.results import Usage
from claude_batch.errors import BadConfig

# "All usage is charged at 50%", every token class, cache classes included.
# https://platform.claude.com/docs/en/build-with-claude/batch-processing
BATCH_FACTOR = Decimal("0.5")


# "US-only inference": each token class of models since Opus 4.6 and Sonnet 4.6.
# https://platform.claude.com/docs/en/about-claude/pricing
US_FACTOR = Decimal("1.1")

# A gateway may put its own name before the model's, and a snapshot has a date behind it:
# "anthropic/claude-sonnet-5-5", "us.anthropic.claude-sonnet-5-5-20260928-v1:0".
SPELLING = re.compile(
    r"(?:.*[/.])?(?P<name>[a-z0-9-]+?)(?:[-@](?:\d{8}|latest|default))?(?:-v\d+)?(?:[:@][\w.-]+)?",
    re.ASCII,
)


class UnknownModel(BadConfig):
    """No price is known for a model. Its tokens are shown as unpriced, never as free."""


class _PriceModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Cost:
    """The dollars of a usage: paid, and at the standard price without caching.

    The difference is exactly the sum of two parts. `saved_by_cache` is the price of the prompt as
    plain input less its price by token class, both standard. It is negative if cache writes cost
    more than reads saved. `saved_by_batch` is the discount of the batch on the remainder.
    """

    usd: Decimal
    usd_standard: Decimal
    saved_by_batch: Decimal = Decimal(0)

    @property
    def saved_by_cache(self) -> Decimal:
        return self.usd_standard - self.usd - self.saved_by_batch


FREE = Cost(Decimal(0), Decimal(0))

Price = Annotated[Decimal, Field(gt=0)]


class Rates(_PriceModel):
    """Dollars per million tokens, standard price."""

    input: Price
    output: Price
    cache_read: Price
    cache_write_5m: Price
    cache_write_1h: Price

    def cost(self, usage: Usage) -> Decimal:
        """Return the dollars of these tokens by their classes."""
        return (
            self.input * usage.input
            + self.output * usage.output
            + self.cache_read * usage.cache_read
            + self.cache_write_5m * usage.cache_write_5m
            + self.cache_write_1h * usage.cache_write_1h
        ).scaleb(-6)

    def uncached_cost(self, usage: Usage) -> Decimal:
        """Return the dollars if the whole prompt were plain input."""
        return (self.input * usage.prompt + self.output * usage.output).scaleb(-6)


class LongPrompt(_PriceModel):
    """The rates of all tokens, output too, if the prompt has more than `above` tokens."""

    above: int
    rates: Rates


class Period(_PriceModel):
    since: date | None = None  # None: since the release of the model
    rates: Rates
    long_prompt: LongPrompt | None = None


class ModelPrice(_PriceModel):
    aliases: tuple[str, ...] = ()
    cache_minimum: PositiveInt | None = None  # shorter prefixes are not cached; None: unknown
    periods: tuple[Period, ...] = Field(min_length=1)  # oldest first


class Prices(BaseModel):
    """The dated table that ships with the package. `as_of` is the day it was last checked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: date
    source: str
    models: dict[str, ModelPrice]

    @classmethod
    @cache
    def load(cls) -> "Prices":
        shipped = resources.files("claude_batch").joinpath("costs", "prices.json")
        return cls.model_validate_json(shipped.read_bytes())

    @cached_property
    def _by_name(self) -> dict[str, ModelPrice]:
        named = dict(self.models)
        for entry in self.models.values():
            named.update(dict.fromkeys(entry.aliases, entry))
        return named

    def canonical_name(self, model: str) -> str | None:
        """Return the model's name in the table, or None if it is not listed."""
        known = (name for name, entry in self.models.items() if model in (name, *entry.aliases))
        return next(known, None)

    def priced_model(self, answered: str | None, requested: str) -> tuple[str, str | None]:
        """The model by whose price an answer is billed, and a remark if its name says another."""
        if answered is None or answered == requested:
            return requested, None
        if self.canonical_name(answered):
            return answered, None
        name = _plain_name(answered)
        if name in (self.canonical_name(requested), _plain_name(requested)):
            name = requested
        elif not self.canonical_name(name):
            return answered, None
        return name, f"the answer names the model {answered[:100]!r}, and is priced as {name}"

    def suggest(self, model: str) -> str | None:
        """Return a question that names the most similar model."""
        near = difflib.get_close_matches(model, self._by_name, n=1)
        return f"did you mean {near[0]}?" if near else None

    def rates(self, model: str, *, at: date, prompt_tokens: int) -> Rates:
        """Return the standard rates of one request. Raises UnknownModel."""
        period = self._periods(model, _utc_day(at))
        if period.long_prompt and prompt_tokens > period.long_prompt.above:
            return period.long_prompt.rates
        return period.rates

    @cached_property
    def _periods(self) -> Callable[[str, date], Period]:
        # Cached: a batch has a hundred thousand requests of the same model and day.
        return cache(self._period)

    def _period(self, model: str, day: date) -> Period:
        entry = self._by_name.get(model)
        if entry is None:
            listed = ", ".join(sorted(self.models))
            raise UnknownModel(
                f"no price is known for the model {model!r} (prices as of {self.as_of})",
                self.suggest(model) or f"name one of {listed}, or upgrade claude-batch",
            )
        started = [item for item in entry.periods if item.since is None or item.since <= day]
        return started[-1] if started else entry.periods[0]

    def cache_minimum(self, model: str) -> int | None:
        """Return the shortest prefix in tokens that this model caches, or None if unknown."""
        entry = self._by_name.get(model)
        return entry.cache_minimum if entry else None

    def cost(self, model: str, usage: Usage, *, at: date, batch: bool) -> Cost:
        """Return the cost of one request. Raises UnknownModel."""
        rates = self.rates(model, at=at, prompt_tokens=usage.prompt)
        region = US_FACTOR if usage.inference_geo == "us" else Decimal(1)
        cached = rates.cost(usage) * region
        # The API may have served a request of a batch at the standard tier.
        has_discount = batch and usage.service_tier != "standard"
        usd = cached * BATCH_FACTOR if has_discount else cached
        standard = rates.uncached_cost(usage) * region
        return Cost(usd=usd, usd_standard=standard, saved_by_batch=cached - usd)


def _plain_name(model: str) -> str:
    """The name without a gateway's words and without the date of a snapshot."""
    match = SPELLING.fullmatch(model.lower())
    return match["name"] if match else model


def _utc_day(at: date) -> date:
    # A datetime is a date to the type checker, but the two cannot be compared.
    return at.astimezone(UTC).date() if isinstance(at, datetime) else at
