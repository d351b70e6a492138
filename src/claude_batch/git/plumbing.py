"""Inputs and outputs of git's plumbing commands, as values."""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from claude_batch.diff.parser import SUBMODULE
from claude_batch.diff.whole_files import TreeEntry
from claude_batch.git.objects import SpooledObject

AUTHOR, EMAIL = "claude-batch", "claude-batch@users.noreply.github.com"
OLD_TIP = re.compile(rb"^Old-Tip: ([0-9a-f]{40}|[0-9a-f]{64})$", re.MULTILINE)


def blob_ids(entries: Iterable[TreeEntry]) -> dict[str, str]:
    """Path -> blob id; the id of a submodule is ""."""
    return {
        entry.path.decode("utf-8", "backslashreplace"): (
            "" if entry.mode == SUBMODULE else entry.blob
        )
        for entry in entries
    }


def blob_id(content: SpooledObject, digits: int) -> str:
    """The blob id of a file. An id has 40 digits, or 64 in a SHA-256 repository."""
    name = "sha256" if digits == 64 else "sha1"
    digest = hashlib.new(name, b"blob %d\0" % content.size, usedforsecurity=False)
    for chunk in content.chunks():
        digest.update(chunk)
    return digest.hexdigest()


def token_config(url: str, token: str) -> tuple[tuple[str, str], ...]:
    """Git config that sends the token to this host only; nothing for a URL that is not HTTP.

    An empty value first: it drops the header that actions/checkout has left in the config, and
    two Authorization headers are answered with 400.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        return ()
    key = f"http.{parts.scheme}://{parts.netloc.rpartition('@')[2]}/.extraheader"
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return (key, ""), (key, f"AUTHORIZATION: basic {basic}")


def import_stream(
    files: Mapping[str, SpooledObject],
    deletions: Iterable[str],
    parent: str,
    seconds: int,
    message: str,
) -> Iterator[bytes]:
    """Input for `git fast-import`: `files` added to `parent`, `deletions` deleted, the id printed.

    A `parent` of zeros alone, as many as an object id has digits, makes a root commit. The branch
    that fast-import needs is dropped again before it ends, so no ref is written.
    """
    branch = b"refs/claude-batch/build"
    text, no_object = message.encode(), b"0" * len(parent)
    author = f"{AUTHOR} <{EMAIL}> {seconds} +0000".encode()
    yield b"commit %b\nmark :1\nauthor %b\ncommitter %b\n" % (branch, author, author)
    yield b"data %d\n%b\n" % (len(text), text)
    if parent.strip("0"):
        yield b"from %b\n" % parent.encode()
    for path in deletions:
        yield b"D %b\n" % path.encode()
    for path, content in files.items():
        yield b"M 100644 inline %b\ndata %d\n" % (path.encode(), content.size)
        yield from content.chunks()
        yield b"\n"
    yield b"\nget-mark :1\nreset %b\nfrom %b\ndone\n" % (branch, no_object)


def squash_message(title: str, tips: Iterable[str]) -> bytes:
    """The message of a commit that replaces the history up to these tips."""
    old_tips = (f"Old-Tip: {tip}" for tip in tips)
    return "\n".join((title, "", *old_tips, "", "[skip ci]", "")).encode()


def old_tips(commit: bytes) -> list[str]:
    """The tips that a squash commit replaces; none for any other commit."""
    return [tip.decode() for tip in OLD_TIP.findall(commit)]


def identity(seconds: int) -> dict[str, str]:
    """Environment variables that make claude-batch the author and committer of a commit."""
    values = {"NAME": AUTHOR, "EMAIL": EMAIL, "DATE": f"{seconds} +0000"}
    roles = ("AUTHOR", "COMMITTER")
    return {f"GIT_{role}_{part}": text for role in roles for part, text in values.items()}
