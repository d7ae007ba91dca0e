"""The facts as a reader sees them: no table is made, no epoch raised, nothing written."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import islice

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table

from contracts.errors import PipelineError
from contracts.layout import KINDS
from services.transformer.batch.kpis import CategoryDay, OrderDay
from services.transformer.batch.merge_plan import kpis_between
from services.transformer.engines.port import Engine
from services.transformer.facts.catalog import FactsCatalog
from services.transformer.facts.data_files import data_files, partition_of
from services.transformer.facts.tables import TABLES, Heads

DATED_TABLES = ("orders", "order_items")
DAYS_AT_ONCE = 92
"""Days whose facts are held in memory at a time."""


class ReadOnlyFacts(FactsCatalog):
    """The facts tables of one Glue database, as they are; call `load` first.

    Facts of before there was an index, or KPI tables, have none until a batch, or `ecp rebuild`,
    makes them.
    """

    def __init__(self, catalog: Catalog, database: str) -> None:
        super().__init__(catalog, database)
        later = [name for name in TABLES if name not in KINDS]
        self.names = (*KINDS, *(n for n in later if catalog.table_exists(f"{database}.{n}")))

    def _load_or_create(self, name: str) -> Table:
        """The table as it is; raises PipelineError when there is none yet."""
        identifier = f"{self._database}.{name}"
        try:
            table = self._catalog.load_table(identifier)
        except NoSuchTableError as error:
            raise PipelineError(
                f"there is no facts table {identifier} yet: nothing was ever published"
            ) from error
        if table.current_snapshot() is None:
            raise PipelineError(f"facts table {identifier} is empty: nothing was published")
        return table


def read_ids(table: Table, column: str, snapshot_id: int) -> Iterator[str]:
    """Every value of an id column at a snapshot, file by file: never all of them at once."""
    scan = table.scan(selected_fields=(column,), snapshot_id=snapshot_id)
    for batch in scan.to_arrow_batch_reader():
        yield from batch.column(0).to_pylist()


def days_with_facts(facts: FactsCatalog, heads: Heads) -> list[date]:
    """Every order_date that has orders or order lines, in order; read from manifests alone."""
    found = {
        partition_of(file)
        for name in DATED_TABLES
        for file in data_files(facts.table(name), heads[name])
    }
    return sorted(day for day in found if day is not None)


def kpis_at(engine: Engine, heads: Heads, days: Sequence[date]) -> list[OrderDay | CategoryDay]:
    """The KPIs of some days as the facts at `heads` give them, by the SQL of every batch."""
    with engine.session() as session:
        change = kpis_between(session, heads, heads, days)
    return [*change.order_days, *change.category_days]


def all_kpis(engine: Engine, facts: FactsCatalog, heads: Heads) -> Iterator[OrderDay | CategoryDay]:
    """Every KPI that the facts at `heads` give, some days at a time."""
    for span in spans(days_with_facts(facts, heads)):
        yield from kpis_at(engine, heads, span)


def spans(days: Sequence[date], at_once: int = DAYS_AT_ONCE) -> Iterator[list[date]]:
    """The days in pieces that fit into memory."""
    rest = iter(days)
    while piece := list(islice(rest, at_once)):
        yield piece
