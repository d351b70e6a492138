import pytest

from claude_batch.errors import BadUsage
from claude_batch.tasks.sources import RangeSource, parse_range


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("main..HEAD", RangeSource("main", "HEAD")),
        ("main...HEAD", RangeSource("main", "HEAD")),
        ("main..", RangeSource("main", "HEAD")),
        ("..feature", RangeSource("HEAD", "feature")),
        ("v1.0..v1.1", RangeSource("v1.0", "v1.1")),
        ("origin/main..feature/a.b", RangeSource("origin/main", "feature/a.b")),
    ],
)
def test_two_and_three_dots_mean_the_same(text: str, expected: RangeSource) -> None:
    assert parse_range(text) == expected


@pytest.mark.parametrize("text", ["main", "", "a..b..c", "a.b"])
def test_an_invalid_range_is_bad_usage(text: str) -> None:
    with pytest.raises(BadUsage, match="is not a range"):
        parse_range(text)
