from decimal import Decimal

from shop.cart import Cart, Item


def test_the_same_article_twice_is_one_row():
    cart = Cart()
    cart.add(Item("tea", Decimal("4.20")))
    cart.add(Item("tea", Decimal("4.20"), 2))
    assert cart.items == [Item("tea", Decimal("4.20"), 3)]
