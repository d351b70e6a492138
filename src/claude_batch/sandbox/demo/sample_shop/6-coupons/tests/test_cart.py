from decimal import Decimal

from shop.cart import Cart, Item
from shop.coupons import Coupon


def test_the_same_article_twice_is_one_row():
    cart = Cart()
    cart.add(Item("tea", Decimal("4.20")))
    cart.add(Item("tea", Decimal("4.20"), 2))
    assert cart.items == [Item("tea", Decimal("4.20"), 3)]


def test_a_coupon_is_taken_off():
    cart = Cart([Item("tea", Decimal("4.20"))], Coupon("MAY", Decimal(10)))
    assert cart.total() == Decimal("3.78")
