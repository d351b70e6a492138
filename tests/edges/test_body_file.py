import hashlib
import tempfile
from pathlib import Path

import pytest

from claude_batch.body import Held
from claude_batch.edges.body_file import BodyFile
from claude_batch.errors import CannotSubmit


def test_bodies_are_read_again_in_any_order() -> None:
    contents = [b"", b"a", b"b" * 3_000_000, "é".encode()]
    file = BodyFile()
    kept = [file.keep(content) for content in contents]
    for content, body in reversed(list(zip(contents, kept, strict=True))):
        assert body.read() == body.read() == content
        assert (body.size, body.sha) == (len(content), hashlib.sha256(content).hexdigest())
        assert (body.size, body.sha) == (Held(content).size, Held(content).sha)
    assert file.keep(b"last").read() == b"last", "reading has not moved the end"


def test_nothing_has_a_name_and_the_last_body_closes_the_file(tmp_path: Path) -> None:
    opened = tempfile.TemporaryFile(dir=tmp_path, buffering=0)  # noqa: SIM115 - BodyFile closes it
    body = BodyFile(lambda: opened).keep(b"body")  # type: ignore[arg-type,return-value]
    assert list(tmp_path.iterdir()) == []
    assert body.read() == b"body", "a body keeps its file"
    del body
    assert opened.closed


def test_a_full_disk_is_one_sentence() -> None:
    full = BodyFile(lambda: open("/dev/full", "r+b", buffering=0))  # noqa: SIM115
    with pytest.raises(CannotSubmit) as caught:
        full.keep(b"body")
    assert caught.value.problem == (
        "the requests could not be kept on disk until they are sent: No space left on device"
    )
    assert caught.value.remedy.startswith("free some space for temporary files")
