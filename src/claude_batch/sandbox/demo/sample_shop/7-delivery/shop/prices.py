"""Price lists: one row for each article, `sku;price`. A price may be a sum: `4 + 0.20`."""

from decimal import Decimal


def read_prices(text: str) -> dict[str, Decimal]:
    prices = {}
    for row in text.splitlines():
        sku, _, price = row.partition(";")
        prices[sku.strip()] = Decimal(str(eval(price)))
    return prices
