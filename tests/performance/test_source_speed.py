"""An export of one file, read by its source, beside the same shop in the plain folders."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from contracts.sources.shipped import shipped_source
from services.validator.pseudonyms import Pseudonyms
from services.validator.reading.source_check import check_by_source
from services.validator.staged_kinds import StagedKinds
from tests.performance.figures import (
    LINES_PER_ORDER,
    ORDERS,
    figure,
    interleaved,
    keep,
)
from tests.performance.shop_files import ShopFiles, write_shop
from tests.performance.staged_batches import Staged, bare_kpis, put, staged, transform
from tests.performance.staging import KEY, stage
from tests.support.transforming import local_workbench

pytestmark = [pytest.mark.performance, pytest.mark.timeout(3600)]
SOURCE = shipped_source("shopify-orders")


def test_an_export_beside_the_plain_folders(tmp_path: Path) -> None:
    files = write_shop(tmp_path / "csv", ORDERS)
    export = write_export(files, tmp_path / "export.csv")
    plain, by_source = tmp_path / "plain", tmp_path / "by source"
    assert_equal_kpis(staged(files, plain), staged_by_source(export, by_source, files))
    numbers = count()

    def transformed(parquet: Staged) -> None:
        workbench = local_workbench(tmp_path / f"w{next(numbers)}")
        transform(workbench, put(workbench, parquet))

    seconds = interleaved(
        {
            "plain": lambda: staged(files, plain),
            "by source": lambda: staged_by_source(export, by_source, files),
            "plain, all": lambda: transformed(staged(files, plain)),
            "by source, all": lambda: transformed(staged_by_source(export, by_source, files)),
        }
    )
    figures = [
        figure(what, seconds[way], "the same in the plain folders", seconds[beside], at_most=limit)
        for what, way, beside, limit in (
            ("validate + stage an export", "by source", "plain", None),
            ("validate, stage and transform it", "by source, all", "plain, all", 2.0),
        )
    ]
    keep("sources", figures, orders=ORDERS, order_items=LINES_PER_ORDER * ORDERS)


def write_export(files: ShopFiles, path: Path) -> Path:
    """The shop as Shopify exports it: a row for each line, the order's fields on its first."""
    orders, items = (
        pa_csv.read_csv(each, convert_options=TEXTS) for each in (files.orders, files.order_items)
    )
    is_first = pa.array([n % LINES_PER_ORDER == 0 for n in range(items.num_rows)])
    of_order = pc.divide(pa.array(range(items.num_rows)), LINES_PER_ORDER)

    def on_the_first(column: str) -> pa.Array:
        return pc.if_else(is_first, orders[column].combine_chunks().take(of_order), "")

    days = orders["order_date"].combine_chunks().take(of_order)
    columns = {
        "Name": items["order_id"],
        "Email": on_the_first("user_id"),
        "Financial Status": on_the_first("status"),
        "Currency": pc.if_else(is_first, "EUR", ""),
        "Total": on_the_first("total_amount"),
        "Created at": pc.binary_join_element_wise(days, "12:30:00 +0200", " "),
        "Lineitem quantity": items["quantity"],
        "Lineitem name": items["product_id"],
        "Lineitem price": items["unit_price"],
        "Lineitem sku": items["product_id"],
        "Payment Method": pc.if_else(is_first, "card", ""),
        "Lineitem discount": pa.repeat("0.00", items.num_rows),
    }
    options = pa_csv.WriteOptions(include_header=False, quoting_style="none")
    with path.open("wb") as sink:
        sink.write(",".join(columns).encode() + b"\n")
        pa_csv.write_csv(pa.table(columns), sink, options)
    return path


TEXTS = pa_csv.ConvertOptions(
    column_types={
        name: pa.string()
        for name in ("order_id", "user_id", "order_date", "total_amount", "status",
                     "product_id", "quantity", "unit_price")
    }
)  # fmt: skip


def staged_by_source(export: Path, folder: Path, files: ShopFiles) -> Staged:
    """The export through the validator, and the shop's products from the plain folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with StagedKinds(folder, SOURCE.kinds, Pseudonyms(KEY), by_source=True) as kinds:
        check = check_by_source(
            lambda: export.open("rb"),
            SOURCE,
            name=export.name,
            today=datetime.now(UTC).date(),
            max_rejected_fraction=0.2,
            on_accepted=kinds.write,
            on_quarantined=lambda _: None,
        )
        kinds.finish(check)
    assert (check.rule, check.quarantined) == (None, 0), check.reason
    stage(files.products, folder / "products.parquet")
    return {kind: folder / f"{kind}.parquet" for kind in (*SOURCE.kinds, "products")}


def assert_equal_kpis(plain: Mapping[str, Path], by_source: Mapping[str, Path]) -> None:
    """Neither way may do less."""
    for kind in plain:
        rows = [pq.read_metadata(each[kind]).num_rows for each in (plain, by_source)]
        assert rows[0] == rows[1], kind
    assert [sorted(kpis) for kpis in bare_kpis(plain)] == [
        sorted(kpis) for kpis in bare_kpis(by_source)
    ]
