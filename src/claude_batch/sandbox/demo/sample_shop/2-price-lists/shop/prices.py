"""Price lists: one row for each article, `sku;price`."""

from decimal import Decimal


def read_prices(text: str) -> dict[str, Decimal]:
    prices = {}
    for row in text.splitlines():
        sku, _, price = row.partition(";")
        prices[sku.strip()] = Decimal(price.strip())
    return prices
