"""The basket of one customer."""

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True)
class Item:
    sku: str
    price: Decimal
    count: int = 1

    @property
    def total(self) -> Decimal:
        return self.price * self.count


@dataclass
class Cart:
    items: list[Item] = field(default_factory=list)

    def add(self, item: Item) -> None:
        for at, known in enumerate(self.items):
            if known.sku == item.sku:
                self.items[at] = Item(item.sku, item.price, known.count + item.count)
                return
        self.items.append(item)

    def total(self) -> Decimal:
        return sum((item.total for item in self.items), Decimal(0))
