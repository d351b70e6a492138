"""What earlier answers say about the next."""

from decimal import Decimal

from claude_batch.anthropic_api.results import Usage
from claude_batch.ledger.events import AnyEvent, Estimate
from claude_batch.ledger.usage_history import MAX_SAMPLES, MIN_SAMPLES, UsageHistory
from claude_batch.ledger.view import LedgerState
from ledger_events import answered, asked, failed, intent, settled
from submissions import Claim, claim, subject, task

MODEL = "claude-sonnet-5-5"
ESTIMATE = Estimate(
    input_tokens=1_000,
    output_tokens=650,
    usd=Decimal("0.01"),
    usd_standard=Decimal("0.02"),
    usd_max=Decimal("0.05"),
)


def events(number: int, usage: Usage, start: int = 0, **more: object) -> list[AnyEvent]:
    """Requests that were to have 650 tokens out, a minute apart."""
    made: list[AnyEvent] = []
    for n in range(start, start + number):
        row = asked(f"i{n}", 0, f"a{n}", f"b{n}", **({"estimate": ESTIMATE} | more))
        made += [intent(f"i{n}"), row, answered(f"i{n}", minute=n, usage=usage)]
    return made


def history(*parts: list[AnyEvent]) -> UsageHistory:
    return UsageHistory.from_state(
        LedgerState.from_events([event for part in parts for event in part])
    )


def test_twenty_answers_make_a_history() -> None:
    usage = Usage(input=800, cache_read=100, output=301, thinking=200)
    few, enough = history(events(MIN_SAMPLES - 1, usage)), history(events(MIN_SAMPLES, usage))
    assert few == UsageHistory()
    assert few.output_tokens("review", MODEL, "medium", 650) is None
    assert few.input_tokens(1_000, MODEL) == 1_000
    assert enough.output_tokens("review", MODEL, "medium", 650) == 301
    assert enough.output_tokens("review", MODEL, "medium", 325) == 151
    assert enough.input_tokens(1_000, MODEL) == 900


def test_a_kind_a_model_and_an_effort_have_each_their_own() -> None:
    found = history(events(MIN_SAMPLES, Usage(input=1_000, output=300)))
    assert found.output_tokens("security", MODEL, "medium", 1) is None
    assert found.output_tokens("review", "claude-opus-5-5", "medium", 1) is None
    assert found.output_tokens("review", MODEL, "low", 1) is None
    assert found.input_tokens(10, "claude-opus-5-5") == 10


def test_the_average_moves() -> None:
    old = events(MIN_SAMPLES, Usage(input=500, output=20_000))
    new = events(MAX_SAMPLES, Usage(input=1_500, output=300), start=MIN_SAMPLES)
    found = history(new, old)
    assert found.output_tokens("review", MODEL, "medium", 650) == 300
    assert found.input_tokens(1_000, MODEL) == 1_500


def test_what_is_no_whole_answer_to_a_question_does_not_count() -> None:
    usage = Usage(input=1_000, output=300)
    verified = events(MIN_SAMPLES, usage, purpose="verify")
    lost = [
        event for n in range(MIN_SAMPLES) for event in (intent(f"x{n}"), asked(f"x{n}", 0, f"t{n}"))
    ]
    failures = [failed(f"x{n}") for n in range(MIN_SAMPLES)]
    folded = [settled(f"f{n}", 0, f"t{n}") for n in range(MIN_SAMPLES)]
    assert history(verified, [*lost, *failures], [*folded]) == UsageHistory()


def test_a_primer_asks_as_others_do() -> None:
    primers = events(MIN_SAMPLES, Usage(input=1_000, output=300), purpose="primer")
    assert history(primers).output_tokens("review", MODEL, "medium", 650) == 300


def estimated(past: list[AnyEvent]) -> Claim:
    return claim(past, task("t1"), budget={"pull_request": False, "month": False})


def test_an_estimate_says_what_it_rests_on() -> None:
    (first,) = estimated([]).batches[0].requests
    past = events(MIN_SAMPLES, Usage(input=1_100, output=84))
    made = estimated(past)
    (then,) = made.batches[0].requests
    assert (estimated([]).basis, made.basis) == ("defaults", "history")
    assert (first.estimate.output_tokens, then.estimate.output_tokens) == (570, 74)
    tokens = first.estimate.input_tokens
    assert then.estimate.input_tokens == -(-tokens * 11 // 10)
    assert then.estimate.usd < first.estimate.usd
    assert then.estimate.usd_max == first.estimate.usd_max, "the reserve trusts no average"


def test_the_ledger_keeps_tokens_by_length_so_that_nothing_is_corrected_twice() -> None:
    (then,) = estimated(events(MIN_SAMPLES, Usage(input=1_500, output=84))).batches[0].requests
    (first,) = estimated([]).batches[0].requests
    assert then.event.estimate.input_tokens == first.event.estimate.input_tokens
    assert then.event.estimate.output_tokens == first.event.estimate.output_tokens
    assert then.event.estimate.usd == then.estimate.usd


def test_an_estimate_never_exceeds_its_most() -> None:
    made = estimated(events(MIN_SAMPLES, Usage(input=900_000, output=900_000)))
    (one,) = made.estimates
    assert one.usd == one.usd_max


def test_nothing_new_has_no_history() -> None:
    assert claim([], *subject().tasks).basis == "defaults"
