"""Temporary files without a name, so that nothing of them outlives the process."""

import tempfile
from contextlib import AbstractContextManager
from io import RawIOBase
from typing import cast

from claude_batch.errors import ClaudeBatchError, file_errors


def open_unnamed() -> RawIOBase:
    """Open an unbuffered file, which reports a full disk at the write that does not fit."""
    return cast(RawIOBase, tempfile.TemporaryFile(buffering=0))


def write_all(file: RawIOBase, content: bytes) -> None:
    """Write all of `content`. A single write may store only a part. Raises OSError."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def storage_errors(error: type[ClaudeBatchError], content: str) -> AbstractContextManager[None]:
    """Raise `error` in place of an OSError. `content` is a noun for what is stored."""
    return file_errors(
        error,
        f"{content} could not be stored in a temporary file",
        "free some disk space for temporary files, or set TMPDIR to a folder that has more",
    )
