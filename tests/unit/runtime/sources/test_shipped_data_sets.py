"""Public data sets: what a few invented rows in their format come to, worked out by hand."""

from decimal import Decimal

import pytest

from contracts.sources.shipped import shipped_source
from services.runtime.sources.compiled import InvalidHeader
from services.runtime.sources.shaped import Shaped
from tests.support.source_kpis import Shop
from tests.support.sources import left_out, read, rows_of

OLIST = """\
"order_id","customer_id","order_status","order_purchase_timestamp"
00aa,c1,delivered,2018-03-18 20:12:36
00bb,c2,canceled,2018-03-18 00:00:00
"""
OLIST_ITEMS = """\
"order_id","order_item_id","product_id","seller_id","price","freight_value"
00aa,1,p1,s1,58.9,10.05
00aa,2,p1,s1,58.90,10.05
zz99,1,p2,s1,1.00,1.00
"""
OLIST_PRODUCTS = """\
"product_id","product_category_name","product_name_lenght"
p1,cama_mesa_banho,51
p2,,
"""
UCI = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
540001,10A,"CUP, ""BLUE"" X",3,3/1/2011 8:05,0.335,14000,United Kingdom
540001,10A,"CUP, ""BLUE"" X",3,3/1/2011 8:05,0.335,14000,United Kingdom
540001,POST,POSTAGE £,1,3/1/2011 8:05,18,14000,France
540002,20,,2,12/31/2011 17:30,0,,United Kingdom
C540003,20,,-1,3/1/2011 9:00,1.25,14000,United Kingdom
A540004,B,Adjust bad debt,-1,3/2/2011 9:00,100.5,,United Kingdom
540005,20,damaged,-5,3/2/2011 9:00,0,,United Kingdom
"""
SUPERSTORE = """\
Row ID,Order ID,Order Date,Ship Date,Customer ID,Product ID,Category,Product Name,Sales,Quantity,\
Discount
1,CA-1,9/22/2017,9/26/2017,C-1,P-1,Furniture,"Table 12"" É",176.7864,1,0.32
2,US-2,9/22/2017,9/26/2017,C-1,P-2,Technology,Câble USB®,5.285,2,0
3,CA-1,9/22/2017,9/26/2017,C-1,P-2,Technology,Câble USB®,10,1,0
"""
SUPERSTORE_RETURNS = "Returned,Order ID\nYes,US-2\n"
NORTHWIND = """\
OrderID,CustomerID,EmployeeID,OrderDate,ShippedDate,Freight
1,KNDAA,4,1998-01-05 00:00:00.000,NULL,1.2500
2,NULL,4,1998-01-05 00:00:00.000,1998-01-11 00:00:00.000,NULL
"""
NORTHWIND_DETAILS = """\
OrderID,ProductID,UnitPrice,Quantity,Discount
1,7,3.9900,10,0.25
1,8,2.5000,2,0
2,7,0.0500,1,0.5
"""
NORTHWIND_PRODUCTS = """\
ProductID,ProductName,SupplierID,CategoryID,UnitPrice,Discontinued
7,Käse,1,4,4.2000,0
8,Rätsel,1,NULL,2.5000,0
"""
NORTHWIND_CATEGORIES = "CategoryID,CategoryName,Picture\n4,Crèmerie,NULL\n5,Obst,NULL\n"


def given(name: str, text: str, **lookups: str) -> Shaped:
    found, faults = read(shipped_source(name), text, lookups)
    assert (faults, found.of_no_kind.num_rows) == ([], 0)
    return found


def test_olist() -> None:
    orders, items = given("olist-orders", OLIST), given("olist-order-items", OLIST_ITEMS)
    products = given("olist-products", OLIST_PRODUCTS)
    assert rows_of(orders, "orders")[0] == {
        "order_id": "00aa", "user_id": "c1", "order_date": "2018-03-18", "total_extra": "0.00",
        "status": "delivered",
    }  # fmt: skip
    assert rows_of(items, "order_items")[1] == {
        "order_id": "00aa", "line_id": "2", "product_id": "p1", "quantity": "1",
        "unit_price": "58.9", "added_to_total": "10.05",
    }  # fmt: skip
    assert rows_of(products, "products") == [
        {"product_id": "p1", "category": "cama_mesa_banho"},
        {"product_id": "p2"},
    ]
    shop = Shop().take(products).take(items).take(orders)
    assert shop.by_day() == {"2018-03-18": (2, Decimal("137.90"), 2, 0, 2)}
    assert shop.by_category() == {
        ("cama_mesa_banho", "2018-03-18"): (Decimal("117.80"), Decimal("117.80"), 0)
    }


def test_uci_online_retail() -> None:
    found = given("uci-online-retail", UCI)
    assert [(row["line_id"], row["line_amount"]) for row in rows_of(found, "order_items")] == [
        ("1", "1.01"),
        ("2", "1.01"),
        ("3", "18.00"),
        ("1", "0.00"),
    ]
    assert rows_of(found, "orders")[3] == {
        "order_id": "540002", "order_date": "2011-12-31", "total_extra": "0.00",
        "status": "completed",
    }  # fmt: skip
    assert left_out(found) == [
        (4, "credit_note"),
        (5, "ledger_adjustment"),
        (6, "negative_quantity"),
    ]
    shop = Shop().take(found)
    assert shop.by_day() == {
        "2011-03-01": (1, Decimal("20.02"), 7, 0, 1),
        "2011-12-31": (1, Decimal("0.00"), 2, 0, 0),
    }
    assert shop.by_category()["Unknown", "2011-03-01"] == (Decimal("20.02"), Decimal("20.02"), 0)


def test_superstore() -> None:
    found = given("superstore-orders", SUPERSTORE, returns=SUPERSTORE_RETURNS)
    assert [row["status"] for row in rows_of(found, "orders")] == [
        "completed",
        "returned",
        "completed",
    ]
    assert rows_of(found, "order_items")[0] == {
        "order_id": "CA-1", "line_id": "1", "product_id": "P-1", "quantity": "1",
        "line_amount": "176.79",
    }  # fmt: skip
    assert rows_of(found, "products")[1] == {
        "product_id": "P-2", "category": "Technology", "name": "Câble USB®",
    }  # fmt: skip
    shop = Shop().take(found)
    assert shop.by_day() == {"2017-09-22": (2, Decimal("192.08"), 4, Decimal("0.5"), 1)}
    assert shop.by_category() == {
        ("Furniture", "2017-09-22"): (Decimal("176.79"), Decimal("176.79"), 0),
        ("Technology", "2017-09-22"): (Decimal("15.29"), Decimal("7.65"), Decimal("0.5")),
    }


def test_a_header_that_lacks_the_key_of_a_lookup_is_told_so() -> None:
    with pytest.raises(InvalidHeader, match='there is no column "CategoryID"'):
        read(shipped_source("northwind-products"), NORTHWIND_PRODUCTS.replace("CategoryID", "Cat"))


def test_northwind() -> None:
    orders = given("northwind-orders", NORTHWIND)
    details = given("northwind-order-details", NORTHWIND_DETAILS)
    products = given("northwind-products", NORTHWIND_PRODUCTS, categories=NORTHWIND_CATEGORIES)
    assert rows_of(orders, "orders") == [
        {
            "order_id": "1", "user_id": "KNDAA", "order_date": "1998-01-05",
            "total_extra": "1.25", "status": "open",
        },
        {"order_id": "2", "order_date": "1998-01-05", "total_extra": "0.00", "status": "shipped"},
    ]  # fmt: skip
    assert [row["line_amount"] for row in rows_of(details, "order_items")] == [
        "29.93",
        "5.00",
        "0.03",
    ]
    assert rows_of(products, "products") == [
        {"product_id": "7", "category": "Crèmerie", "name": "Käse", "price": "4.2"},
        {"product_id": "8", "name": "Rätsel", "price": "2.5"},
    ]
    shop = Shop().take(products).take(details).take(orders)
    assert shop.by_day() == {"1998-01-05": (2, Decimal("36.21"), 13, 0, 1)}
    assert shop.by_category() == {
        ("Crèmerie", "1998-01-05"): (Decimal("29.96"), Decimal("14.98"), 0),
        ("Unknown", "1998-01-05"): (Decimal("5.00"), Decimal("5.00"), 0),
    }
