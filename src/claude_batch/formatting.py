"""formatting."""

from decimal import ROUND_HALF_UP, Decimal


def printable(path: bytes) -> str:
    r"""Bytes that are not UTF-8 as `\xff`, control characters as `\n`."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


CENT = Decimal("0.01")
TENTH_OF_A_MILL = Decimal("0.0001")


def dollars(amount: Decimal) -> str:
    """For people: four decimals below ten cents, else two. What was paid never reads as nothing."""
    size = abs(amount)
    sign = "-" if amount < 0 else ""
    if size and size < TENTH_OF_A_MILL / 2:
        return f"{sign}<$0.0001"
    step = TENTH_OF_A_MILL if 0 < size < Decimal("0.10") else CENT
    return f"{sign}${size.quantize(step, ROUND_HALF_UP):,}"


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
