"""Small builders of CSV text, so that a test shows only what matters to it."""

from collections.abc import Iterable

ORDERS_HEADER = "order_id,user_id,order_date,total_amount,status"
ITEMS_HEADER = "order_id,product_id,quantity,unit_price"
PRODUCTS_HEADER = "product_id,category,name,price"


def an_order(
    order_id: str = "1",
    user_id: str = "u1",
    order_date: str = "2025-07-07",
    total_amount: str = "10.00",
    status: str = "completed",
) -> str:
    return ",".join((order_id, user_id, order_date, total_amount, status))


def an_item(
    order_id: str = "1", product_id: str = "p1", quantity: str = "1", unit_price: str = "10.00"
) -> str:
    return ",".join((order_id, product_id, quantity, unit_price))


def a_product(
    product_id: str = "p1", category: str = "Books", name: str = "A book", price: str = "10.00"
) -> str:
    return ",".join((product_id, category, name, price))


def orders_csv(*rows: str) -> str:
    return _csv(ORDERS_HEADER, rows)


def items_csv(*rows: str) -> str:
    return _csv(ITEMS_HEADER, rows)


def products_csv(*rows: str) -> str:
    return _csv(PRODUCTS_HEADER, rows)


def _csv(header: str, rows: Iterable[str]) -> str:
    return "\n".join((header, *rows)) + "\n"
