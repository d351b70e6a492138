import json

import pytest

from claude_batch.anthropic_api.request_body import CHUNK, BatchPayload, InMemoryBody


@pytest.mark.parametrize("sizes", [(), (0,), (1, 2), (CHUNK,), (CHUNK - 1, 1), (10,) * 30_000])
def test_its_length_is_that_of_its_bytes(sizes: tuple[int, ...]) -> None:
    envelope = BatchPayload([(f"i-{n}", InMemoryBody(b'"%b"' % (b"x" * n))) for n in sizes])
    chunks = list(envelope)
    assert sum(map(len, chunks)) == envelope.size
    assert all(len(chunk) >= CHUNK for chunk in chunks[:-1])
    rows = json.loads(b"".join(chunks))["requests"]
    assert rows == [{"custom_id": f"i-{n}", "params": "x" * n} for n in sizes]


def test_it_can_be_sent_twice() -> None:
    envelope = BatchPayload([("a", InMemoryBody(b"{}"))])
    assert list(envelope) == list(envelope) == [b'{"requests":[{"custom_id":"a","params":{}}]}']
