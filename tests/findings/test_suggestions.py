import pytest

from claude_batch.diff.lines import split_keeping_newlines
from claude_batch.findings.suggestions import (
    RejectedSuggestion,
    Suggestion,
    apply_suggestion,
    validate_suggestion,
)

PYTHON = b"""\
def f(items):
    for item in items:
        if item == None:
            return item
    return 1
"""


def validated(
    blob: bytes, first: int, last: int, replacement: str, path: str = "a.py"
) -> bytes | str:
    """Return the file after the suggestion, or the reason of its rejection."""
    seen = [row.removesuffix(b"\n") for row in split_keeping_newlines(blob)[first - 1 : last]]
    found = validate_suggestion(blob, first, last, seen, replacement, path)
    return apply_suggestion(blob, found) if isinstance(found, Suggestion) else found.reason


def test_lines_are_replaced_and_the_file_still_parses() -> None:
    found = validate_suggestion(
        PYTHON, 3, 3, [b"        if item == None:"], "        if item is None:", "a.py"
    )
    assert found == Suggestion(
        path="a.py",
        first_line=3,
        last_line=3,
        before=b"        if item == None:\n",
        after=b"        if item is None:\n",
        is_parsed=True,
    )
    assert found.text == "        if item is None:\n"
    assert apply_suggestion(PYTHON, found) == PYTHON.replace(b"== None", b"is None")


def test_other_lines_than_those_reviewed_are_refused() -> None:
    assert validate_suggestion(
        PYTHON, 3, 3, [b"        if item == nil:"], "x", "a.py"
    ) == RejectedSuggestion("the lines are not those that were reviewed")
    assert validate_suggestion(
        PYTHON, 5, 6, [b"    return 1", b""], "x", "a.py"
    ) == RejectedSuggestion("the file has no such lines")
    assert validate_suggestion(PYTHON, 0, 0, [], "x", "a.py") == RejectedSuggestion(
        "the file has no such lines"
    )


@pytest.mark.parametrize(
    ("replacement", "reason"),
    [
        ("        if item == None:", "it changes nothing"),
        ("if item == None:\n", "it changes nothing but the indentation"),
        ("        if item is None", "the file would no longer parse"),
        ("        if item is None:  # \u202e", "the text holds characters that cannot be shown"),
        ("        if item is \ud800None:", "the text holds characters that cannot be shown"),
        ("        if item\r is None:", "the text holds characters that cannot be shown"),
    ],
)
def test_bad_replacements_are_rejected(replacement: str, reason: str) -> None:
    assert validated(PYTHON, 3, 3, replacement) == reason


@pytest.mark.parametrize(
    ("first", "last", "replacement", "after"),
    [
        # all indentation lost
        (3, 4, "if not item:\n    return 0", b"        if not item:\n            return 0\n"),
        # lost on the first line only
        (
            3,
            4,
            "if not item:\n            return 0",
            b"        if not item:\n            return 0\n",
        ),
        # meant as it is: the line leaves its block
        (4, 4, "            pass\n        return item", b"            pass\n        return item\n"),
    ],
)
def test_lost_indentation_is_restored(
    first: int, last: int, replacement: str, after: bytes
) -> None:
    rows = split_keeping_newlines(PYTHON)
    assert validated(PYTHON, first, last, replacement) == b"".join(
        [*rows[: first - 1], after, *rows[last:]]
    )


def test_indentation_without_a_parser() -> None:
    blob = b"{\n\tif (a) {\n\t\tb();\n\t}\n}\n"
    assert validated(blob, 2, 4, "if (a && c) {\n\t\tb();\n\t}", "a.js") == (
        b"{\n\tif (a && c) {\n\t\tb();\n\t}\n}\n"
    )
    assert validated(blob, 2, 4, "if (a && c) {\n\tb();\n}", "a.js") == (
        b"{\n\tif (a && c) {\n\t\tb();\n\t}\n}\n"
    )
    assert validated(b"a:\n    b: 1\n", 2, 2, "  b: 1", "a.yaml") == b"a:\n  b: 1\n"


def test_repeated_lines_around_are_trimmed() -> None:
    both = "    for item in items:\n        if not item:\n            return item"
    assert validated(PYTHON, 3, 3, both) == PYTHON.replace(b"item == None", b"not item")


@pytest.mark.parametrize(
    ("replacement", "after"),
    [
        ("    c();\n}", b"if (a) {\n    c();\n}\n"),  # the bracket below, once too often
        ("    if (b) {\n    c();\n}", b"if (a) {\n    if (b) {\n    c();\n}\n}\n"),  # its own one
    ],
)
def test_a_closing_bracket_is_trimmed_only_if_it_is_one_too_many(
    replacement: str, after: bytes
) -> None:
    assert validated(b"if (a) {\n    b();\n}\n", 2, 2, replacement, "a.js") == after


def test_one_word_may_be_repeated() -> None:
    blob = b"if a\n  b\nend\n"
    assert validated(blob, 2, 2, "  if c\n    b\nend", "a.rb") == b"if a\n  if c\n    b\nend\nend\n"


def test_line_endings_stay() -> None:
    assert validated(b"a = 1\r\nb = 2\r\n", 1, 1, "a = 3\nc = 4") == b"a = 3\r\nc = 4\r\nb = 2\r\n"
    assert validated(b"a = 1\r\nb = 2", 2, 2, "b = 3\nc = 4\n") == b"a = 1\r\nb = 3\r\nc = 4"
    assert validated(b"a\x0cb\rc\nd\n", 1, 1, "e", "a.txt") == b"e\nd\n"


def test_lines_can_be_deleted_and_blank_lines_added() -> None:
    assert validated(b"a\nb\nc\n", 2, 2, "", "a.txt") == b"a\nc\n"
    assert validated(b"a\nb", 2, 2, "", "a.txt") == b"a\n"
    assert validated(b"a\n\nb\n", 2, 2, "", "a.txt") == b"a\nb\n"
    blank = validate_suggestion(b"a\nb\nc\n", 2, 2, [b"b"], "\n", "a.txt")
    gone = validate_suggestion(b"a\nb\nc\n", 2, 2, [b"b"], "", "a.txt")
    assert isinstance(blank, Suggestion)
    assert isinstance(gone, Suggestion)
    assert (blank.text, gone.text) == ("\n", "")


def test_a_file_that_did_not_parse_need_not_parse_after() -> None:
    found = validate_suggestion(b"print 1\nx\n", 2, 2, [b"x"], "y", "a.py")
    assert isinstance(found, Suggestion)
    assert not found.is_parsed


def test_applying_to_another_file_is_an_error() -> None:
    found = validate_suggestion(b"a\n", 1, 1, [b"a"], "b", "a.txt")
    assert isinstance(found, Suggestion)
    with pytest.raises(ValueError, match=r"lines 1\.\.1 are not those of the suggestion"):
        apply_suggestion(b"z\n", found)


@pytest.mark.parametrize(
    ("blob", "first", "last", "replacement", "expected"),
    [
        (b"", 1, 1, "x = 1", "the file has no such lines"),
        (b"x = 1", 1, 1, "", b""),
        (b"x = 1", 1, 1, "\n", b""),
        (b"x = 1", 1, 1, "x = 2\n\n\n", b"x = 2"),
        (b"x = 1\ny = 2\n", 1, 2, "z = 3", b"z = 3\n"),
        (b"x = 1\ny = 2\n", 1, 2, "", b""),
        (b"x = 1\n", 1, 1, "x = 2\0", "the text holds characters that cannot be shown"),
        (b"x = 1\n", 1, 1, "x = '\udfff'", "the text holds characters that cannot be shown"),
        (b"x = 1\n", 1, 1, "if x:\n\ty = 1\n        z = 2", "the file would no longer parse"),
        (b"x = 1\n", 1, 1, "x = 2\n" * 17_000, b"x = 2\n" * 17_000),
        (b"x = 1\n", 1, 1, "(" * 100_000, "the file would no longer parse"),
        (
            b"#" * 1_000_001 + b"\nx = 1\n",
            2,
            2,
            "x = 2",
            "the file is too large or too tangled to be parsed",
        ),
        (b"\xff = 1\nx = 1\n", 1, 1, "x = 2", "the text holds characters that cannot be shown"),
    ],
    ids=range(13),
)
def test_odd_files_and_odd_replacements(
    blob: bytes, first: int, last: int, replacement: str, expected: bytes | str
) -> None:
    assert validated(blob, first, last, replacement) == expected


def test_a_broken_file_may_stay_broken_and_not_get_worse() -> None:
    blob = b"int f() { FOO( }\nint g() {\n    return 0;\n}\n"
    assert validated(blob, 3, 3, "    return 1;", "a.c") == blob.replace(b"return 0", b"return 1")
    assert validated(blob, 3, 3, "    return (1;", "a.c") == "the file would no longer parse"
