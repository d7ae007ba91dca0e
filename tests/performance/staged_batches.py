"""Batches whose Parquet is staged already, for any workbench; and the bare KPIs of the same."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest.mock import patch

import duckdb
import pyarrow.parquet as pq

from contracts import layout
from contracts.messages import ObjectRef, TransformBatch
from services.transformer.batch.transform import transform_batch
from services.transformer.engines.duckdb_engine import DuckDBSession
from services.transformer.engines.port import sql_of
from services.transformer.engines.spark_engine import SparkBatch
from services.transformer.facts.catalog import FactsCatalog
from tests.performance.shop_files import ShopFiles
from tests.performance.staging import stage
from tests.support.transforming import (
    DATA_BUCKET,
    Batch,
    LocalInputs,
    Workbench,
    manifest_of,
    report_of,
)

Staged = Mapping[str, Path]
"""Parquet by kind."""

BARE_ORDERS = "create or replace temp view kpi_orders as select * from {orders}"
BARE_LINES = """
create or replace temp view kpi_order_items as
select items.*, orders.order_date, products.category
from {order_items} as items
left join {orders} as orders on orders.order_id = items.order_id
left join {products} as products on products.product_id = items.product_id
"""


def staged(files: ShopFiles, folder: Path) -> Staged:
    """The shop's files through the validator."""
    folder.mkdir(parents=True, exist_ok=True)
    by_kind = {"orders": files.orders, "order_items": files.order_items, "products": files.products}
    for kind, source in by_kind.items():
        check = stage(source, folder / f"{kind}.parquet")
        assert check.quarantined == 0
    return {kind: folder / f"{kind}.parquet" for kind in by_kind}


def bare_kpis(parquet: Staged) -> tuple[list[Any], list[Any]]:
    """DuckDB alone: the KPI statements of the product over the files, nothing else."""
    relations = {kind: f"read_parquet('{path}')" for kind, path in parquet.items()}
    with duckdb.connect(":memory:") as database:
        for view in (BARE_ORDERS, BARE_LINES):
            database.execute(view.format(**relations))
        statements = (sql_of("order_kpis"), sql_of("category_kpis"))
        orders, categories = (database.execute(sql).fetchall() for sql in statements)
    return orders, categories


def put(workbench: Workbench, parquet: Staged) -> TransformBatch:
    """The command for a new batch of these files."""
    batch = Batch([(kind, ()) for kind in parquet])
    manifest = manifest_of(batch)
    reports = {
        file["index"]: _put_file(workbench, batch, file, parquet[file["kind"]])
        for file in manifest["files"]
    }
    ports = workbench.ports
    if isinstance(ports.inputs, LocalInputs):
        ports.inputs.batches[batch.batch_id] = reports
    else:
        for index, report in reports.items():
            key = layout.file_report_key(batch.batch_id, index)
            ports.objects.put_json(DATA_BUCKET, key, report)
    return TransformBatch(
        batch_id=batch.batch_id,
        manifest=ports.objects.put_json(DATA_BUCKET, layout.manifest_key(batch.batch_id), manifest),
        execution_id=f"execution-{batch.batch_id}",
        fence=workbench.fence,
        attempt=0,
    )


def transform(workbench: Workbench, command: TransformBatch) -> dict[str, Any]:
    """From the command to published KPIs; returns the result document."""
    return workbench.result(transform_batch(command, workbench.ports))


def _put_file(
    workbench: Workbench, batch: Batch, file: Mapping[str, Any], path: Path
) -> dict[str, Any]:
    inputs = workbench.ports.inputs
    rows = pq.read_metadata(path).num_rows
    if isinstance(inputs, LocalInputs):
        target = inputs._path(batch.batch_id, file["index"])
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        ref = ObjectRef(bucket=DATA_BUCKET, key=str(target), version_id="v1", sha256="0" * 64)
    else:
        ref = _put_in_s3(inputs._client, batch, file, path)  # type: ignore[attr-defined]
    return report_of(batch, file, rows, ref)


def _put_in_s3(client: Any, batch: Batch, file: Mapping[str, Any], path: Path) -> ObjectRef:
    content = path.read_bytes()
    key = layout.staged_key(batch.batch_id, file["kind"], file["index"])
    version = client.put_object(Bucket=DATA_BUCKET, Key=key, Body=content)["VersionId"]
    sha256 = hashlib.sha256(content).hexdigest()
    return ObjectRef(bucket=DATA_BUCKET, key=key, version_id=version, sha256=sha256)


@contextmanager
def icebergs_share() -> Iterator[list[float]]:
    """Collects the seconds spent in writing and committing facts while an engine transforms."""
    seconds: list[float] = []

    def timed(original: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            started = perf_counter()
            try:
                return original(*arguments, **named)
            finally:
                seconds.append(perf_counter() - started)

        return call

    steps = (
        (FactsCatalog, "fence"),
        (DuckDBSession, "write"),
        (SparkBatch, "write"),
        (FactsCatalog, "publish"),
    )
    with ExitStack() as patches:
        for owner, name in steps:
            original = getattr(owner, name)
            patches.enter_context(patch.object(owner, name, timed(original)))
        yield seconds
