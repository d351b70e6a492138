"""Before sending: how many tokens, how many dollars, and how many at most.

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
EXPECTED = 22
EXPECTED_OLDER = 27
AT_MOST_PER_TOKEN = 17  # the densest twentieth of diffs has 1.9 characters per token

OLDER = (
    "claude-opus-4-5",
    "claude-opus-4-6",
    "claude-sonnet-4-5",
    "claude-sonnet-4-6",
    "claude-haiku-4-5",
)

# Stated assumptions, not measurements: most tasks have no finding, and few have more than one.
OUTPUT_PER_TASK = 250
THINKING_PER_TASK = {"low": 150, "medium": 400, "high": 1_000, "xhigh": 2_000, "max": 4_000}
UNSAID = "high"  # the highest default effort of any model

# A cut answer is paid for and worthless, so the limit is far above what is expected;
# the budget reserves all of it, so it is not the model's maximum either.
LIMIT_BASE = 4_096
LIMIT_FACTOR = 2
LIMIT_MAX = 64_000  # what every model of the table takes

# The classes of tokens in that a request may be billed by: without a mark nothing is cached.
PLAIN = ("input",)
MARKED = ("input", "cache_read", "cache_write_1h")


def estimate_input_tokens(chars: int, model: str) -> int:
    """What a prompt of so many characters is expected to have."""
    return _ceil(chars * 10, EXPECTED_OLDER if model.startswith(OLDER) else EXPECTED)


def max_input_tokens(chars: int) -> int:
    """What it has at most, for budgets."""
    return _ceil(chars * 10, AT_MOST_PER_TOKEN)


def estimate_output_tokens(tasks: int, effort: str | None) -> int:
    return tasks * (OUTPUT_PER_TASK + THINKING_PER_TASK[effort or UNSAID])


def max_tokens(chars: int, tasks: int, effort: str | None) -> int:
    """The limit that a request is sent with, thinking included; grows with each argument."""
    room = LIMIT_BASE + LIMIT_FACTOR * estimate_output_tokens(tasks, effort) + max_input_tokens(chars) // 4
    return min(room, LIMIT_MAX)


def estimate_request(  # noqa: PLR0913 - one request has this many sides that cost money
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
    """Of one request. Raises UnknownModel.

    `chars` is the length of the whole request; its length in UTF-8 is as good and, for scripts
    that take a token or more per character, the safer one. `limit` is the max_tokens that it is
    sent with, by default that for `chars`. `output` and `prompt` are the tokens that are expected
    where more is known than the length and the number of tasks; never more than the most. With a
    `mark` the most is that of a prompt which is, as a whole, of the dearest class that may come.
    """
    said = estimate_output_tokens(tasks, effort) if expected_output is None else expected_output
    heard = estimate_input_tokens(chars, model) if expected_input is None else expected_input
    most_in, most_out = max_input_tokens(chars), output_limit or max_tokens(chars, tasks, effort)
    into, out = min(heard, most_in), min(said, most_out)
    expected = cached_prefix.expected_usage(into) if cached_prefix else Usage(input=into)
    cost = prices.cost(model, expected.model_copy(update={"output": out}), at=at, batch=batch)
    possible = MARKED if cached_prefix else PLAIN
    return Estimate(
        input_tokens=into,
        output_tokens=out,
        usd=cost.usd,
        usd_standard=cost.usd_standard,
        usd_max=max(
            prices.cost(model, Usage(output=most_out, **{name: most_in}), at=at, batch=batch).usd
            for name in possible
        ),
    )


def sum_estimates(estimates: Iterable[Estimate]) -> Estimate:
    """Of all requests together; zero for none."""
    rows = list(estimates)
    return Estimate(
        input_tokens=sum(row.input_tokens for row in rows),
        output_tokens=sum(row.output_tokens for row in rows),
        usd=sum((row.usd for row in rows), Decimal(0)),
        usd_standard=sum((row.usd_standard for row in rows), Decimal(0)),
        usd_max=sum((row.usd_max for row in rows), Decimal(0)),
    )


def _ceil(amount: int, by: int) -> int:
    return -(-amount // by)
