"""What differs between the shop on a laptop and the shop in town."""

import os

DATABASE = os.environ.get("SHOP_DATABASE", "shop.db")
CURRENCY = "EUR"
COURIER_URL = "https://courier.example/v2"
