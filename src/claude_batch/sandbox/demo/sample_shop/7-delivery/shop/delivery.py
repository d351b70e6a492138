"""What delivery costs. The warehouse keeps the table."""

from decimal import Decimal
from pathlib import Path

import yaml


def rates(path: Path) -> dict[str, Decimal]:
    with path.open() as file:
        table = yaml.load(file)
    return {zone: Decimal(str(price)) for zone, price in table["zones"].items()}


def delivery(total: Decimal, zone: str, table: dict[str, Decimal]) -> Decimal:
    free_from = table.get("free_from", Decimal(50))
    return Decimal(0) if total >= free_from else table[zone]
