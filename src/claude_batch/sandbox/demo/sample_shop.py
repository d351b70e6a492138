"""What stands in the sample repository. The defects on the branch are there to be found."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """Each old text, which is there exactly once, becomes the new one. `of`: the old file name."""

    changes: tuple[tuple[str, str], ...]
    of: str = ""


@dataclass(frozen=True, slots=True)
class Commit:
    """`files`: the new content, or None where the file goes. An old name goes after its Edit."""

    message: str
    files: Mapping[str, str | bytes | Edit | None]


def edit(*changes: tuple[str, str], of: str = "") -> Edit:
    return Edit(changes, of)


TITLE = "Coupons, delivery rates and a warning when stock runs low"

BODY = """\
Customers can enter a coupon in the basket, delivery is priced by a table that the warehouse
keeps, and the stock service says when something is about to run out.
"""

CRLF = frozenset({"shop/export.py"})  # an editor on another system wrote this one

BLUE_BASKET = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAMAAADz0U65AAAACVBMVEX///8fb+safzeXZtkmAAAAG0lEQVR4"
    "2mNggANGMAAxGKAEggGTAvEYGbAAAANFABNaFTNoAAAAAElFTkSuQmCC"
)

GREEN_BASKET = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAMAAADz0U65AAAACVBMVEX///8fb+safzeXZtkmAAAAG0lEQVR4"
    "2mNggAMmMAAxGKAEggGTAvGYGLAAAAZCACVu6Ci+AAAAAElFTkSuQmCC"
)

README = """\
# Corner shop

A basket, orders and a stock service, small enough to read in one sitting.

    python -m pytest
    (cd stock && go run .)
"""

CART = '''\
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
'''

PRICES = '''\
"""Price lists: one row for each article, `sku;price`."""

from decimal import Decimal


def read_prices(text: str) -> dict[str, Decimal]:
    prices = {}
    for row in text.splitlines():
        sku, _, price = row.partition(";")
        prices[sku.strip()] = Decimal(price.strip())
    return prices
'''

SETTINGS = '''\
"""What differs between the shop on a laptop and the shop in town."""

import os

DATABASE = os.environ.get("SHOP_DATABASE", "shop.db")
CURRENCY = "EUR"
COURIER_URL = "https://courier.example/v2"
'''

EXPORT = '''\
"""Orders for the bookkeeper, as rows of a table."""

import csv
from typing import TextIO


def export(orders: list[dict[str, str]], target: TextIO) -> int:
    rows = csv.writer(target, delimiter=";")
    rows.writerow(["number", "date", "total"])
    for order in orders:
        rows.writerow([order["number"], order["date"], order["total"]])
    return len(orders)
'''

ORDERS = '''\
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
'''

TEST_CART = """\
from decimal import Decimal

from shop.cart import Cart, Item


def test_the_same_article_twice_is_one_row():
    cart = Cart()
    cart.add(Item("tea", Decimal("4.20")))
    cart.add(Item("tea", Decimal("4.20"), 2))
    assert cart.items == [Item("tea", Decimal("4.20"), 3)]
"""

BASKET_JS = """\
import { money } from "./format.js";

const rows = document.querySelector("#basket tbody");

export function show(basket) {
  rows.replaceChildren();
  for (const item of basket.items) {
    const row = rows.insertRow();
    row.insertCell().textContent = item.name;
    row.insertCell().textContent = money(item.price * item.count);
  }
}
"""

FORMAT_JS = """\
const euros = new Intl.NumberFormat("en-IE", {
  style: "currency",
  currency: "EUR",
});

export function money(cents) {
  return euros.format(cents / 100);
}

export function percent(share) {
  return `${Math.round(share * 100)} %`;
}
"""

POPUP_JS = """\
export function popup(text) {
  window.alert(text);
}
"""

PACKAGE_LOCK = """\
{
  "name": "corner-shop",
  "lockfileVersion": 3,
  "packages": {
    "": {
      "name": "corner-shop",
      "devDependencies": { "esbuild": "^0.25.0" }
    },
    "node_modules/esbuild": {
      "version": "0.25.0",
      "dev": true
    }
  }
}
"""

MINIFIED = (
    'const e=new Intl.NumberFormat("en-IE");export function money(t){return e.format(t/100)}\n'
)

STOCK_GO = """\
// Package main says how many of an article are in the warehouse.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

func level(row string) (string, int, error) {
	sku, count, found := strings.Cut(row, ";")
	if !found {
		return "", 0, fmt.Errorf("no count in %q", row)
	}
	number, err := strconv.Atoi(strings.TrimSpace(count))
	return sku, number, err
}

func main() {
	rows := bufio.NewScanner(os.Stdin)
	for rows.Scan() {
		sku, number, err := level(rows.Text())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			continue
		}
		fmt.Printf("%s: %d\\n", sku, number)
	}
}
"""

MAIN = (
    Commit("Start with a basket", {"README.md": README, "shop/cart.py": CART}),
    Commit("Read price lists", {"shop/prices.py": PRICES, "shop/settings.py": SETTINGS}),
    Commit(
        "Place orders and hand them to the bookkeeper",
        {"shop/orders.py": ORDERS, "shop/export.py": EXPORT, "tests/test_cart.py": TEST_CART},
    ),
    Commit(
        "Show the basket in a page",
        {
            "web/basket.js": BASKET_JS,
            "web/format.js": FORMAT_JS,
            "web/popup.js": POPUP_JS,
            "web/basket.png": BLUE_BASKET,
            "web/shop.min.js": MINIFIED,
            "package-lock.json": PACKAGE_LOCK,
        },
    ),
    Commit("Count the stock", {"stock/main.go": STOCK_GO, "stock/go.mod": "module stock\n"}),
)

COUPONS = '''\
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
'''

DELIVERY = '''\
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
'''

BRANCH = (
    Commit(
        "Take a coupon off the total",
        {
            "shop/coupons.py": COUPONS,
            "shop/cart.py": edit(
                (
                    "from decimal import Decimal\n",
                    "from decimal import Decimal\n\nfrom shop.coupons import Coupon, redeem\n",
                ),
                (
                    "    items: list[Item] = field(default_factory=list)\n",
                    "    items: list[Item] = field(default_factory=list)\n"
                    "    coupon: Coupon | None = None\n",
                ),
                (
                    "        return sum((item.total for item in self.items), Decimal(0))\n",
                    "        full = sum((item.total for item in self.items), Decimal(0))\n"
                    "        return redeem(full, self.coupon)\n",
                ),
            ),
            "tests/test_cart.py": edit(
                ("import Cart, Item\n", "import Cart, Item\nfrom shop.coupons import Coupon\n"),
                (
                    'Item("tea", Decimal("4.20"), 3)]\n',
                    'Item("tea", Decimal("4.20"), 3)]\n\n\n'
                    "def test_a_coupon_is_taken_off():\n"
                    '    cart = Cart([Item("tea", Decimal("4.20"))], Coupon("MAY", Decimal(10)))\n'
                    '    assert cart.total() == Decimal("3.78")\n',
                ),
            ),
        },
    ),
    Commit(
        "Price delivery by zone, and let the price list calculate",
        {
            "shop/delivery.py": DELIVERY,
            "shop/prices.py": edit(
                ("`sku;price`.", "`sku;price`. A price may be a sum: `4 + 0.20`."),
                ("Decimal(price.strip())", "Decimal(str(eval(price)))"),
            ),
            "shop/settings.py": edit(
                (
                    'COURIER_URL = "https://courier.example/v2"\n',
                    'COURIER_URL = "https://courier.example/v3"\n'
                    'COURIER_TOKEN = "crr-7d41f0a92be8"\n',
                ),
            ),
            "shop/export.py": edit(
                (
                    '        rows.writerow([order["number"], order["date"], order["total"]])\n'
                    "    return len(orders)\n",
                    "        try:\n"
                    '            rows.writerow([order["number"], order["date"], order["total"]])\n'
                    "        except:\n"
                    "            continue\n"
                    "        written += 1\n"
                    "    return written\n",
                ),
                ('"total"])\n    for', '"total"])\n    written = 0\n    for'),
            ),
        },
    ),
    Commit(
        "Show the coupon in the basket",
        {
            "web/basket.js": edit(
                ("./format.js", "./money.js"),
                (
                    "  rows.replaceChildren();\n",
                    "  console.log(basket);\n  rows.replaceChildren();\n",
                ),
                (
                    "item.count);\n  }\n",
                    "item.count);\n  }\n"
                    '  if (basket.discount != "0") {\n'
                    "    const cell = rows.insertRow().insertCell();\n"
                    "    cell.textContent = `Coupon: ${basket.discount} % off`;\n"
                    "  }\n",
                ),
            ),
            "web/money.js": edit(
                ("(cents) {\n", "(cents = 0) {\n"),
                of="web/format.js",
            ),
            "web/format.js": None,
            "web/popup.js": None,
            "web/basket.png": GREEN_BASKET,
            "web/shop.min.js": MINIFIED.replace("function money(t)", "function money(t=0)"),
            "package-lock.json": PACKAGE_LOCK.replace("0.25.0", "0.25.4"),
        },
    ),
    Commit(
        "Say when stock runs low",
        {
            "README.md": edit(("go run .)\n", "go run . 5)   # marks what is down to five\n")),
            "stock/main.go": edit(
                (
                    "func main() {\n",
                    "func main() {\n"
                    "	low := 0\n"
                    "	if len(os.Args) > 1 {\n"
                    "		low, _ = strconv.Atoi(os.Args[1])\n"
                    "	}\n",
                ),
                (
                    '		fmt.Printf("%s: %d\\n", sku, number)\n',
                    '		mark := ""\n'
                    "		if number <= low {\n"
                    '			mark = " (low)"\n'
                    "		}\n"
                    '		fmt.Printf("%s: %d%s\\n", sku, number, mark)\n',
                ),
            ),
        },
    ),
)
