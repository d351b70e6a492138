"""Input tokens, counted by the API for a sample of the requests.

Counting is free and has limits of its own, but each request costs a round trip.
https://platform.claude.com/docs/en/build-with-claude/token-counting
"""

import json
from collections.abc import Iterable, Iterator, Mapping

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.config import rules
from claude_batch.config.model import Config
from claude_batch.ledger.usage_history import Pair, UsageHistory
from claude_batch.ledger.view import LedgerState
from claude_batch.submission.request_builder import PricedRequest

SAMPLE_SIZE = 8  # of each model
COUNTED_KEYS = ("model", "system", "messages", "output_config")


def has_token_history(state: LedgerState, config: Config) -> bool:
    """Return True if the ledger has enough billed answers of every configured model."""
    models = {config.model, *rules.rule_models(config.rules)}
    return models <= UsageHistory.from_state(state).length.keys()


def choose_sample(requests: Iterable[PricedRequest]) -> Iterator[PricedRequest]:
    """Choose requests, spread over the sizes, of models whose input is known by length only."""
    groups: dict[str, list[PricedRequest]] = {}
    for request in requests:
        if request.expected.input_basis == "length":
            groups.setdefault(request.request.model, []).append(request)
    for group in groups.values():
        group.sort(key=lambda request: request.body.size)
        step = max(1.0, (len(group) - 1) / (SAMPLE_SIZE - 1))
        yield from (group[round(index * step)] for index in range(min(SAMPLE_SIZE, len(group))))


def counting_params(params: bytes) -> bytes:
    """Return the params of a request that the counting endpoint accepts."""
    fields: Mapping[str, object] = json.loads(params)
    return json.dumps({key: fields[key] for key in COUNTED_KEYS if key in fields}).encode()


def count_sample(
    requests: Iterable[PricedRequest], anthropic: AnthropicClient
) -> Iterator[tuple[PricedRequest, int]]:
    """Count a sample of the requests. Stops at the first that the API does not count."""
    for request in choose_sample(requests):
        tokens = anthropic.count_tokens(counting_params(request.body.read()))
        if tokens is None:
            return
        yield request, tokens


def token_ratios(counted: Iterable[tuple[PricedRequest, int]]) -> dict[str, Pair]:
    """By model, the counted tokens and the tokens by length of the same requests."""
    sums: dict[str, Pair] = {}
    for request, tokens in counted:
        total, by_length = sums.get(request.request.model, (0, 0))
        by_length += request.expected.tokens_by_length
        sums[request.request.model] = total + tokens, by_length
    return sums
