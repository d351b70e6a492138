import pytest

from claude_batch.github_actions.annotations import (
    MESSAGE_ESCAPES,
    PROPERTY_ESCAPES,
    Annotation,
    escape,
    render_annotation,
    render_annotations,
)


@pytest.mark.parametrize(("char", "code"), [("%", "%25"), ("\r", "%0D"), ("\n", "%0A")])
def test_escapes_of_a_message(char: str, code: str) -> None:
    assert escape(f"a{char}b{char}", MESSAGE_ESCAPES) == f"a{code}b{code}"


@pytest.mark.parametrize(
    ("char", "code"),
    [("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C")],
)
def test_escapes_of_a_property(char: str, code: str) -> None:
    assert escape(f"a{char}b{char}", PROPERTY_ESCAPES) == f"a{code}b{code}"


def test_an_escape_is_not_escaped_again() -> None:
    assert escape("%0A\n", MESSAGE_ESCAPES) == "%250A%0A"


def test_a_message_keeps_its_colons_and_commas() -> None:
    assert render_annotation(Annotation("notice", "one: two, three")) == "::notice::one: two, three"


def test_a_whole_annotation() -> None:
    said = Annotation("warning", "100% sure\nreally", "a,b:c.py", 3, 5, "Off by one: x")
    assert render_annotation(said) == (
        "::warning file=a%2Cb%3Ac.py,line=3,endLine=5,title=Off by one%3A x::100%25 sure%0Areally"
    )


def test_text_cannot_start_a_command_of_its_own() -> None:
    lines = render_annotations(
        [Annotation("error", "x\r\n::add-mask::y", title="t\n::stop-commands::z")]
    )
    assert lines == ["::error title=t%0A%3A%3Astop-commands%3A%3Az::x%0D%0A::add-mask::y"]


def test_ten_of_each_level_are_shown_and_the_rest_is_counted() -> None:
    ten = [Annotation("error", f"e{n}") for n in range(10)]
    twelve = [Annotation("warning", f"w{n}") for n in range(12)]
    lines = render_annotations([*twelve, *ten])
    assert len(lines) == 20
    assert lines[8:10] == ["::warning::w8", "::warning::and 3 more"]
    assert lines[-1] == "::error::e9"
