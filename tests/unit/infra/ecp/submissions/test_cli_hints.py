"""What nobody refuses and a sender should know: returns by another name, a currency not read."""

import pytest

from infra.ecp.submissions.hints import (
    about_columns,
    about_repeats,
    is_like_currency,
    looks_like_a_return,
)

RETURNS = (
    *("refunded", "partially_refunded", "wc-refunded", "Returned to Seller", "chargeback"),
    *("RMA", "RTO", "retourniert", "Zurückgesandt", "rückerstattet", "Erstattet", "terugbetaald"),
    *("geretourneerd", "återbetald", "remboursé", "retourné", "Reembolsado", "Devuelto"),
    *("devolvido", "rimborsato", "Reso", "returnat", "zwrócone", "zwrot", "vráceno", "iade"),
    *("Возврат", "повернення", "Επιστροφή", "退货", "退款", "返品済み", "반품", "مرتجع", "הוחזר"),
    *("คืนสินค้า", "คืนเงิน", "वापस", "hoàn tiền"),
)
OTHERS = (
    *("completed", "shipped", "cancelled", "resolved", "pending", "delivered", "not returned"),
    *("non-refundable", "storniert", "diadem", "presold", "paid", "credit card", "annulé"),
)
CURRENCIES = (
    *("currency", "Currency_Code", "presentment_currency", "currencyCode", "Währung", "waehrung"),
    *("devise", "ccy", "CURR", "Waluta", "通貨", "valuta", "Валюта", "العملة", "Měna", "moneda"),
)


@pytest.mark.parametrize("status", RETURNS)
def test_a_status_that_says_an_order_came_back_is_known_in_many_languages(status: str) -> None:
    assert looks_like_a_return(status)


@pytest.mark.parametrize("status", OTHERS)
def test_other_statuses_are_left_alone(status: str) -> None:
    assert not looks_like_a_return(status)


@pytest.mark.parametrize("column", CURRENCIES)
def test_a_column_of_currencies_is_known_by_its_name(column: str) -> None:
    assert is_like_currency(column)


@pytest.mark.parametrize("column", ["amount", "current_total", "occurred", "cursor", "accuracy"])
def test_other_columns_are_left_alone(column: str) -> None:
    assert not is_like_currency(column)


def test_many_columns_are_told_with_how_many_more_there_are() -> None:
    [line] = about_columns("products/p.csv", "products", [f"c{n}" for n in range(20)])
    assert line.startswith("products/p.csv: 20 columns not read: c0, c1,")
    assert line.endswith("c11 and 8 more")
    assert about_columns("products/p.csv", "products", []) == []


def test_repeats_and_contradictions_are_told_with_their_lines() -> None:
    assert about_repeats("orders/a.csv", 1, [7]) == [
        "orders/a.csv: 1 row repeats an earlier one and counts once",
        "orders/a.csv: 1 row contradicts a later one of the file, which stands: line 7",
    ]
    assert about_repeats("orders/a.csv", 0, [9, 4]) == [
        "orders/a.csv: 2 rows contradict a later one of the file, which stands: lines 4, 9"
    ]
    assert about_repeats("orders/a.csv", 0) == []
