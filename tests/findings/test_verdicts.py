import json

import pytest

from claude_batch.anthropic_api.results import InvalidResponse
from claude_batch.findings.verdicts import parse_verdicts

ONE, TWO = "0011223344556677", "8899aabbccddeeff"


def said(*pairs: tuple[str, str]) -> str:
    rows = [{"claim": claim, "reason": "Row 3.", "verdict": word} for claim, word in pairs]
    return json.dumps({"verdicts": rows})


def test_only_a_refuted_claim_is_refuted() -> None:
    assert parse_verdicts(said(("00112233", "refuted"), ("8899aabb", "holds")), (ONE, TWO)) == (
        ONE,
    )
    assert parse_verdicts(said(("00112233", "unsure"), ("8899aabb", "holds")), (ONE, TWO)) == ()


def test_case_and_blanks_do_not_matter() -> None:
    assert parse_verdicts(said((" 00112233 ", "Refuted")), (ONE,)) == (ONE,)


def test_an_unknown_claim_is_ignored() -> None:
    text = said(("ffffffff", "refuted"), ("00112233", "holds"))
    assert parse_verdicts(text, (ONE,)) == ()


def test_two_verdicts_refute_only_together() -> None:
    assert parse_verdicts(said(("00112233", "refuted"), ("00112233", "holds")), (ONE,)) == ()
    assert parse_verdicts(said(("00112233", "refuted"), ("00112233", "refuted")), (ONE,)) == (ONE,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "refuted",
        '{"verdicts":"refuted"}',
        '{"verdicts":[{"claim":"00112233"}]}',
        '{"verdicts":[{"claim":"00112233","verdict":"wrong"}]}',
        '{"findings":[]}',
        said(("8899aabb", "refuted")),
        said(),
    ],
)
def test_an_answer_without_a_verdict_on_each_claim_is_invalid(text: str) -> None:
    with pytest.raises(InvalidResponse):
        parse_verdicts(text, (ONE,))


def test_two_claims_of_one_name_cannot_be_told_apart() -> None:
    with pytest.raises(InvalidResponse, match="2 of 2 claims"):
        parse_verdicts(said(("00112233", "refuted")), (ONE, "00112233ffffffff"))
