"""What differs between the shop on a laptop and the shop in town."""

import os

DATABASE = os.environ.get("SHOP_DATABASE", "shop.db")
CURRENCY = "EUR"
COURIER_URL = "https://courier.example/v3"
COURIER_TOKEN = "crr-7d41f0a92be8"
