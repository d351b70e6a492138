import pytest

from claude_batch.syntax.languages import GRAMMARS, grammar_of
from claude_batch.syntax.validity import (
    MAX_BYTES,
    UNPARSEABLE,
    count_syntax_errors,
    has_no_new_errors,
)
from languages import PIECES, file_of


@pytest.mark.parametrize("path", PIECES)
def test_what_parses_has_no_faults_and_what_lost_a_line_has(path: str) -> None:
    whole = file_of(path, [1, 2, 3]).encode()
    assert count_syntax_errors(path, whole) == 0
    assert count_syntax_errors(path, whole + b"\n) ] } \x01 =\n")
    assert has_no_new_errors(path, 0, whole)
    assert not has_no_new_errors(path, 0, whole + b"\n) ] } \x01 =\n")


def test_every_language_of_the_grammars_is_among_the_pieces() -> None:
    drawn = {GRAMMARS[grammar] for path in PIECES if (grammar := grammar_of(path))}
    assert drawn == set(GRAMMARS.values())


@pytest.mark.parametrize(
    ("path", "content", "expected"),
    [
        ("a.py", b"x = '\\d'\n", 0),
        ("a.py", b"return 1\n", 0),  # ast's own limit: it reads, and does not compile
        ("a.PY", b"x =\n", 2),
        ("a.py", b"print 1\n", 1),  # of another Python: the grammar has no fault to find
        ("a.py", b"\0", 2),
        ("a.py", b"-" * 10_000 + b"1", 1),  # deeper than ast can go
        ("a.json", b'{"a": 1}', 0),
        ("a.json", b'{"a": 1} // why', 1),
        ("a.json", b'{"a": 1', 2),
        ("a.toml", b"a = 1", 0),
        ("a.toml", b"a = 1\na = 2", 1),
        ("a.c", b"int f(void) { return 0 }", 1),
        ("a.js", b"\xef\xbb\xbflet a = 1;\r\n", 0),
        ("a.js", b"", 0),
        ("a.go", b"\xff", 1),
        ("a.go", b"package p\ntype T struct {\n}", 0),
        ("a.txt", b"", None),
        ("py", b"no suffix", None),
        (".py", b"no suffix", None),
    ],
)
def test_faults(path: str, content: bytes, expected: int | None) -> None:
    assert count_syntax_errors(path, content) == expected


def test_a_fault_that_swallows_more_lines_weighs_more() -> None:
    broken = b"int f() { FOO( }\n" + b"int g() { return 0; }\n" * 3
    worse = broken.replace(b"int g() { return 0; }", b"int g() { return 0; ", 1)
    before = count_syntax_errors("a.c", broken)
    assert before
    assert has_no_new_errors("a.c", before, broken.replace(b"return 0", b"return 1"))
    assert not has_no_new_errors("a.c", before, worse)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.py", b"#" * (MAX_BYTES + 1)),
        ("A.java", b"a<" * 20_000),
        ("a.js", b'"' * 40_000),
    ],
    ids=["large", "nested", "quotes"],
)
def test_what_would_take_too_long_is_not_read(path: str, content: bytes) -> None:
    assert count_syntax_errors(path, content) == UNPARSEABLE
    assert count_syntax_errors(path, b"") == 0  # and the next file is read from its start


def test_a_large_file_of_no_grammar_is_as_good_as_a_small_one() -> None:
    assert count_syntax_errors("a.txt", b"a" * (MAX_BYTES + 1)) is None
    assert has_no_new_errors("a.txt", None, b"b")
