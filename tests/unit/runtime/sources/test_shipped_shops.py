"""Shops' platforms: what a few invented rows in their format come to, worked out by hand."""

from decimal import Decimal

from contracts.sources.shipped import shipped_source
from services.runtime.sources.shaped import Shaped
from tests.support.source_kpis import Shop
from tests.support.sources import left_out, read, rows_of
from tests.unit.runtime.sources.test_shipped_sources import AMAZON, SHOPIFY

SHOPIFY_PRODUCTS = """\
Handle,Title,Body (HTML),Type,Variant SKU,Variant Price,Image Src
kanne,Kanne,"<p>Kanne,
neu</p>",Küche,K-1,12.50,https://shop.example/1.jpg
kanne,,,,'00123,14.00,
kanne,,,,,,https://shop.example/2.jpg
karte,Karte,,,P-1,1.00,
brief,Brief,,Post,,2.00,
"""
WOOCOMMERCE = """\
order_id,order_number,order_date,status,order_total,order_currency,customer_id,customer_note,\
item_id,item_product_id,item_name,item_quantity,item_subtotal,item_total
71,71,2026-05-02 23:59:01,completed,35.70,EUR,9,"Bitte
klingeln",801,11,Kanne &amp; Sieb,2,30.00,25.50
71,71,2026-05-02 23:59:01,completed,35.70,EUR,9,"Bitte
klingeln",802,0,Alter Artikel,1,4.50,4.50
72,72,2026-05-02 08:00:00,refunded,11.90,EUR,0,,803,12,Tuch,3,10.00,9.995
73,73,2026-05-03 10:00:00,checkout-draft,5.00,EUR,0,,804,12,Tuch,1,4.20,4.20
74,74,2026-05-03 11:00:00,processing,20.00,CHF,5,,805,12,Tuch,1,16.81,16.81
"""
WOOCOMMERCE_PRODUCTS = """\
ID,Type,SKU,Name,Published,Regular price,Categories
11,simple,K-11,Kanne,1,14.9,"Küche > Kannen, Geschenke"
12,simple,T-12,Tuch,1,4,"Tisch\\, Wäsche, Neu"
13,variable,,Hemd,1,,
"""
MAGENTO = """\
ID,"Purchase Point","Purchase Date","Grand Total (Base)","Grand Total (Purchased)",Status,\
"Customer Email","Customer Group"
000000101,"Main Website
    Deutsch","Feb 3, 2026 00:15:09 AM",59.0000,59.0000,Complete,eva@shop.example,General
000000102,Main,"Feb 3, 2026 14:05:09 PM",11.5000,11.5000,Closed,gast@shop.example,"NOT LOGGED IN"
000000103,Main,"Feb 14, 2026 09:00:00 AM",20.0000,18.7000,Complete,urs@shop.example,General
000000104,Main,2026-02-14,20.0000,20.0000,Complete,urs@shop.example,General
"""
MAGENTO_ITEMS = """\
increment_id,item_id,parent_item_id,product_type,sku,qty_ordered,price,discount_amount,row_total
000000101,1,NULL,configurable,M-1,2.0000,24.7899,0.0000,49.5798
000000101,2,1,simple,M-1,2.0000,0.0000,0.0000,0.0000
000000102,3,NULL,simple,M-2,1.0000,9.6639,0.9664,9.6639
000000103,4,NULL,simple,M-2,1.0000,16.8067,0.0000,16.8067
000000999,5,NULL,simple,M-2,1.0000,9.6639,0.0000,9.6639
"""
MAGENTO_PRODUCTS = """\
sku,store_view_code,product_type,categories,name,price
M-1,,simple,"Default Category/Küche/Kannen,Default Category/Neu",Kanne,24.7899
M-1,en,,,Pot,
M-2,,simple,Default Category,Tuch,9.6600
"""


def given(name: str, text: str, no_rows: int = 0) -> Shaped:
    """The rows of a file without a fault; `no_rows` are those that `where` takes for none."""
    found, faults = read(shipped_source(name), text)
    assert (faults, found.of_no_kind.num_rows) == ([], no_rows)
    return found


def test_shopify() -> None:
    orders, faults = read(shipped_source("shopify-orders"), SHOPIFY)
    products = given("shopify-products", SHOPIFY_PRODUCTS, no_rows=1)
    assert len(faults) == 2
    assert rows_of(products, "products") == [
        {"product_id": "K-1", "category": "Küche", "name": "Kanne", "price": "12.5"},
        {"product_id": "00123", "category": "Küche", "name": "Kanne", "price": "14"},
        {"product_id": "P-1", "name": "Karte", "price": "1"},
    ]
    assert products.left_out_of["products"].to_pylist() == [
        {"row": 4, "line": 6, "reason": "variant_without_sku"}
    ]
    shop = Shop().take(products).take(orders)
    assert shop.by_day() == {"2026-11-07": (1, Decimal("24.50"), 3, 1, 1)}
    assert shop.by_category() == {
        ("Küche", "2026-11-07"): (Decimal("19.50"), Decimal("19.50"), 1),
        ("Unknown", "2026-11-07"): (Decimal("5.00"), Decimal("5.00"), 1),
    }


def test_amazon() -> None:
    shop = Shop().take(given("amazon-orders", AMAZON))
    assert shop.by_day() == {
        "2026-09-01": (1, Decimal("160.20"), 2, 0, 0),
        "2026-09-02": (2, Decimal("10.00"), 3, Decimal("0.5"), 0),
    }
    assert shop.by_category() == {
        ("Unknown", "2026-09-01"): (Decimal("160.20"), Decimal("160.20"), 0),
        ("Unknown", "2026-09-02"): (Decimal("10.00"), Decimal("10.00"), 1),
    }


def test_woocommerce() -> None:
    orders = given("woocommerce-orders", WOOCOMMERCE)
    products = given("woocommerce-products", WOOCOMMERCE_PRODUCTS)
    order = {
        "order_id": "71", "user_id": "9", "order_date": "2026-05-02", "total_amount": "35.7",
        "status": "completed", "currency": "EUR",
    }  # fmt: skip
    assert rows_of(orders, "orders")[:3] == [
        order,
        order,
        {
            "order_id": "72", "order_date": "2026-05-02", "total_amount": "11.9",
            "status": "returned", "currency": "EUR",
        },
    ]  # fmt: skip
    assert rows_of(orders, "order_items")[1] == {
        "order_id": "71", "line_id": "802", "product_id": "0", "quantity": "1",
        "line_amount": "4.50",
    }  # fmt: skip
    assert left_out(orders) == [(3, "draft")]
    assert rows_of(products, "products") == [
        {"product_id": "11", "category": "Küche > Kannen", "name": "Kanne", "price": "14.9"},
        {"product_id": "12", "category": "Tisch, Wäsche", "name": "Tuch", "price": "4"},
        {"product_id": "13", "name": "Hemd"},
    ]
    shop = Shop().take(products).take(orders)
    assert shop.refused == {"74"}
    assert shop.by_day() == {"2026-05-02": (2, Decimal("47.60"), 6, Decimal("0.5"), 1)}
    assert shop.by_category() == {
        ("Küche > Kannen", "2026-05-02"): (Decimal("25.50"), Decimal("25.50"), 0),
        ("Tisch, Wäsche", "2026-05-02"): (Decimal("10.00"), Decimal("10.00"), 1),
        ("Unknown", "2026-05-02"): (Decimal("4.50"), Decimal("4.50"), 0),
    }


def test_magento() -> None:
    orders, faults = read(shipped_source("magento-orders"), MAGENTO)
    items = given("magento-order-items", MAGENTO_ITEMS)
    products = given("magento-products", MAGENTO_PRODUCTS, no_rows=1)
    assert [fault.message for fault in faults] == [
        'Purchase Date = "2026-02-14" gives no day (order_date)'
    ]
    assert rows_of(orders, "orders")[1:3] == [
        {
            "order_id": "000000102", "order_date": "2026-02-03", "total_amount": "11.5",
            "status": "returned",
        },
        {
            "order_id": "000000103", "user_id": "urs@shop.example", "order_date": "2026-02-14",
            "total_amount": "20", "status": "Complete", "currency": "foreign",
        },
    ]  # fmt: skip
    assert rows_of(items, "order_items")[1] == {
        "order_id": "000000102", "line_id": "3", "product_id": "M-2", "quantity": "1",
        "line_amount": "8.70",
    }  # fmt: skip
    assert left_out(items) == [(1, "configurable_child")]
    assert rows_of(products, "products") == [
        {"product_id": "M-1", "category": "Küche/Kannen", "name": "Kanne", "price": "24.79"},
        {"product_id": "M-2", "name": "Tuch", "price": "9.66"},
    ]
    shop = Shop().take(products).take(items).take(orders)
    assert shop.refused == {"000000103", "000000104"}
    assert shop.by_day() == {"2026-02-03": (2, Decimal("70.50"), 3, Decimal("0.5"), 1)}
    assert shop.by_category() == {
        ("Küche/Kannen", "2026-02-03"): (Decimal("49.58"), Decimal("49.58"), 0),
        ("Unknown", "2026-02-03"): (Decimal("8.70"), Decimal("8.70"), 1),
    }
