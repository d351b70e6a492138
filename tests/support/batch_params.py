"""Values for tests: batch params."""

from datetime import UTC, datetime

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def params(**other: object) -> dict:
    return {
        "model": "claude-sonnet-5-5",
        "max_tokens": 1000,
        "system": "Kind: review",
        "messages": [{"role": "user", "content": "hello"}],
    } | other
