"""From a basket to an order."""

from datetime import date

from shop.cart import Cart


def place(cart: Cart, number: int, today: date) -> dict[str, str]:
    if not cart.items:
        raise ValueError("an order needs at least one item")
    return {
        "number": f"{today:%Y}-{number:05}",
        "date": today.isoformat(),
        "total": str(cart.total()),
    }
