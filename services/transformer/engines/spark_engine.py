"""The reference engine: Spark over the same Iceberg tables and the same SQL.

Spark writes a branch; what makes it count, moving main, is the catalog's, for both engines.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from pyiceberg.manifest import DataFile

from contracts.errors import PipelineError
from services.transformer.engines.port import (
    FILE_COLUMNS,
    BranchWrite,
    EngineName,
    StagedFile,
    branch_of,
    iter_kinds,
    side_by_side,
    sql_for,
)
from services.transformer.engines.spark_session import CATALOG, is_alive, new_session
from services.transformer.engines.spark_settings import shuffle_partitions
from services.transformer.facts.catalog import FactsCatalog
from services.transformer.facts.data_files import FILE_ORDER, data_files, partition_of
from services.transformer.facts.tables import (
    FILE_BYTES,
    INDEX,
    PARTITIONS,
    PLACE,
    READ_AS,
    SCHEMAS,
    STAGED_COLUMNS,
    Everything,
    InFiles,
    OfOrders,
    OnDays,
    Partition,
    Rows,
    Uncategorised,
    file_rows,
)
from services.transformer.settings import Settings

KEPT: Mapping[str, str | None] = {
    "repeated_orders": None,
    "batch_orders": None,
    "batch_products": None,
    "standing_orders": "current_orders",
    "next_orders": None,
    "next_products": "current_products",
    "line_outcomes": None,
    "lines": None,
    "order_totals": None,
    "mentioned_orders": None,
    "recategorised_lines": "uncategorised_lines",
    "gone_orders": "current_orders",
    "gone_order_items": None,
    "written_orders": None,
    "written_order_items": None,
}
"""Relations that several steps read; what they are made of is not worth keeping again.

Some are the batch's own rows, which are kept, while the facts named here have none.
"""

SPARK_TYPES = {
    "string": "string",
    "date32[day]": "date",
    "int64": "bigint",
    "int32": "int",
    "bool": "boolean",
}
_OF_THE_FILE = [f"{name} {SPARK_TYPES[str(kind)]}" for name, kind in FILE_COLUMNS.items()]
PLACE_TYPES = dict(zip(PLACE, ("string", "bigint"), strict=True))
FACTS_TYPES = {"string": "string", "date": "date", "long": "bigint", "boolean": "boolean"}


class SparkEngine:
    """One Spark session, started with the first batch and kept warm."""

    name: EngineName = "spark"

    def __init__(self, facts: FactsCatalog, settings: Settings) -> None:
        self._facts, self._settings = facts, settings
        self._spark: Any = None

    @contextmanager
    def session(self) -> Iterator["SparkBatch"]:
        """Relations that are forgotten, and memory that is freed, with the batch."""
        if self._spark is None or not is_alive(self._spark):
            self._spark = new_session(self._settings)
        batch = SparkBatch(
            self._spark,
            self._facts,
            self._settings.glue_database,
            kept_twice=self._settings.spark_is_elsewhere,
        )
        try:
            yield batch
        finally:
            # A Java that died, of a full heap say, has nothing to free: what killed it is the news.
            if is_alive(self._spark):
                batch.close()


class SparkBatch:
    """Relations as temporary views; those that several steps read stay in memory, or on disk."""

    def __init__(
        self, spark: Any, facts: FactsCatalog, database: str, *, kept_twice: bool = False
    ) -> None:
        """`kept_twice`: by two executors, of which one may die."""
        self._spark, self._facts, self._database = spark, facts, database
        self._kept_twice = kept_twice
        self._views: list[str] = []
        self._empty: set[str] = set()

    def stage(self, batch_id: str, files: Sequence[StagedFile]) -> None:
        """Parquet files are read where they lie; the batch's constants go with each file's name."""
        staged_bytes = sum(file.path.stat().st_size for file in files)
        cores = self._spark.sparkContext.defaultParallelism
        partitions = shuffle_partitions(staged_bytes, cores)
        self._spark.conf.set("spark.sql.shuffle.partitions", str(partitions))
        for kind in STAGED_COLUMNS:
            self._stage_kind(kind, batch_id, list(iter_kinds(files, kind)))

    def load(
        self, relation: str, table: str, columns: Sequence[str], rows: Rows, snapshot_id: int
    ) -> None:
        """The rows at that snapshot; days and ids prune the data files.

        Where the catalog knows that there are none, Spark plans without them from the start.
        """
        files = data_files(self._facts.table(table), snapshot_id, rows)
        if not files:
            self._empty.add(relation)
            self._name(relation, self._nothing(table, columns))
            return
        place = ", _file as data_file, _pos as row_in_file" if PARTITIONS[table].fields else ""
        at_snapshot = f"select *{place} from {self._name_of(table)} version as of {snapshot_id}"
        found = self._chosen(self._spark.sql(at_snapshot), rows, files)
        rows_read = _read_as(_with_later_columns(found, table, columns), columns)
        if table == INDEX:  # as long as the history, and narrow: read twice rather than held
            self._name(relation, rows_read)
        else:
            self._keep(relation, rows_read)

    def total_rows(self, table: str, snapshot_id: int) -> int:
        """As the snapshot's own summary counts them."""
        return self._facts.total_rows({table: snapshot_id})[table]

    def view(self, relation: str, source: str) -> None:
        """A second name of the same view."""
        self._name(relation, self._spark.table(source))

    def run(self, relation: str) -> None:
        """Lazy, but where several steps read it: then it is computed once, now."""
        made = self._spark.sql(sql_for("spark", relation))
        if relation in KEPT and KEPT[relation] not in self._empty:
            self._keep(relation, made)
        else:
            self._name(relation, made)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows as Python values."""
        return [tuple(row) for row in self._spark.sql(sql).collect()]

    def fetch_each(self, *queries: str) -> list[list[tuple[Any, ...]]]:
        """Side by side: most of the time of a small statement is its planning."""
        return side_by_side([partial(self.fetch, query) for query in queries])

    def write(
        self, writes: Sequence[BranchWrite], epoch: int, snapshot_properties: dict[str, str]
    ) -> None:
        """A snapshot per table with what is written, side by side; another without what goes."""
        side_by_side([partial(self._write, each, epoch, snapshot_properties) for each in writes])
        self._facts.refresh()
        heads = self._facts.branch_heads(epoch)
        for write in writes:
            if write.files:
                gone = InFiles(frozenset(write.files))
                files = data_files(self._facts.table(write.table), heads[write.table], gone)
                self._facts.replace(write.table, epoch, files, (), snapshot_properties)

    def close(self) -> None:
        """Drop the views and free what they kept."""
        for view in self._views:
            self._spark.catalog.dropTempView(view)
        context = self._spark.sparkContext._jsc
        for kept in context.getPersistentRDDs():
            # RDD.unpersist does this, and warns each time of what is meant here.
            context.sc().unpersistRDD(kept, False)

    def _stage_kind(self, kind: str, batch_id: str, files: Sequence[StagedFile]) -> None:
        from pyspark.sql import functions as f

        columns = [
            f"{column.name} {SPARK_TYPES[str(column.type)]}" for column in STAGED_COLUMNS[kind]
        ]
        relation = f"staged_{kind}"
        if not files:
            added = ["batch_id string", *_OF_THE_FILE]
            self._name(relation, self._spark.sql(_no_rows_of([*columns, *added])))
            return
        paths = [file.shared_uri or str(file.path) for file in files]
        rows = self._spark.read.schema(", ".join(columns)).parquet(*paths)
        names = STAGED_COLUMNS[kind].names
        if len(files) == 1:
            [file] = files
            constants = _read_as(rows, names)
            for name in FILE_COLUMNS:
                constants = constants.withColumn(name, f.lit(getattr(file, name)))
        else:
            inputs = self._spark.createDataFrame(
                [
                    (file.path.name, *(getattr(file, name) for name in FILE_COLUMNS))
                    for file in files
                ],
                ", ".join(("file_name string", *_OF_THE_FILE)),
            )
            named = rows.select("*", f.col("_metadata.file_name").alias("file_name"))
            joined = named.join(f.broadcast(inputs), "file_name")
            constants = _read_as(joined, [*names, *FILE_COLUMNS])
        self._name(relation, constants.withColumn("batch_id", f.lit(batch_id)))

    def _chosen(self, found: Any, rows: Rows, files: Sequence[DataFile]) -> Any:
        """Such rows. Spark finds their files by days and by bounds of ids, not by their paths."""
        from pyspark.sql import functions as f

        match rows:
            case Everything():
                return found
            case Uncategorised():
                return found.where(f.col("category").isNull())
        on_days = found.where(_on_days({partition_of(file) for file in files}))
        match rows:
            case OfOrders(relation, reach):
                least = min(low for low, _ in reach.values())
                greatest = max(high for _, high in reach.values())
                mentioned = self._spark.table(relation).select("order_id")
                in_reach = on_days.where(f.col("order_id").between(least, greatest))
                return in_reach.join(mentioned, "order_id", "left_semi")
            case InFiles(paths):
                return on_days.where(f.col("data_file").isin(list(paths)))
            case OnDays(_, _, without) if without:
                return on_days.where(~f.col("data_file").isin(list(without)))
        return on_days

    def _nothing(self, table: str, columns: Sequence[str]) -> Any:
        schema = SCHEMAS[table]
        types = [
            f"{name} {PLACE_TYPES.get(name) or FACTS_TYPES[str(schema.find_type(name))]}"
            for name in columns
        ]
        return self._spark.sql(_no_rows_of(types))

    def _write(self, write: BranchWrite, epoch: int, properties: dict[str, str]) -> None:
        from py4j.protocol import Py4JJavaError
        from pyspark.errors import PySparkException

        names = [field.name for field in SCHEMAS[write.table].fields]
        rows = _in_order(self._spark.table(write.relation).select(*names), write.table)
        branch = branch_of(epoch)
        # Required columns hold no null by construction, which Spark cannot see in the SQL. Without
        # fanout one file is open at a time, not one for every day.
        writer = (
            rows.writeTo(f"{self._name_of(write.table)}.branch_{branch}")
            .option("check-nullability", "false")
            .option("fanout-enabled", "false")
            .option("use-table-distribution-and-ordering", "false")
            .option("target-file-size-bytes", str(FILE_BYTES))
        )
        for name, value in properties.items():
            writer = writer.option(f"snapshot-property.{name}", value)
        try:
            if write.files is None:
                writer.overwrite(_all_rows())
            else:
                writer.append()
        except (Py4JJavaError, PySparkException) as error:
            raise self._explained(write.table, branch, error) from error

    def _explained(self, table: str, branch: str, error: Exception) -> PipelineError:
        """A main that has moved is a newer epoch's doing, and so is what became of the branch."""
        self._facts.refresh()
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return PipelineError(f"Spark could not write {self._name_of(table)} {branch}: {lines[0]}")

    def _keep(self, relation: str, frame: Any) -> None:
        """Work it out now and forget how: a statement that reads it plans that no more.

        So nobody can work out again what only one executor had, when that one dies.
        """
        if not self._kept_twice:
            self._name(relation, frame.localCheckpoint())
            return
        from pyspark import StorageLevel

        twice = StorageLevel.MEMORY_AND_DISK_2
        self._name(relation, frame.localCheckpoint(storageLevel=twice))

    def _name(self, relation: str, frame: Any) -> None:
        frame.createOrReplaceTempView(relation)
        self._views.append(relation)

    def _name_of(self, table: str) -> str:
        return f"{CATALOG}.{self._database}.{table}"


def _read_as(frame: Any, columns: Sequence[str]) -> Any:
    return frame.selectExpr(*(READ_AS.get(name, name) for name in columns))


def _with_later_columns(frame: Any, table: str, columns: Sequence[str]) -> Any:
    """A snapshot is shown with the schema that it had; what came later is null in it."""
    from pyspark.sql import functions as f

    for name in columns:
        if name not in frame.columns:
            kind = FACTS_TYPES[str(SCHEMAS[table].find_type(name))]
            frame = frame.withColumn(name, f.lit(None).cast(kind))
    return frame


def _no_rows_of(columns: Sequence[str]) -> str:
    """A query of no rows that the optimiser sees through; columns as `name type`."""
    nulls = ", ".join(
        f"cast(null as {kind}) as {name}" for name, kind in (column.split() for column in columns)
    )
    return f"select {nulls} where false"


def _in_order(rows: Any, table: str) -> Any:
    """Ranges of days and order_ids, sorted by these: files of about as many rows as wanted."""
    if not PARTITIONS[table].fields:
        return rows
    pieces = -(-rows.count() // file_rows(table))
    ranged = rows.repartitionByRange(pieces, *FILE_ORDER) if pieces > 1 else rows.coalesce(1)
    return ranged.sortWithinPartitions(*FILE_ORDER)


def _all_rows() -> Any:
    from pyspark.sql import functions as f

    return f.lit(True)


def _on_days(partitions: Any) -> Any:
    """True for rows of these days; None among them stands for the rows without a day."""
    from pyspark.sql import functions as f

    days: list[Partition] = sorted(day for day in partitions if day is not None)
    on_days = f.col("order_date").isin(days) if days else f.lit(False)
    return on_days | f.col("order_date").isNull() if None in partitions else on_days
