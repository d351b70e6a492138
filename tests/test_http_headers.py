import pytest

from claude_batch import http_headers

NOON = "Sun, 22 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT", "date": NOON}, 30),
        ({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT", "date": NOON}, 0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT"}, None),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30", "date": NOON}, None),
        ({"retry-after": "tomorrow", "date": NOON}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
    ],
)
def test_what_an_answer_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    assert http_headers.parse_retry_after(headers) == seconds


def test_it_backs_off_up_to_a_ceiling() -> None:
    assert [http_headers.backoff(n, None, 0) for n in (1, 2, 3, 7, 20)] == [1, 2, 4, 60, 60]
    assert [http_headers.backoff(n, None, 1) for n in (1, 2, 3, 7, 20)] == [0.5, 1, 2, 30, 30]


@pytest.mark.parametrize("luck", [0.0, 0.5, 1.0])
def test_it_never_comes_back_earlier_than_it_was_told(luck: float) -> None:
    assert 30 <= http_headers.backoff(4, 30.0, luck) <= 33


@pytest.mark.parametrize(
    ("headers", "passing", "worth"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"x-should-retry": "false"}, True, False),
        ({"x-should-retry": "true"}, False, True),
        ({"retry-after": "60"}, True, True),
        ({"retry-after": "61"}, True, False),
        ({"x-should-retry": "true", "retry-after": "3600"}, True, False),
    ],
)
def test_whether_it_is_worth_waiting(headers: dict[str, str], passing: bool, worth: bool) -> None:
    assert http_headers.should_retry(headers, passing) is worth
