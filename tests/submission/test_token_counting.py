"""Which requests are counted for the others, and what that says."""

import json
from dataclasses import replace

import pytest

from claude_batch.diff.model import Hunk
from claude_batch.ledger.view import LedgerState
from claude_batch.submission import token_counting
from claude_batch.submission.request_builder import PricedRequest
from submissions import claim, claimant, subject, task


def drafts(*lengths: int) -> list[PricedRequest]:
    """Requests of about so many bytes, each of one large file."""
    files = [
        replace(task(f"t{n}"), hunk=Hunk(1, 1, b"+" + b"x" * length))
        for n, length in enumerate(lengths)
    ]
    made = [claimant().plan(LedgerState(), subject(file)) for file in files]
    return [draft for one in made for draft in one.requests]


@pytest.mark.parametrize("number", [1, 2, 7, 8, 9, 100])
def test_a_sample_is_spread_over_the_sizes(number: int) -> None:
    made = drafts(*range(1_000, 1_000 + 10 * number, 10))
    sizes = [draft.body.size for draft in token_counting.choose_sample(reversed(made))]
    assert len(set(sizes)) == min(number, token_counting.SAMPLE_SIZE)
    assert (min(sizes), max(sizes)) == (made[0].body.size, made[-1].body.size)


def test_what_is_counted_is_the_prompt_and_nothing_that_counting_refuses() -> None:
    (draft,) = drafts(1_000)
    whole, asked = (
        json.loads(draft.body.read()),
        json.loads(token_counting.counting_params(draft.body.read())),
    )
    assert whole.keys() - asked.keys() == {"max_tokens"}
    assert all(asked[key] == whole[key] for key in asked)


def test_counts_correct_what_the_length_says() -> None:
    made = drafts(1_000, 9_000)
    by_length = [draft.expected.tokens_by_length for draft in made if draft.expected]
    counted = token_counting.token_ratios(
        (draft, 3 * size) for draft, size in zip(made, by_length, strict=True)
    )
    assert counted == {"claude-sonnet-5-5": (3 * sum(by_length), sum(by_length))}
    informed = replace(claimant(), token_ratios=counted).plan(LedgerState(), subject(task("t")))
    plain = claim([], task("t"))
    assert (plain.input_basis, informed.input_basis) == ("length", "counted")
    assert informed.estimates[0].input_tokens <= 3 * plain.estimates[0].input_tokens
    assert informed.estimates[0].input_tokens > plain.estimates[0].input_tokens
    assert informed.estimates[0].usd_max == plain.estimates[0].usd_max, "no count moves the budget"
