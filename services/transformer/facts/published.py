"""The facts as they were last published, for whoever looks and changes nothing."""

from collections.abc import Callable, Iterable
from functools import cached_property

from pyiceberg.catalog import Catalog

from services.transformer.batch.domain import TransformerState, as_text
from services.transformer.engines.duckdb_engine import DuckDBEngine
from services.transformer.facts.reading import ReadOnlyFacts
from services.transformer.facts.retention import snapshot_of


class PublishedFacts:
    """One look: `state` says who may write and what is published, `heads` its snapshots.

    Raises PipelineError when nothing was ever published.
    """

    def __init__(
        self, catalog: Catalog, database: str, read_state: Callable[[], TransformerState]
    ) -> None:
        self.facts = ReadOnlyFacts(catalog, database)
        self.read_state = read_state
        self.state = read_state()
        self.heads = self.state.standing(self.facts.load(-1))

    @cached_property
    def engine(self) -> DuckDBEngine:
        """The engine that every batch uses, over these tables."""
        return DuckDBEngine(self.facts)

    def snapshot_ids(self, tables: Iterable[str]) -> dict[str, str]:
        """The published snapshot of these tables, as text."""
        return as_text({table: self.heads[table] for table in tables})

    def tagged(self, batch_id: str, table: str) -> str | None:
        """The snapshot that a batch published; None when it is kept no longer."""
        snapshot = snapshot_of(self.facts.table(table).metadata, batch_id)
        return None if snapshot is None else str(snapshot)
