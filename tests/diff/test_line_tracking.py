"""Lines between two texts, with the real diff. What is carried holds the same text, always."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_batch.diff.line_tracking import Edit, TrackedLines, track_lines
from claude_batch.diff.lines import split_lines
from claude_batch.git.patch import compute_edits

OLD = """\
def total(cart):
    amount = 0
    for item in cart:
        amount += item.price
    return amount


def count(cart):
    number = 0
    for item in cart:
        number += 1
    return number
"""


def carried(old: str, new: str, first: int, last: int) -> TrackedLines | None:
    a, b = old.encode(), new.encode()
    return track_lines(split_lines(a), split_lines(b), compute_edits(a, b), first, last)


def test_lines_below_an_edit_are_shifted_and_lines_above_it_stay() -> None:
    new = OLD.replace("    amount = 0\n", "    amount = 0\n    seen = set()\n    log(cart)\n")
    assert carried(OLD, new, 1, 1) == TrackedLines(1, 1)
    assert carried(OLD, new, 10, 11) == TrackedLines(12, 13, undisturbed=True)
    assert carried(OLD, new, 4, 4) == TrackedLines(6, 6)  # its context has changed


def test_lines_that_were_edited_are_gone() -> None:
    new = OLD.replace("amount += item.price", "amount += item.price * item.count")
    assert carried(OLD, new, 4, 4) is None
    assert carried(OLD, new, 3, 5) is None
    assert carried(OLD, new, 11, 11) == TrackedLines(11, 11, undisturbed=True)


def test_an_insertion_inside_a_range_touches_it_and_one_at_its_edge_does_not() -> None:
    new = OLD.replace("        number += 1\n", "        number += 1\n        log(item)\n")
    assert carried(OLD, new, 11, 12) is None
    assert carried(OLD, new, 10, 11) == TrackedLines(10, 11)
    assert carried(OLD, new, 12, 12) == TrackedLines(13, 13)


def test_lines_that_were_moved_are_found_if_they_have_no_twin() -> None:
    first, second = OLD.split("\n\n\n")
    new = f"{second}\n\n{first}\n"
    assert carried(OLD, new, 3, 4) is not None
    odd = OLD.replace("    amount = 0\n", "    amount = convert(0, cart.currency)\n")
    moved = odd.replace("    amount = convert(0, cart.currency)\n", "").replace(
        "    return number\n", "    amount = convert(0, cart.currency)\n    return number\n"
    )
    assert carried(odd, moved, 2, 2) == TrackedLines(11, 11, moved=True)
    twice = moved.replace("    number = 0\n", "    amount = convert(0, cart.currency)\n")
    assert carried(odd, twice, 2, 2) is None


def test_a_line_is_not_taken_for_its_twin() -> None:
    """The first `return x` is deleted; the second one is another line, although it is alone now."""
    old = "a()\nif first:\n    return nothing_at_all_here\nb()\nreturn x\nc()\nreturn x\n"
    new = "a()\nif first:\n    return nothing_at_all_here\nb()\nc()\nreturn x\n"
    assert carried(old, new, 5, 5) is None


def test_an_insertion_that_could_as_well_have_been_elsewhere_touches_all_of_it() -> None:
    old = "one = compute_the_first()\nif a:\n    b()\n}\ntwo = compute_the_second()\n"
    new = old.replace("}\n", "}\nif c:\n    d()\n}\n")
    assert carried(old, new, 4, 4) is None  # which of the two braces was it?
    assert carried(old, new, 3, 3) == TrackedLines(3, 3)
    assert carried(old, new, 5, 5) == TrackedLines(8, 8)


def test_a_coincidence_between_two_edits_is_no_proof() -> None:
    old = "alpha = load_alpha()\n}\nbeta = load_beta()\n}\n"
    new = "gamma = load_gamma()\n}\ndelta = load_delta()\n}\n"
    assert carried(old, new, 2, 2) is None
    assert carried(old, new, 4, 4) is None


def test_the_ends_of_lines_count() -> None:
    assert carried("a\nb = call(c)\n", "a\r\nb = call(c)\r\n", 2, 2) is None
    assert carried("a = call_something(1)\nb", "a = call_something(1)\nb", 2, 2) == TrackedLines(
        2, 2, undisturbed=True
    )


@pytest.mark.parametrize("span", [(0, 1), (2, 1), (3, 99), (14, 14)])
def test_lines_that_the_old_text_never_had_are_nowhere(span: tuple[int, int]) -> None:
    assert carried(OLD, OLD, *span) is None


def test_edits_that_do_not_belong_to_the_texts_carry_nothing_wrong() -> None:
    old, new = split_lines(OLD.encode()), split_lines(b"other = 1\n" + OLD.encode())
    assert track_lines(old, new, [Edit(0, 0, 0, 2)], 4, 4) is None


ROWS = st.sampled_from(
    [b"}", b"", b"    return None", b"else:", b"x = compute(first, second)", b"y\r", b"\xff\x0c"]
)
TEXTS = st.lists(ROWS, max_size=24)
LINES = st.tuples(st.integers(1, 24), st.integers(0, 4))


def joined(rows: list[bytes], *, ended: bool = True) -> bytes:
    return b"\n".join(rows) + (b"\n" if ended and rows else b"")


@settings(deadline=None)
@given(TEXTS, TEXTS, LINES, st.booleans(), st.booleans())
def test_between_any_two_texts_a_place_holds_the_same_lines(
    old: list[bytes], new: list[bytes], span: tuple[int, int], ends: bool, ended: bool
) -> None:
    a, b = joined(old, ended=ends), joined(new, ended=ended)
    first, last = span[0], span[0] + span[1]
    found = track_lines(split_lines(a), split_lines(b), compute_edits(a, b), first, last)
    if found:
        assert split_lines(b)[found.first - 1 : found.last] == split_lines(a)[first - 1 : last]
        assert found.last - found.first == last - first


@settings(deadline=None)
@given(TEXTS, st.integers(0, 24), st.lists(ROWS, min_size=1, max_size=24), LINES)
def test_after_one_insertion_or_deletion_a_place_is_that_of_the_same_line(
    rows: list[bytes], at: int, block: list[bytes], span: tuple[int, int]
) -> None:
    """Known by construction, whatever the diff makes of lines that are alike."""
    at = min(at, len(rows))
    longer = [*rows[:at], *block, *rows[at:]]
    first, last = span[0], span[0] + span[1]
    a, b = joined(rows), joined(longer)
    inserted = track_lines(split_lines(a), split_lines(b), compute_edits(a, b), first, last)
    if inserted and not inserted.moved:
        assert inserted.first == (first if first <= at else first + len(block))
    deleted = track_lines(split_lines(b), split_lines(a), compute_edits(b, a), first, last)
    if deleted and not deleted.moved:
        assert last <= at or first > at + len(block)
        assert deleted.first == (first if last <= at else first - len(block))
