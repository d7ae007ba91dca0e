"""The KPIs of some files alone: the transformer's own SQL over facts that hold nothing yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import duckdb

from services.transformer.batch.merge_plan import plan_merge
from services.transformer.engines.duckdb_engine import DuckDBSession
from services.transformer.engines.duckdb_reading import no_rows
from services.transformer.engines.port import StagedFile
from services.transformer.facts.catalog import FactsCatalog
from services.transformer.facts.local_copies import LocalCopies
from services.transformer.facts.tables import TABLES, Rows


@dataclass(frozen=True)
class FilesKpis:
    """KPI items as they would be published, and order lines whose order is in no file."""

    orders: list[dict[str, Any]]
    categories: list[dict[str, Any]]
    waiting_order_items: int


def kpis_of(files: Sequence[StagedFile]) -> FilesKpis:
    """What staged files come to where nothing was published before."""
    with duckdb.connect(":memory:") as database:
        plan = plan_merge(_NothingYet(database), "test", files, dict.fromkeys(TABLES, 0))
    orders = sorted(plan.kpis.order_days, key=lambda day: day.order_date)
    categories = sorted(plan.kpis.category_days, key=lambda day: (day.order_date, day.category))
    return FilesKpis(
        [day.item() for day in orders],
        [day.item() for day in categories],
        plan.waiting_order_items,
    )


class _NothingYet(DuckDBSession):
    """A session over facts tables without rows, and without a catalog."""

    def __init__(self, database: Any) -> None:
        super().__init__(database, cast("FactsCatalog", None), LocalCopies())

    def total_rows(self, table: str, snapshot_id: int) -> int:  # noqa: ARG002
        """None."""
        return 0

    def load(
        self, relation: str, table: str, columns: Sequence[str], rows: Rows, snapshot_id: int
    ) -> None:
        """No rows of these columns."""
        del rows, snapshot_id
        self._database.execute(f"create temp view {relation} as {no_rows(table, columns)}")
