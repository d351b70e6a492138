"""Whatever is written into whatever file: what is proved applies, and breaks nothing."""

import ast
import json
import re
import subprocess
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tree_sitter import Language, Parser

from claude_batch.diff.lines import split_keeping_newlines
from claude_batch.findings.suggestions import (
    Suggestion,
    apply_suggestion,
    combine_suggestions,
    validate_suggestion,
)
from claude_batch.git.patch import make_patch
from claude_batch.syntax.languages import GRAMMARS, grammar_of
from languages import PIECES, file_of

ODD = st.sampled_from(
    [
        "",
        " ",
        "\t",
        "}",
        ")",
        "]",
        "end",
        "else",
        '"',
        "'",
        "`",
        "/*",
        "#",
        "- x",
        "\tx: 1",
        "{",
        "(",
    ]
)
BYTES = st.sampled_from(
    ["\0", "\x1b[2J", "\u202e", "\ud800", "\r", "\x0c", "\u200b", "é", "\U0001f600"]
)


@st.composite
def files(draw: st.DrawFn, path: str) -> bytes:
    """Whole, or with a few lines damaged; any line ending, with a final newline or without."""
    text = file_of(path, draw(st.lists(st.integers(0, 9), max_size=3)))
    rows = text.split("\n")[:-1]
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        rows[draw(st.integers(0, len(rows) - 1))] = draw(ODD)
    ending = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    return (ending.join(rows) + ending * draw(st.booleans())).encode()


@st.composite
def replacements(draw: st.DrawFn, old: str, blob: bytes) -> str:
    """The old lines with an edit or two, lines from elsewhere, or anything."""
    rows = blob.decode().replace("\r\n", "\n").split("\n")
    lines = old.split("\n") if draw(st.booleans()) else draw(st.lists(st.sampled_from(rows)))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(lines)))
        match draw(st.integers(0, 4)):
            case 0:
                lines[at:at] = [draw(ODD | st.sampled_from(rows))]
            case 1:
                lines[at : at + 1] = []
            case 2:
                lines = [line.strip() for line in lines]
            case 3:
                lines = [draw(st.sampled_from([" ", "\t", "    "])) + line for line in lines]
            case _:
                row = "".join(lines[at : at + 1])
                cut = draw(st.integers(0, len(row)))
                lines[at : at + 1] = [row[:cut] + draw(ODD | BYTES) + row[cut:]]
    return "\n".join(lines) + draw(st.sampled_from(["", "\n"]))


@st.composite
def suggestions(draw: st.DrawFn, path: str, blob: bytes) -> Suggestion | None:
    rows = split_keeping_newlines(blob)
    if not rows:
        return None
    first = draw(st.integers(1, len(rows)))
    last = draw(st.integers(first, min(len(rows), first + 4)))
    seen = [row.removesuffix(b"\n") for row in rows[first - 1 : last]]
    old = b"\n".join(seen).decode().replace("\r", "")
    found = validate_suggestion(blob, first, last, seen, draw(replacements(old, blob)), path)
    return found if isinstance(found, Suggestion) else None


def whole(path: str, content: bytes) -> bool:
    """The judge: where there is one, another reader than the one that proved it."""
    try:
        match Path(path).suffix:
            case ".py":
                ast.parse(content)
            case ".json":
                json.loads(content)
            case ".toml":
                tomllib.loads(content.decode())
            case _:
                grammar = grammar_of(path)
                assert grammar
                module, function = GRAMMARS[grammar]
                parser = Parser(Language(getattr(import_module(module), function)()))
                return not parser.parse(content + b"\n").root_node.has_error
    except (ValueError, SyntaxError):
        return False
    return True


def endings(blob: bytes) -> set[bytes]:
    return set(re.findall(rb"\r?\n", blob))


@pytest.mark.parametrize("path", PIECES)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_suggestion_applies_and_adds_no_syntax_errors(path: str, data: st.DataObject) -> None:
    blob = data.draw(files(path))
    found = data.draw(suggestions(path, blob))
    if found is None:
        return
    after = apply_suggestion(blob, found)
    rows = split_keeping_newlines(blob)
    above, below = rows[: found.first_line - 1], rows[found.last_line :]
    assert after != blob
    assert after == b"".join([*above, found.after, *below])
    assert after.endswith(b"\n") == blob.endswith(b"\n") or not found.after or not after
    assert endings(after) <= (endings(blob) or {b"\n"})
    assert not found.text or found.text.endswith("\n")
    assert found.is_parsed == whole(path, blob)
    assert whole(path, after) or not whole(path, blob)


@pytest.mark.parametrize("path", PIECES)
@settings(
    deadline=None,
    max_examples=6,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_several_suggestions_make_a_patch_that_git_applies(
    path: str, tmp_path: Path, data: st.DataObject
) -> None:
    blob = data.draw(files(path))
    drawn = [data.draw(suggestions(path, blob)) for _ in range(3)]
    combined = combine_suggestions(blob, [one for one in drawn if one])
    patch = make_patch(path, blob, combined.after)
    assert whole(path, combined.after) or not whole(path, blob)
    if not patch:
        return
    (tmp_path / path).write_bytes(blob)
    done = subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=patch, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / path).read_bytes() == combined.after
