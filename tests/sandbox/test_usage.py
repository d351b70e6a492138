"""When a prefix can be read from the cache."""

from datetime import timedelta

import pytest

from batch_params import START, params
from claude_batch.sandbox.anthropic_server.usage import PrefixCache

HOUR = {"type": "ephemeral", "ttl": "1h"}
RULES = {"type": "text", "text": "rule " * 300}


def test_no_clock_is_too_coarse_for_siblings_to_miss_the_cache() -> None:
    cache, now = PrefixCache(), START
    system = [{**RULES, "cache_control": HOUR}]
    at_once = [cache.count(params(system=system), now, now) for _ in range(2)]
    assert [counts["read"] for counts in at_once] == [0, 0]
    soon = now + timedelta(seconds=1)
    assert cache.count(params(system=system), soon, soon)["read"] == 682


@pytest.mark.parametrize(
    "changed",
    [{"output_config": {"effort": "low"}}, {"thinking": {"type": "disabled"}}],
)
def test_what_is_set_beside_the_prefix_belongs_to_it(changed: dict[str, object]) -> None:
    cache, now = PrefixCache(), START
    system = [{**RULES, "cache_control": HOUR}]
    cache.count(params(system=system), now, now)
    soon = now + timedelta(seconds=1)
    assert cache.count(params(system=system, **changed), soon, soon)["read"] == 0


def test_a_longer_prefix_reads_what_a_shorter_one_has_written() -> None:
    cache, now = PrefixCache(), START
    brief = {"type": "text", "text": "brief " * 30, "cache_control": HOUR}
    short, longer = [{**RULES, "cache_control": HOUR}], [RULES, brief]
    cache.count(params(system=short), now, now)
    soon = now + timedelta(seconds=1)
    assert cache.count(params(system=longer), soon, soon) == {
        "read": 682,
        "1h": 82,
        "5m": 0,
        "input": 3,
    }


def test_an_hour_counts_from_the_start_of_the_request_that_wrote() -> None:
    cache, start = PrefixCache(), START
    system = [{**RULES, "cache_control": HOUR}]
    cache.count(params(system=system), start, start + timedelta(minutes=50))
    late = start + timedelta(minutes=61)
    assert cache.count(params(system=system), late, late)["read"] == 0
