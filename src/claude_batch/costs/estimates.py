"""Estimate the tokens and dollars of a request before it is sent, expected and at most.

Characters per token were measured over git diffs. The tokenizer since Opus 4.7 and Sonnet 5
makes about 30 % more tokens of the same code than the one before.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from claude_batch.anthropic_api.results import Usage
from claude_batch.costs.prices import Prices
from claude_batch.costs.prompt_cache import CachedPrefix
from claude_batch.ledger.events import Estimate

# Tenths of a character per token, so that the division stays exact.
TENTHS_PER_TOKEN = 22
TENTHS_PER_TOKEN_OLDER = 27
MIN_TENTHS_PER_TOKEN = 17  # the densest twentieth of diffs has 1.9 characters per token

OLDER_MODELS = (
    "claude-opus-4-5",
    "claude-opus-4-6",
    "claude-sonnet-4-5",
    "claude-sonnet-4-6",
    "claude-haiku-4-5",
)

# Stated assumptions, not measurements. A request has a first portion of output, and a further one
# for so many bytes of code and for so many tasks: code in many hunks takes more than in one, but
# most hunks have no finding, and nothing is said about those.
ANSWER_TOKENS = 150
THINKING_TOKENS = {"low": 150, "medium": 400, "high": 1_000, "xhigh": 2_000, "max": 4_000}
BYTES_PER_PORTION = 4_000
TASKS_PER_PORTION = 30
DEFAULT_EFFORT = "high"  # the highest default effort of any model

# A truncated answer is paid for and worthless, so the limit is far above the expected output.
# The budget reserves all of it, so it is not the maximum of the model either.
LIMIT_BASE = 4_096
LIMIT_FACTOR = 3
LIMIT_MAX = 64_000  # every model of the table accepts it

# The token classes of a prompt. Without a cached prefix nothing is cached.
UNCACHED_CLASSES = ("input",)
CACHED_CLASSES = ("input", "cache_read", "cache_write_1h")


def estimate_input_tokens(chars: int, model: str) -> int:
    """Return the expected tokens of a prompt of `chars` characters."""
    return _ceil(
        chars * 10, TENTHS_PER_TOKEN_OLDER if model.startswith(OLDER_MODELS) else TENTHS_PER_TOKEN
    )


def max_input_tokens(chars: int) -> int:
    """Return the most tokens that a prompt of `chars` characters may have, for budgets."""
    return _ceil(chars * 10, MIN_TENTHS_PER_TOKEN)


def estimate_output_tokens(size: int, tasks: int, effort: str | None) -> int:
    """Return the expected output of a request, thinking included. `size`: bytes of its hunks."""
    portion = ANSWER_TOKENS + THINKING_TOKENS[effort or DEFAULT_EFFORT]
    by_size = _ceil(portion * size, BYTES_PER_PORTION)
    return portion + by_size + _ceil(portion * tasks, TASKS_PER_PORTION)


def max_tokens(size: int, tasks: int, effort: str | None, factor: int = 1) -> int:
    """Return the `max_tokens` of a request, thinking included. It grows with each argument.

    `factor`: how many times the usual limit, for a task whose answer was cut.
    """
    expected = estimate_output_tokens(size, tasks, effort)
    limit = max(LIMIT_BASE + expected, LIMIT_FACTOR * expected)
    return min(factor * limit, LIMIT_MAX)


def is_output_bounded(size: int, tasks: int, effort: str | None) -> bool:
    """True if the largest `max_tokens` is LIMIT_FACTOR times the expected output or more."""
    return LIMIT_FACTOR * estimate_output_tokens(size, tasks, effort) <= LIMIT_MAX


def estimate_request(  # noqa: PLR0913 - each argument affects the price
    prices: Prices,
    model: str,
    effort: str | None,
    *,
    chars: int,
    tasks: int,
    at: date,
    batch: bool,
    output_limit: int | None = None,
    expected_output: int | None = None,
    expected_input: int | None = None,
    cached_prefix: CachedPrefix | None = None,
) -> Estimate:
    """Estimate one request. Raises UnknownModel.

    `chars` is the length of the whole request in characters or, safer for scripts with a token or
    more per character, in UTF-8 bytes. `output_limit` is the `max_tokens` of the request, by
    default that for `chars` bytes of hunks. `expected_output` and `expected_input` are tokens, if
    more is known than the length and the number of tasks. With a `cached_prefix`, `usd_max` prices
    the whole prompt at its most expensive token class.
    """
    output = expected_output
    if output is None:
        output = estimate_output_tokens(chars, tasks, effort)
    prompt = estimate_input_tokens(chars, model) if expected_input is None else expected_input
    max_input = max_input_tokens(chars)
    max_output = output_limit or max_tokens(chars, tasks, effort)
    prompt, output = min(prompt, max_input), min(output, max_output)
    expected = cached_prefix.expected_usage(prompt) if cached_prefix else Usage(input=prompt)
    cost = prices.cost(model, expected.model_copy(update={"output": output}), at=at, batch=batch)
    token_classes = CACHED_CLASSES if cached_prefix else UNCACHED_CLASSES
    return Estimate(
        input_tokens=prompt,
        output_tokens=output,
        usd=cost.usd,
        usd_standard=cost.usd_standard,
        usd_max=max(
            prices.cost(
                model, Usage(output=max_output, **{name: max_input}), at=at, batch=batch
            ).usd
            for name in token_classes
        ),
    )


def sum_estimates(estimates: Iterable[Estimate]) -> Estimate:
    """Add up the estimates of several requests."""
    items = list(estimates)
    return Estimate(
        input_tokens=sum(item.input_tokens for item in items),
        output_tokens=sum(item.output_tokens for item in items),
        usd=sum((item.usd for item in items), Decimal(0)),
        usd_standard=sum((item.usd_standard for item in items), Decimal(0)),
        usd_max=sum((item.usd_max for item in items), Decimal(0)),
    )


def _ceil(amount: int, by: int) -> int:
    return -(-amount // by)
