"""The sources that ship, each over a few rows of an invented export in its format."""

import pytest

from contracts.sources.shipped import shipped_source, shipped_sources
from services.runtime.sources.compilation import check_source
from tests.support.sources import left_out, read, rows_of

SHOPIFY = """\
Name,Email,Financial Status,Currency,Total,Created at,Lineitem quantity,Lineitem name,\
Lineitem price,Lineitem sku,Payment Method,Lineitem discount,Notes
#1002,mia@shop.example,refunded,EUR,24.50,2026-11-07 00:30:23 +0100,2,Tasse,9.75,'00123,card,0.00,"a
b"
#1002,,,,,2026-11-07 00:30:23 +0100,1,Trinkgeld,5.005,,,0.005,
#1001,,paid,EUR,3.00,2026-10-25 02:30:00 +0200,1,Test,3.00,T-1,bogus,0.00,
#1001,,,,,2026-10-25 02:30:00 +0200,1,Test 2,0.00,T-2,,0.00,
#1000,,paid,EUR,12.00,32.10.2026,1,Kanne,zwölf,K-1,card,0.00,
"""
AMAZON = """\
amazon-order-id\tpurchase-date\torder-status\tsku\tquantity\tcurrency\titem-price\tshipping-price\t\
item-promotion-discount\tship-promotion-discount
302-1\t2026-09-01T23:59:59+00:00\tShipped\tBild-24"\t1\tEUR\t89.00\t4.99\t8.90\t4.99
302-1\t2026-09-01T23:59:59+00:00\tShipped\tBild-24"\t1\tEUR\t89.00\t4.99\t8.90\t4.99
302-2\t2026-09-02T10:00:00Z\tCancelled\tX\t0\t\t\t\t\t
302-3\t2026-09-02T10:00:00+00:00\tShipped - Returned to Seller\tY\t3\tEUR\t10.00\t\t\t
"""


@pytest.mark.parametrize("name", shipped_sources())
def test_every_expression_that_ships_is_allowed(name: str) -> None:
    for version in shipped_sources()[name]:
        check_source(shipped_source(name, version))


def test_shopify_orders() -> None:
    found, faults = read(shipped_source("shopify-orders"), SHOPIFY)
    assert rows_of(found, "orders")[:2] == [
        {
            "order_id": "#1002", "user_id": "mia@shop.example", "order_date": "2026-11-07",
            "total_amount": "24.5", "status": "returned", "currency": "EUR",
        },
        {"order_id": "#1002", "order_date": "2026-11-07"},
    ]  # fmt: skip
    assert rows_of(found, "order_items")[:2] == [
        {
            "order_id": "#1002", "line_id": "1", "product_id": "00123", "quantity": "2",
            "line_amount": "19.50",
        },
        {
            "order_id": "#1002", "line_id": "2", "product_id": "Trinkgeld", "quantity": "1",
            "line_amount": "5.00",
        },
    ]  # fmt: skip
    assert left_out(found) == [(2, "draft"), (3, "draft")]
    assert [fault.message for fault in faults] == [
        'Created at = "32.10.2026" gives no day (order_date)',
        'Lineitem price = "zwölf" gives no amount (line_amount)',
    ]


def test_amazon_orders() -> None:
    found, faults = read(shipped_source("amazon-orders"), AMAZON)
    item = {
        "order_id": "302-1", "product_id": 'Bild-24"', "quantity": "1", "line_amount": "80.10",
        "added_to_total": "0.00", "currency": "EUR",
    }  # fmt: skip
    assert rows_of(found, "order_items") == [
        item | {"line_id": "1"},
        item | {"line_id": "2"},
        {
            "order_id": "302-3", "line_id": "1", "product_id": "Y", "quantity": "3",
            "line_amount": "10.00", "added_to_total": "0.00", "currency": "EUR",
        },
    ]  # fmt: skip
    assert found.left_out_of["order_items"].to_pylist() == [
        {"row": 2, "line": 4, "reason": "zero_quantity_line"}
    ]
    orders = rows_of(found, "orders")
    assert [(order["order_id"], order["order_date"], order["status"]) for order in orders] == [
        ("302-1", "2026-09-01", "Shipped"),
        ("302-1", "2026-09-01", "Shipped"),
        ("302-2", "2026-09-02", "Cancelled"),
        ("302-3", "2026-09-02", "returned"),
    ]
    assert {order["total_extra"] for order in orders} == {"0.00"}
    assert (faults, found.of_no_kind.num_rows) == ([], 0)


CANONICAL = {
    "canonical-orders": (
        "order_id,user_id,order_date,total_amount,status\n1,u,2026-01-01,12.50,paid\n2,,2026-01-02,1,\n",
        "orders",
        [
            {
                "order_id": "1", "user_id": "u", "order_date": "2026-01-01",
                "total_amount": "12.5", "status": "paid",
            },
            {"order_id": "2", "order_date": "2026-01-02", "total_amount": "1"},
        ],
    ),
    "canonical-order-items": (
        "quantity,unit_price,order_id,product_id,line_amount\n2,1.50,1,p,2.999\n",
        "order_items",
        [
            {
                "order_id": "1", "product_id": "p", "quantity": "2", "unit_price": "1.5",
                "line_amount": "3.00",
            }
        ],
    ),
    "canonical-products": (
        "product_id,category,name,price\np,Books,A Book,12.00\n",
        "products",
        [{"product_id": "p", "category": "Books", "name": "A Book", "price": "12"}],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CANONICAL)
def test_the_pipeline_s_own_columns(name: str) -> None:
    text, kind, expected = CANONICAL[name]
    found, faults = read(shipped_source(name), text)
    assert rows_of(found, kind) == expected
    assert faults == []
