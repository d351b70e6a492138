import hashlib
import tempfile
from io import RawIOBase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_batch.anthropic_api.request_body import BLOCK, BodySpool, InMemoryBody, SpooledBody
from claude_batch.errors import CannotSubmit


def test_bodies_are_read_again_in_any_order() -> None:
    contents = [b"", b"a", b"b" * 3_000_000, "é".encode()]
    file = BodySpool()
    kept = [file.store(content) for content in contents]
    for content, body in reversed(list(zip(contents, kept, strict=True))):
        assert body.read() == body.read() == content
        assert (body.size, body.sha) == (len(content), hashlib.sha256(content).hexdigest())
        assert (body.size, body.sha) == (InMemoryBody(content).size, InMemoryBody(content).sha)
    assert file.store(b"last").read() == b"last", "reading has not moved the end"


@given(st.lists(st.tuples(st.sampled_from([0, 1, 100, BLOCK - 1, BLOCK]), st.integers(0, 9))))
def test_reading_between_keeping_changes_nothing(steps: list[tuple[int, int]]) -> None:
    file, kept = BodySpool(), list[tuple[bytes, SpooledBody]]()
    for number, (size, earlier) in enumerate(steps):
        content = bytes([number % 256]) * size
        kept.append((content, file.store(content)))
        expected, body = kept[earlier % len(kept)]
        assert body.read() == expected
    assert all(body.read() == expected for expected, body in kept)


def test_less_than_a_block_opens_no_file() -> None:
    def closed() -> RawIOBase:
        raise OSError("opened")

    file = BodySpool(closed)
    contents = [bytes([number]) * 100 for number in range(256)]
    kept = [file.store(content) for content in contents]
    assert [body.read() for body in kept] == contents
    with pytest.raises(CannotSubmit, match="opened"):
        file.store(b"x" * BLOCK)


def test_nothing_has_a_name_and_the_last_body_closes_the_file(tmp_path: Path) -> None:
    opened = tempfile.TemporaryFile(dir=tmp_path, buffering=0)  # noqa: SIM115 - BodyFile closes it
    body = BodySpool(lambda: opened).store(b"x" * BLOCK)  # type: ignore[arg-type,return-value]
    assert list(tmp_path.iterdir()) == []
    assert body.read() == b"x" * BLOCK, "a body keeps its file"
    del body
    assert opened.closed


def test_a_full_disk_is_one_sentence() -> None:
    full = BodySpool(lambda: open("/dev/full", "r+b", buffering=0))  # noqa: SIM115
    with pytest.raises(CannotSubmit) as caught:
        full.store(b"x" * BLOCK)
    assert caught.value.problem == (
        "the requests could not be stored in a temporary file: No space left on device"
    )
    assert caught.value.remedy.startswith("free some disk space for temporary files")
