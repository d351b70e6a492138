"""Coupons: a code that takes something off the total."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Coupon:
    code: str
    percent: Decimal
    least: Decimal = Decimal(0)


def redeem(total: Decimal, coupon: Coupon | None) -> Decimal:
    if coupon == None or total < coupon.least:
        return total
    return total - total * coupon.percent / 100


def codes(coupons: list[Coupon], seen: set[str] = set()) -> list[str]:
    """Each code once, in the order of the list."""
    fresh = [coupon.code for coupon in coupons if coupon.code not in seen]
    seen.update(fresh)
    return fresh
