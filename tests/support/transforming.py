"""A transformer to test: batches from CSV-like rows, in memory or on a MiniStack."""

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any, Generic, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from contracts import layout
from contracts.clock import new_event_id, system_clock
from contracts.messages import (
    AbandonBatch,
    BatchManifest,
    FileReport,
    ObjectRef,
    TransformBatch,
)
from services.runtime.event_store import DynamoDBEventStore, InMemoryEventStore
from services.runtime.storage.documents import InMemoryObjectStore, S3ObjectStore
from services.transformer.adapters import S3StagedInputs, engines, glue_catalog, spark_is_here
from services.transformer.batch.domain import STATE_ID, TransformerState
from services.transformer.batch.publication import TableNames
from services.transformer.batch.reconciliation import kinds_of
from services.transformer.batch.state import Ports
from services.transformer.batch.transform import transform_batch
from services.transformer.engines.duckdb_engine import DuckDBEngine
from services.transformer.engines.port import Engine, EngineName, StagedFile
from services.transformer.facts.catalog import FactsCatalog
from services.transformer.facts.tables import INDEX, SCHEMAS, STAGED_COLUMNS
from services.transformer.settings import Settings
from tests.model import File, ShopModel
from tests.support.kpi_items import BESIDE_MEASURES
from tests.support.local_catalog import LocalCatalog
from tests.support.mortality import (
    MortalCatalog,
    MortalObjects,
    MortalStore,
    Process,
    StutteringCatalog,
)

DATA_BUCKET = "ecommerce-data-bucket"
WAREHOUSE_BUCKET = "ecommerce-warehouse-bucket"
TABLES = TableNames("TransformerState", "OrderKPIs", "CategoryKPIs")
KEYS = {
    "TransformerState": ("StateId",),
    "OrderKPIs": ("order_date",),
    "CategoryKPIs": ("category", "order_date"),
}
_numbers = itertools.count(1)
AMOUNTS = (
    "total_amount",
    "total_extra",
    "unit_price",
    "price",
    "line_amount",
    "added_to_total",
)
Row = dict[str, str]
T = TypeVar("T")


def order(
    order_id: str = "1",
    order_date: str = "2025-07-07",
    *,
    user_id: str = "u1",
    total_amount: str = "10.00",
    total_extra: str | None = None,
    status: str = "completed",
) -> Row:
    """An order; with a `total_extra` its total follows its lines and is not stated."""
    total = {"total_amount": total_amount} if total_extra is None else {"total_extra": total_extra}
    return {
        "order_id": order_id,
        "user_id": user_id,
        "order_date": order_date,
        **total,
        "status": status,
    }


def line(
    order_id: str = "1",
    product_id: str = "p1",
    quantity: int = 1,
    unit_price: str = "10.00",
    *,
    line_id: str = "",
    line_amount: str = "",
    added_to_total: str = "",
) -> Row:
    """An order line; the optional columns are there when they say something."""
    optional = {"line_id": line_id, "line_amount": line_amount, "added_to_total": added_to_total}
    return {
        "order_id": order_id,
        "product_id": product_id,
        "quantity": str(quantity),
        "unit_price": unit_price,
        **{name: value for name, value in optional.items() if value},
    }


def product(product_id: str = "p1", category: str = "Books") -> Row:
    return {"product_id": product_id, "category": category, "name": "A thing", "price": "9.99"}


@dataclass(frozen=True)
class Batch:
    """Files of rows, in manifest order, by kind."""

    files: Sequence[tuple[str, Sequence[Row]]]
    quarantined: int = 0
    batch_id: str = field(
        default_factory=lambda: hashlib.sha256(str(next(_numbers)).encode()).hexdigest()[:16]
    )
    pseudonym_check: str | None = None
    currencies: Mapping[int, str] = field(default_factory=dict)
    """By file index, where a file says one."""
    statements: Mapping[int, str] = field(default_factory=dict)
    """By file index: files of the same name are one statement."""
    also: Mapping[int, Mapping[str, Sequence[Row]]] = field(default_factory=dict)
    """By file index: the rows of other kinds that the file gives, by a source."""
    whole: Collection[int] = ()
    """The files that state their orders whole."""

    def rows(self, kind: str) -> list[Row]:
        return [row for each, rows in self.files if each == kind for row in rows]

    def told_to(self, model: ShopModel) -> ShopModel:
        return model.take(
            [
                File(kind, rows, self.statements.get(index, str(index)), index in self.whole)
                for index in range(len(self.files))
                for kind, rows in self.given_by(index).items()
            ]
        )

    def given_by(self, index: int) -> dict[str, Sequence[Row]]:
        """The rows of a file by kind, its own kind first."""
        kind, rows = self.files[index]
        return {kind: rows, **self.also.get(index, {})}


def a_batch(
    orders: Sequence[Row] = (), items: Sequence[Row] = (), products: Sequence[Row] = ()
) -> Batch:
    each = (("orders", orders), ("order_items", items), ("products", products))
    return Batch([(kind, rows) for kind, rows in each if rows])


def staged_table(kind: str, rows: Iterable[Row]) -> pa.Table:
    """What the validator would stage: cents, lower-case status, the line that a row starts on."""
    staged = [
        {
            "source_line": number,
            **{name: _staged_value(name, value) for name, value in row.items()},
        }
        for number, row in enumerate(rows, start=2)
    ]
    renamed = [{_staged_name(name): value for name, value in row.items()} for row in staged]
    if kind == "orders":
        for row in renamed:
            if "total_extra_cents" in row:
                row["total_from_lines"] = True
    if kind == "order_items":
        for row in renamed:
            row.setdefault("line_amount_cents", row["quantity"] * row["unit_price_cents"])
    return pa.Table.from_pylist(renamed, schema=STAGED_COLUMNS[kind])


def _staged_name(name: str) -> str:
    return f"{name}_cents" if name in AMOUNTS else name


def _staged_value(name: str, value: str) -> Any:
    match name:
        case _ if name in AMOUNTS:
            return int(Decimal(value) * 100)
        case "user_id" | "line_id":
            return value or None
        case "quantity":
            return int(value)
        case "order_date":
            return date.fromisoformat(value)
        case "status":
            return value.lower()
    return value


def manifest_of(batch: Batch) -> dict[str, Any]:
    return {
        "batch_id": batch.batch_id,
        "bucket": DATA_BUCKET,
        "sealed_at": "2025-07-08T00:00:00.000Z",
        "trigger": "MANUAL",
        "manifest_key": None,
        "files": [
            {
                "index": index,
                "kind": kind,
                "key": f"{kind}/{batch.batch_id}-{index}.csv",
                "version_id": "v1",
                "size_bytes": 1000,
                "etag": "e",
                "sha256": None,
                "duplicate_of": None,
                "statement": batch.statements.get(index),
            }
            for index, (kind, _) in enumerate(batch.files)
        ],
    }


def report_of(
    batch: Batch, file: Mapping[str, Any], rows: int, staged: ObjectRef | None
) -> dict[str, Any]:
    index = file["index"]
    stated = batch.given_by(index).get("orders", ())
    return {
        "batch_id": batch.batch_id,
        "file_index": file["index"],
        "key": file["key"],
        "version_id": file["version_id"],
        "kind": file["kind"],
        "status": "accepted",
        "rule": None,
        "reason": None,
        "rows_in": rows + batch.quarantined,
        "accepted": rows,
        "quarantined": batch.quarantined,
        "guests": sum(row.get("user_id") == "" for row in stated),
        "currency": batch.currencies.get(index),
        "unknown_columns": [],
        "contract": f"{file['kind']} v1",
        "staged": staged.model_dump() if staged else None,
        "quarantined_rows": None,
        "quarantined_file": None,
        "pseudonym_check": batch.pseudonym_check,
        "whole_orders": index in batch.whole,
    }


def source_report_of(
    batch: Batch, file: Mapping[str, Any], staged: Mapping[str, ObjectRef | None]
) -> dict[str, Any]:
    """Of a file that gives several kinds: its own counts are those of its kind."""
    report = report_of(batch, file, len(batch.files[file["index"]][1]), None)
    kinds = [
        {
            "kind": kind,
            "rows_in": len(rows),
            "accepted": len(rows),
            "quarantined": 0,
            "staged": ref.model_dump() if (ref := staged[kind]) else None,
        }
        for kind, rows in batch.given_by(file["index"]).items()
    ]
    return {**report, "kinds": kinds}


def _report(
    batch: Batch, file: Mapping[str, Any], staged: Mapping[str, ObjectRef | None]
) -> dict[str, Any]:
    if file["index"] in batch.also:
        return source_report_of(batch, file, staged)
    rows = batch.files[file["index"]][1]
    return report_of(batch, file, len(rows), staged[file["kind"]])


class LocalInputs:
    """Staged inputs in a folder; like the validator, it stages nothing of a file without rows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.batches: dict[str, dict[int, dict[str, Any]]] = {}

    def stage(self, batch: Batch, manifest: Mapping[str, Any]) -> None:
        reports = {}
        for file in manifest["files"]:
            index, refs = file["index"], {}
            for kind, rows in batch.given_by(index).items():
                path = self._path(batch.batch_id, index, "" if kind == file["kind"] else kind)
                path.parent.mkdir(parents=True, exist_ok=True)
                pq.write_table(staged_table(kind, rows), path, compression="zstd")
                ref = ObjectRef(bucket=DATA_BUCKET, key=str(path), version_id="v1", sha256="0" * 64)
                refs[kind] = ref if rows else None
            reports[index] = _report(batch, file, refs)
        self.batches[batch.batch_id] = reports

    def reports(self, manifest: BatchManifest) -> dict[int, FileReport]:
        documents = self.batches[manifest.batch_id]
        return {index: FileReport.model_validate(each) for index, each in documents.items()}

    @contextmanager
    def fetch(self, reports: Mapping[int, FileReport]) -> Iterator[list[StagedFile]]:
        yield [
            StagedFile(
                found.kind,
                each.file_index,
                each.key,
                Path(found.staged.key),
                whole_orders=each.whole_orders,
            )
            for each in reports.values()
            for found in kinds_of(each)
            if found.staged
        ]

    def _path(self, batch_id: str, index: int, kind: str = "") -> Path:
        return self._folder / batch_id / f"{index:04d}{kind}.parquet"


@dataclass
class Workbench:
    """A transformer, and the ways to feed it and to look at what it made."""

    ports: Ports
    engines_of: Callable[[FactsCatalog], Callable[[EngineName], Engine]]
    fence: int = 1

    def stage(self, batch: Batch) -> TransformBatch:
        """Put manifest, reports and staged rows where the validator would; returns the command."""
        manifest = manifest_of(batch)
        if isinstance(self.ports.inputs, LocalInputs):
            self.ports.inputs.stage(batch, manifest)
        else:
            self._stage_in_s3(batch, manifest)
        ref = self.ports.objects.put_json(
            DATA_BUCKET, layout.manifest_key(batch.batch_id), manifest
        )
        return TransformBatch(
            batch_id=batch.batch_id,
            manifest=ref,
            execution_id=f"execution-{batch.batch_id}",
            fence=self.fence,
            attempt=0,
        )

    def _stage_in_s3(self, batch: Batch, manifest: Mapping[str, Any]) -> None:
        client = self.ports.inputs._client  # type: ignore[attr-defined]
        for file in manifest["files"]:
            refs = {
                kind: self._put_rows(client, batch.batch_id, file["index"], kind, rows)
                for kind, rows in batch.given_by(file["index"]).items()
            }
            report = _report(batch, file, refs)
            client.put_object(
                Bucket=DATA_BUCKET,
                Key=layout.file_report_key(batch.batch_id, file["index"]),
                Body=json.dumps(report).encode(),
            )

    @staticmethod
    def _put_rows(
        client: Any, batch_id: str, index: int, kind: str, rows: Sequence[Row]
    ) -> ObjectRef | None:
        if not rows:
            return None
        sink = pa.BufferOutputStream()
        pq.write_table(staged_table(kind, rows), sink, compression="zstd")
        content = sink.getvalue().to_pybytes()
        key = layout.staged_key(batch_id, kind, index)
        version = client.put_object(Bucket=DATA_BUCKET, Key=key, Body=content)["VersionId"]
        sha256 = hashlib.sha256(content).hexdigest()
        return ObjectRef(bucket=DATA_BUCKET, key=key, version_id=version, sha256=sha256)

    def transform(self, batch: Batch) -> dict[str, Any]:
        """Stage and transform; returns the result document."""
        answer = transform_batch(self.stage(batch), self.ports)
        return self.result(answer)

    def under(self, engine: EngineName) -> "Workbench":
        """The same transformer, told which engine to take."""
        return replace(self, ports=replace(self.ports, wanted_engine=engine))

    def result(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        document: dict[str, Any] = self.ports.objects.get_json(ObjectRef(**answer["result"]))
        return document

    def abandoning(self, command: TransformBatch) -> AbandonBatch:
        return AbandonBatch(
            batch_id=command.batch_id,
            execution_id=command.execution_id,
            fence=command.fence,
            attempt=0,
        )

    def order_kpis(self) -> list[dict[str, Any]]:
        items = map(_measures, self.ports.store.scan(self.ports.tables.order_kpis))
        return sorted(items, key=lambda item: item["order_date"])

    def category_kpis(self) -> list[dict[str, Any]]:
        items = map(_measures, self.ports.store.scan(self.ports.tables.category_kpis))
        return sorted(items, key=lambda item: (item["order_date"], item["category"]))

    def facts(self) -> dict[str, list[dict[str, Any]]]:
        """All rows on main, by table, in a fixed order; of the index what it comes to."""
        fresh = FactsCatalog(self.ports.facts._catalog, self.ports.facts._database)
        fresh.load(-1)
        rows = {name: fresh.table(name).scan().to_arrow().to_pylist() for name in SCHEMAS}
        rows[INDEX] = _summed(rows[INDEX])
        return {name: sorted(found, key=_in_a_fixed_order) for name, found in rows.items()}

    def kpi_tables(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The measures on the mains of the KPI tables, as `order_kpis` and `category_kpis` here."""
        facts = self.facts()
        orders, categories = (
            [_measures({**row, "order_date": str(row["order_date"])}) for row in facts[name]]
            for name in ("order_kpis", "category_kpis")
        )
        return (
            sorted(orders, key=lambda row: row["order_date"]),
            sorted(categories, key=lambda row: (row["order_date"], row["category"])),
        )

    def standing(self) -> tuple[Any, ...]:
        """Facts and KPIs, to be compared."""
        return self.facts(), self.order_kpis(), self.category_kpis()

    def events(self, batch_id: str) -> list[str]:
        """The types of a batch's events."""
        return [event.event_type for event in self.ports.store.read(f"transformation/{batch_id}")]

    def state(self) -> TransformerState:
        key = {"StateId": STATE_ID}
        return TransformerState.from_item(self.ports.store.get_item(self.ports.tables.state, key))

    def kpi_counts(self) -> list[tuple[str, str, int, int]]:
        """As the model says them."""
        store, tables = self.ports.store, self.ports.tables
        orders = [
            ("", item["order_date"], item["total_orders"], item["returned_orders"])
            for item in store.scan(tables.order_kpis)
        ]
        categories = [
            (item["category"], item["order_date"], item["orders"], item["returned_orders"])
            for item in store.scan(tables.category_kpis)
        ]
        return sorted(orders + categories)

    def assert_equals(self, model: ShopModel) -> None:
        assert self.kpi_counts() == model.kpi_counts()
        assert self.order_kpis() == model.order_kpis()
        assert self.category_kpis() == model.category_kpis()
        assert self.kpi_tables() == (model.order_kpis(), model.category_kpis())

    def restarted(self, fence: int | None = None) -> "Workbench":
        """The same stores, seen by a process that has just started, under a lock grant."""
        ports = self.ports
        beside = self._beside(ports.facts._catalog, ports.store, ports.objects)
        return replace(beside, fence=fence or self.fence)

    def forked(self) -> "Workbench":
        """A copy that goes on by itself; only for a workbench in memory."""
        store: Any = InMemoryEventStore(self.ports.clock, new_event_id, KEYS)
        store._streams = deepcopy(self.ports.store._streams)  # type: ignore[attr-defined]
        store._tables = deepcopy(self.ports.store._tables)  # type: ignore[attr-defined]
        objects = InMemoryObjectStore()
        objects.objects = dict(self.ports.objects.objects)  # type: ignore[attr-defined]
        return self._beside(self.ports.facts._catalog.forked(), store, objects)

    def through(self, process: Process) -> "Workbench":
        """The same stores, seen by a process that may die; only for a workbench in memory."""
        return self._beside(
            MortalCatalog(self.ports.facts._catalog, process),
            MortalStore(self.ports.store, process),
            MortalObjects(self.ports.objects, process),
        )

    def stuttering(self, commit: int) -> "Workbench":
        """The same stores, seen by a process whose nth commit to the facts is asked for twice."""
        catalog = StutteringCatalog(self.ports.facts._catalog, commit)
        return self._beside(catalog, self.ports.store, self.ports.objects)

    def _beside(self, catalog: Any, store: Any, objects: Any) -> "Workbench":
        facts = FactsCatalog(catalog, self.ports.facts._database)
        ports = replace(
            self.ports,
            facts=facts,
            store=store,
            objects=objects,
            engine_of=self.engines_of(facts),
        )
        return Workbench(ports, self.engines_of, self.fence)


def _summed(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How many orders of each hash stand on each day."""
    standing: Counter[tuple[int, date]] = Counter()
    for entry in entries:
        standing[entry["order_hash"], entry["order_date"]] += entry["change"]
    return [
        {"order_hash": order_hash, "order_date": day, "change": count}
        for (order_hash, day), count in standing.items()
        if count
    ]


def _in_a_fixed_order(row: Mapping[str, Any]) -> str:
    return str(sorted(row.items(), key=str))


def _measures(item: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in item.items() if k not in BESIDE_MEASURES}


class TickingClock:
    """One millisecond later at each look."""

    def __init__(self) -> None:
        self._now = datetime(2025, 7, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        self._now += timedelta(milliseconds=1)
        return self._now


def local_workbench(folder: Path) -> Workbench:
    """All in memory and on the local disk: no server, no AWS."""
    facts = FactsCatalog(LocalCatalog(folder / "warehouse"), "ecommerce")
    clock = TickingClock()
    ports = Ports(
        store=InMemoryEventStore(clock, new_event_id, KEYS),
        objects=InMemoryObjectStore(),
        inputs=LocalInputs(folder / "staged"),
        facts=facts,
        engine_of=_duckdb_alone(facts),
        spark_is_here=lambda: False,
        clock=clock,
        tables=TABLES,
    )
    return Workbench(ports, _duckdb_alone)


class Remembered(Generic[T]):
    """Stores in memory after a history that is made once; they stand so again whenever asked."""

    def __init__(self, history: Callable[[Workbench], T]) -> None:
        self._home = TemporaryDirectory(prefix="facts-")
        self._bench = local_workbench(Path(self._home.name))
        self.made = history(self._bench)
        files = Path(self._home.name).rglob("*")
        self._files = {path: path.read_bytes() for path in files if path.is_file()}

    def again(self) -> Ports:
        """Of the same places: files that an earlier user of them made or deleted are as before."""
        rmtree(self._home.name)
        for path, content in self._files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return self._bench.forked().ports


def _duckdb_alone(facts: FactsCatalog) -> Callable[[EngineName], Engine]:
    return lambda _: DuckDBEngine(facts)


def cloud_workbench(clients: Mapping[str, Any], settings: Settings) -> Workbench:
    """On a running MiniStack, with the adapters that production has."""
    facts = FactsCatalog(glue_catalog(settings), settings.glue_database)
    ports = Ports(
        store=DynamoDBEventStore(
            clients["dynamodb"], settings.event_store_table, system_clock, new_event_id
        ),
        objects=S3ObjectStore(clients["s3"]),
        inputs=S3StagedInputs(clients["s3"]),
        facts=facts,
        engine_of=engines(settings, facts),
        spark_is_here=spark_is_here,
        clock=system_clock,
        tables=TableNames(
            settings.state_table, settings.order_kpis_table, settings.category_kpis_table
        ),
        wanted_engine=settings.transform_engine,
        spark_threshold_mb=settings.spark_threshold_mb,
    )
    return Workbench(ports, lambda found: engines(settings, found))
