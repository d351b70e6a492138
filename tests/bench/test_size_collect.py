"""The benchmark of large batches, on a small one."""

from bench.size_collect import measure


def test_every_result_is_collected_and_measured() -> None:
    found = measure(30)
    assert found.requests == 30
    assert found.seconds > 0
    assert found.ratio > 0
    assert 10_000_000 < found.memory < 1_000_000_000
