"""The benchmark of large batches, on a small one."""

from bench.size_collect import measure


def test_every_result_is_collected_and_measured() -> None:
    cost = measure(30)
    assert cost.requests == 30
    assert cost.seconds > 0
    assert cost.ratio > 0
    assert 10_000_000 < cost.memory < 1_000_000_000
