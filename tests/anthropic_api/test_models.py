from datetime import UTC, datetime

import pytest

from claude_batch.http_headers import parse_date


@pytest.mark.parametrize(
    ("headers", "at"),
    [
        ({"date": "Sun, 22 Nov 2026 10:00:00 GMT"}, datetime(2026, 11, 22, 10, tzinfo=UTC)),
        ({"date": "Sun, 22 Nov 2026 10:00:00 -0000"}, None),  # of a zone that nobody knows
        ({"date": "Sun, 99 Nov 2026 10:00:00 GMT"}, None),
        ({"date": "yesterday"}, None),
        ({}, None),
    ],
)
def test_when_an_answer_was_given(headers: dict[str, str], at: datetime | None) -> None:
    assert parse_date(headers) == at
