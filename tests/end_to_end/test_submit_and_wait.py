"""`submit --wait`: one command from a diff to its answers, with the cache on purpose."""

import json

import pytest

from program import Place, open_place

RULES = f"""
model = "claude-fable-5-2"

[budget]
pull_request = false
month = false

[[rules]]
instruction = "{"Mind the till. " * 1_333}"
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with open_place(tmp_path_factory.mktemp("wait"), config=RULES) as made:
        made.shop.git("checkout", "-q", "feature")
        yield made


def sent(place: Place) -> list[str]:
    return [json.dumps(params) for _, _, params in place.batches.submitted()]


def test_for_little_everything_goes_at_once_and_is_seen_through(place: Place) -> None:
    place.shop.commit({"run.py": "def run(x):\n    return x == None\n"})
    done = place.json("submit", "--range", "main..feature", "--wait")
    assert [one["requests"] for one in done["batches"]] == [1]
    assert done["collect"]["answers"]["succeeded"] == 2, "the question and the second look"
    assert [one["requests"] for one in done["collect"]["submitted"]] == [1]
    assert done["collect"]["receipt"]["cache_write_tokens"] == 0
    assert place.json("status")["batches"] == []
    assert not any("cache_control" in params for params in sent(place))


def test_for_much_a_primer_goes_first(place: Place) -> None:
    before = len(sent(place))
    rows = f"x = '{'x' * 93}'\n" * 250
    place.shop.commit({f"part{n}.py": f"n = {n}\n{rows}" for n in range(12)})
    ran = place.run("submit", "--range", "main..feature", "--wait", "--format", "json")
    done = ran.json()
    assert [one["requests"] for one in done["batches"]] == [1, 11]
    assert sum("cache_control" in params for params in sent(place)[before:]) == 12
    assert "11 requests wait until what they share is in the cache" in ran.err
    paid = done["collect"]["receipt"]
    assert paid["cache_read_tokens"] == 11 * paid["cache_write_tokens"] > 0
    assert paid["saved_by"]["cache"] > 0
    total = place.json("cost")["totals"]
    assert total["cache_read_tokens"] == paid["cache_read_tokens"]
    assert total["saved_by"]["cache"] == paid["saved_by"]["cache"]


def test_twice_is_the_same_as_once(place: Place) -> None:
    before = len(sent(place))
    said = place.run("submit", "--range", "main..feature", "--wait").out
    assert "nothing to send" in said
    assert said.endswith("nothing is open\n")
    assert len(sent(place)) == before


def test_an_estimate_waits_for_nothing(place: Place) -> None:
    assert place.run("estimate", "--wait", code=2).refusal()
