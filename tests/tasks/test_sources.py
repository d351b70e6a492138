import pytest

from claude_batch.errors import BadUsage
from claude_batch.tasks.sources import Range, range_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("main..HEAD", Range("main", "HEAD")),
        ("main...HEAD", Range("main", "HEAD")),
        ("main..", Range("main", "HEAD")),
        ("..feature", Range("HEAD", "feature")),
        ("v1.0..v1.1", Range("v1.0", "v1.1")),
        ("origin/main..feature/a.b", Range("origin/main", "feature/a.b")),
    ],
)
def test_both_forms_mean_the_same(text: str, expected: Range) -> None:
    assert range_of(text) == expected


@pytest.mark.parametrize("text", ["main", "", "a..b..c", "a.b"])
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(BadUsage, match="is not a range"):
        range_of(text)
