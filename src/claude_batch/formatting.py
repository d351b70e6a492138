"""Text for people: amounts of money, plurals, paths, validation errors."""

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

CENT = Decimal("0.01")
HUNDREDTH_OF_A_CENT = Decimal("0.0001")


def printable(path: bytes) -> str:
    r"""Show bytes that are not UTF-8 as `\xff` and control characters as `\n`."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def dollars(amount: Decimal) -> str:
    """Four decimals below ten cents, else two."""
    size = abs(amount)
    sign = "-" if amount < 0 else ""
    # A cost above zero is never shown as $0.0000.
    if size and size < HUNDREDTH_OF_A_CENT / 2:
        return f"{sign}<$0.0001"
    step = HUNDREDTH_OF_A_CENT if 0 < size < Decimal("0.10") else CENT
    return f"{sign}${size.quantize(step, ROUND_HALF_UP):,}"


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def first_error(error: "ValidationError") -> str:
    """The first error of a validation, as `place.in.the.input: message`."""
    # The input may be somebody's code, so it stays out of the message.
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else first["msg"]
