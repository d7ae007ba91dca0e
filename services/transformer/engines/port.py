"""What the batch's steps ask of an engine; the SQL in ../sql is the same for every engine."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import pyarrow as pa

from services.transformer.facts.tables import ORDER_HASH, SCHEMAS, Heads, Rows

EngineName = Literal["duckdb", "spark"]
SQL_FOLDER = Path(__file__).parent.parent / "sql"
HASH_CALL = re.compile(r"order_hash\(([\w.]+)\)")
AT_ONCE = 4
"""Calls made side by side: two tables are written, or statements planned, while one computes."""
T = TypeVar("T")


@dataclass(frozen=True)
class StagedFile:
    """One input's accepted rows, as a Parquet file on this machine.

    `shared_uri` is the same file, by the same name, where all machines of a cluster can read it.
    Files with the same `statement_index` are one statement; a greater one replaces a smaller one.
    An input that gives several kinds is a file of each, with one `file_index`; with `whole_orders`
    it states its orders whole (docs/design.md, Facts and KPIs).
    """

    kind: str
    file_index: int
    source_key: str
    path: Path
    shared_uri: str | None = None
    statement_index: int = -1
    whole_orders: bool = False

    def __post_init__(self) -> None:
        if self.statement_index < 0:
            object.__setattr__(self, "statement_index", self.file_index)


@dataclass(frozen=True)
class BranchWrite:
    """Put a relation's rows in place of these data files of a facts table, on the writer's branch.

    Without any the rows are added; `files`, by their paths, None replaces the whole table.
    """

    table: str
    relation: str
    files: Collection[str] | None


FILE_COLUMNS: Mapping[str, pa.DataType] = {
    "source_key": pa.string(),
    "file_index": pa.int32(),
    "statement_index": pa.int32(),
    "whole_orders": pa.bool_(),
}
"""What every staged row says of its file: attributes of StagedFile."""


class Session(Protocol):
    """Relations by name, for the length of one batch."""

    def stage(self, batch_id: str, files: Sequence[StagedFile]) -> None:
        """Make `staged_<kind>`: rows, their batch_id, and what FILE_COLUMNS says of the file."""

    def load(
        self, relation: str, table: str, columns: Sequence[str], rows: Rows, snapshot_id: int
    ) -> None:
        """Make a relation of a facts table as it stood at a snapshot.

        Among the columns PLACE may be asked for: where each row lies.
        """

    def total_rows(self, table: str, snapshot_id: int) -> int:
        """Rows of a facts table at a snapshot, as the catalog counts them."""

    def view(self, relation: str, source: str) -> None:
        """Give a relation a second name."""

    def run(self, relation: str) -> None:
        """Make a relation by the SQL file of its name."""

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query that gives few of them."""

    def fetch_each(self, *queries: str) -> list[list[tuple[Any, ...]]]:
        """The rows of each query, in their order; an engine may work at them side by side."""

    def write(
        self, writes: Sequence[BranchWrite], epoch: int, snapshot_properties: dict[str, str]
    ) -> None:
        """Commit to branch `e<epoch>` of each table; raises StaleWriter when it moved."""


def load_whole(session: Session, relation: str, table: str, rows: Rows, heads: Heads) -> None:
    """Make a relation of all columns of a facts table."""
    session.load(relation, table, SCHEMAS[table].column_names, rows, heads[table])


class Engine(Protocol):
    """Makes sessions; kept warm between batches."""

    name: EngineName

    def session(self) -> AbstractContextManager[Session]:
        """An empty session; closing it frees what it held."""


@cache
def sql_of(relation: str) -> str:
    """The text of sql/<relation>.sql, without its comment lines."""
    lines = (SQL_FOLDER / f"{relation}.sql").read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("--"))


def sql_for(engine: EngineName, relation: str) -> str:
    """The text as this engine runs it."""
    return HASH_CALL.sub(lambda call: ORDER_HASH[engine].format(call[1]), sql_of(relation))


def side_by_side(calls: Sequence[Callable[[], T]]) -> list[T]:
    """The answers, in order, of calls made in threads; the first failure is raised after all."""
    if len(calls) < 2:
        return [call() for call in calls]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="engine") as threads:
        futures = [threads.submit(call) for call in calls]
    return [future.result() for future in futures]


def branch_of(epoch: int) -> str:
    """The branch that a writer epoch writes to."""
    return f"e{epoch}"


def iter_kinds(files: Sequence[StagedFile], kind: str) -> Iterator[StagedFile]:
    """The files of one kind, in manifest order."""
    return iter(sorted((f for f in files if f.kind == kind), key=lambda f: f.file_index))
