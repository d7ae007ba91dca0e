"""Late, corrected and waiting rows: after each batch every KPI equals the independent model's."""

from typing import Any

import pytest

from tests.model import ShopModel
from tests.support.pipeline import Pipeline
from tests.support.standing import assert_kpis_equal, rows_of, run

pytestmark = pytest.mark.integration


def test_kpis_equal_the_model_after_late_corrected_moved_and_waiting_rows(
    pipeline: Pipeline,
) -> None:
    model = ShopModel()
    pipeline = pipeline

    run(
        pipeline,
        model,
        "first",
        {
            "orders": rows_of(
                "orders",
                "1,anna,2024-05-01,30.00,completed",
                "2,ben,2024-05-02,20.10,returned",
                "3,anna,2024-05-02,9.99,completed",
            ),
            "order_items": rows_of(
                "order_items", "1,p1,3,10.00", "2,p2,1,20.10", "3,p1,1,9.99", "3,p9,2,0.50"
            ),
            "products": rows_of("products", "p1,Books,A book,10.00", "p2,Toys,A bear,20.10"),
        },
    )
    assert_kpis_equal(pipeline, model)

    late = run(
        pipeline,
        model,
        "late",
        {
            "orders": rows_of("orders", "4,cleo,2024-05-01,5.00,completed"),
            "order_items": rows_of("order_items", "4,p2,1,5.00"),
        },
    )
    assert late["affected_days"] == ["2024-05-01"]
    assert_kpis_equal(pipeline, model)

    moved = run(
        pipeline, model, "moved", {"orders": rows_of("orders", "2,ben,2024-05-07,20.10,completed")}
    )
    assert moved["affected_days"] == ["2024-05-02", "2024-05-07"]
    assert_kpis_equal(pipeline, model)

    waiting = run(
        pipeline, model, "waiting", {"order_items": rows_of("order_items", "77,p1,4,2.50")}
    )
    assert (waiting["waiting_order_items"], waiting["affected_days"]) == (1, [])
    assert_kpis_equal(pipeline, model)

    arrived = run(
        pipeline,
        model,
        "arrived",
        {"orders": rows_of("orders", "77,dora,2024-05-03,10.00,completed")},
    )
    assert (arrived["waiting_order_items"], arrived["affected_days"]) == (0, ["2024-05-03"])
    assert_kpis_equal(pipeline, model)

    named = run(
        pipeline, model, "named", {"products": rows_of("products", "p9,Garden,A rake,0.50")}
    )
    assert named["affected_days"] == ["2024-05-02"]
    assert ("Unknown", "2024-05-02") not in pipeline.category_kpis()
    assert_kpis_equal(pipeline, model)

    emptied = run(
        pipeline, model, "emptied", {"orders": rows_of("orders", "77,dora,2024-05-01,10.00,x")}
    )
    assert emptied["published"]["deleted"] > 0
    assert "2024-05-03" not in pipeline.order_kpis()
    assert_kpis_equal(pipeline, model)


ORDERS = "order_id,user_id,order_date,total_amount,status,currency\n"


@pytest.mark.thorough
def test_a_batch_in_another_currency_is_rejected_and_its_lock_is_free_for_the_next(
    pipeline: Pipeline,
) -> None:
    pipeline = pipeline

    def submit(name: str, currency: str) -> dict[str, Any]:
        key = f"orders/{name}.csv"
        row = f"{name},anna,2024-06-01,10.00,completed,{currency}\n"
        pipeline.upload_set(name, {key: ORDERS + row})
        return pipeline.batch_of(key)

    assert submit("first", "EUR")["status"] == "COMPLETED"
    rejected = submit("yen", "JPY")
    assert rejected["status"] == "REJECTED"
    assert "what is published is in EUR: JPY in orders/yen.csv" in rejected["reason"]
    assert submit("last", "EUR")["status"] == "COMPLETED"
    assert pipeline.order_kpis()["2024-06-01"]["total_orders"] == 2
