"""Batches through the running pipeline and the independent model side by side, compared whole."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from tests.model import ShopModel
from tests.support.kpi_items import BESIDE_MEASURES
from tests.support.pipeline import Pipeline
from tests.support.shop import ITEMS_HEADER, ORDERS_HEADER, PRODUCTS_HEADER

Row = dict[str, str]
HEADERS = {"orders": ORDERS_HEADER, "order_items": ITEMS_HEADER, "products": PRODUCTS_HEADER}


def rows_of(kind: str, *texts: str) -> list[Row]:
    names = HEADERS[kind].split(",")
    return [dict(zip(names, text.split(","), strict=True)) for text in texts]


def csv_of(kind: str, rows: Sequence[Mapping[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADERS[kind].split(","), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def run(
    pipeline: Pipeline, model: ShopModel, name: str, batch: Mapping[str, list[Row]]
) -> dict[str, Any]:
    """Put one batch through the pipeline and the model; returns its result document."""
    pipeline.upload_set(
        name, {f"{kind}/{name}.csv": csv_of(kind, rows) for kind, rows in batch.items()}
    )
    model.apply(**batch)
    closed = pipeline.batch_of(f"{next(iter(batch))}/{name}.csv")
    assert closed["status"] == "COMPLETED", closed
    return pipeline.result(closed["batch_id"])


def assert_kpis_equal(pipeline: Pipeline, model: ShopModel) -> None:
    def measures(item: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in item.items() if name not in BESIDE_MEASURES}

    orders = [measures(item) for _, item in sorted(pipeline.order_kpis().items())]
    categories = sorted(
        (measures(item) for item in pipeline.category_kpis().values()),
        key=lambda item: (item["order_date"], item["category"]),
    )
    assert orders == model.order_kpis()
    assert categories == model.category_kpis()
