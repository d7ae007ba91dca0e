"""The facts in dictionaries: the promises of FactsCatalog and of the engines, without files.

Held to the real FactsCatalog and to the SQL by tests/simulation/test_facts_stand_in.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from contracts.errors import PipelineError, StaleWriter
from services.transformer.engines.port import EngineName, branch_of
from services.transformer.facts.retention import tag_of
from services.transformer.facts.tables import Heads

FACTS = ("orders", "order_items", "products", "order_days")
KPI_TABLES = ("order_kpis", "category_kpis")
TABLES = FACTS + KPI_TABLES
MAIN = "main"
Rows = Any
"""orders: id -> row; order_items: (order_id, product_id) -> lines; products: id -> category;
order_days: order id -> day; the KPI tables: (day, category or None) -> item."""


@dataclass(frozen=True)
class Snapshot:
    """One state of one table; `number` grows with every commit, `writer` is who made it."""

    snapshot_id: int
    parent_id: int | None
    number: int
    rows: Rows
    count: int
    writer: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table's metadata as somebody saw it."""

    refs: Mapping[str, int]
    snapshots: Mapping[int, Snapshot]

    @property
    def main(self) -> int:
        return self.refs[MAIN]


class Catalog:
    """The tables as they stand; a commit names the refs that must not have moved."""

    def __init__(self) -> None:
        self._ids = itertools.count(1000)
        self.tables: dict[str, Table] = {}
        self.on_main: Callable[[str, Snapshot], None] = lambda _table, _snapshot: None

    def create(self, name: str) -> None:
        """A table is born with an empty snapshot; one that exists stays."""
        if name not in self.tables:
            first = Snapshot(next(self._ids), None, 1, {}, 0)
            self.tables[name] = Table({MAIN: first.snapshot_id}, {first.snapshot_id: first})

    def commit(
        self,
        name: str,
        required: Mapping[str, int | None],
        refs: Mapping[str, int | None],
        added: Snapshot | None = None,
    ) -> Table:
        """Set refs (None removes) if the required ones stand there; raises StaleWriter if not."""
        table = self.tables[name]
        for ref, snapshot_id in required.items():
            if table.refs.get(ref) != snapshot_id:
                raise StaleWriter(
                    f"facts table {name}: {ref} is at {table.refs.get(ref)}, not at {snapshot_id}"
                )
        snapshots = dict(table.snapshots)
        if added is not None:
            snapshots[added.snapshot_id] = added
        standing = {**table.refs, **refs}
        kept = {
            ref: snapshot_id for ref, snapshot_id in standing.items() if snapshot_id is not None
        }
        self.tables[name] = Table(kept, snapshots)
        if kept[MAIN] != table.main:
            self.on_main(name, snapshots[kept[MAIN]])
        return self.tables[name]

    def next_id(self) -> int:
        return next(self._ids)


class SimulatedFacts:
    """FactsCatalog of one process: what it loaded, and commits that hold the catalog to it."""

    def __init__(
        self,
        catalog: Catalog,
        touch: Callable[..., str | None] = lambda *_, **__: None,
        after: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._catalog, self._touch, self._after = catalog, touch, after
        self._tables: dict[str, Table] = {}
        self._epoch: int | None = None

    def load(self, epoch: int) -> Heads:
        if self._epoch != epoch or not self._tables:
            self._epoch = None
            self._touch("catalog load")
            for name in TABLES:
                self._catalog.create(name)
            self._tables = dict(self._catalog.tables)
        return {name: table.main for name, table in self._tables.items()}

    def fence(self, heads: Heads, epoch: int, batch_id: str) -> None:
        writer = {"batch_id": batch_id, "epoch": str(epoch)}
        self._on_each(lambda name: self._fence(name, heads[name], epoch, writer))
        self._epoch = epoch

    def replace_rows(
        self, name: str, epoch: int, rows: Rows, count: int, properties: Mapping[str, str]
    ) -> None:
        """As FactsCatalog.replace: one snapshot on branch `e<epoch>`."""
        table, branch = self._tables[name], branch_of(epoch)
        parent = table.snapshots[table.refs[branch]]
        added = Snapshot(
            self._catalog.next_id(), parent.snapshot_id, parent.number + 1, rows, count, properties
        )
        required = {branch: parent.snapshot_id}
        self._commit("write", name, required, {branch: added.snapshot_id}, added)

    def total_rows(self, heads: Heads) -> dict[str, int]:
        return {name: self.snapshot(name, one).count for name, one in heads.items()}

    def branch_heads(self, epoch: int) -> Heads:
        branch = branch_of(epoch)
        return {name: table.refs[branch] for name, table in self._tables.items()}

    def writer_of(self, name: str, snapshot_id: int) -> str | None:
        return self.snapshot(name, snapshot_id).writer.get("epoch")

    def publish(self, epoch: int, batch_id: str) -> Heads:
        heads = self.branch_heads(epoch)
        self._on_each(
            lambda name: self._publish(name, heads[name], branch_of(epoch), batch_id), FACTS
        )
        return heads

    def publish_kpis(self, heads: Heads, batch_id: str) -> None:
        def move(name: str) -> int:
            refs, head = self._tables[name].refs, heads[name]
            standing = [ref for ref, at in refs.items() if ref.startswith("e") and at == head]
            if standing:
                self._publish(name, head, standing[0], batch_id)
            elif refs[MAIN] != head:
                raise StaleWriter(f"{name}: no branch holds {head}")
            return head

        self._on_each(move, [name for name in KPI_TABLES if name in heads])

    def refresh(self) -> None:
        self._tables = dict(self._catalog.tables)

    def forget(self) -> None:
        self._tables, self._epoch = {}, None

    def snapshot(self, name: str, snapshot_id: int) -> Snapshot:
        """For the engine: a state by its id."""
        found = self._tables[name].snapshots.get(snapshot_id)
        if found is None:
            raise PipelineError(f"facts table {name} has no snapshot {snapshot_id}")
        return found

    def _fence(self, name: str, head: int, epoch: int, writer: Mapping[str, str]) -> int:
        table = self._tables[name]
        below = self.snapshot(name, head)
        newest = max(one.number for one in table.snapshots.values())
        fence = replace(
            below,
            snapshot_id=self._catalog.next_id(),
            parent_id=head,
            number=newest + 1,
            writer=writer,
        )
        dropped: dict[str, int | None] = {
            ref: None
            for ref, snapshot_id in table.refs.items()
            if ref != MAIN and table.snapshots[snapshot_id].number > below.number
        }
        moved = {MAIN: fence.snapshot_id, branch_of(epoch): fence.snapshot_id}
        self._commit("fence", name, {MAIN: table.main}, {**dropped, **moved}, fence)
        return fence.snapshot_id

    def _publish(self, name: str, target: int, branch: str, batch_id: str) -> int:
        table = self._tables[name]
        required = {MAIN: table.main, branch: target}
        refs = {MAIN: target, tag_of(batch_id): target, branch: None}
        self._commit("publish", name, required, refs)
        return target

    def _commit(
        self,
        what: str,
        name: str,
        required: Mapping[str, int | None],
        refs: Mapping[str, int | None],
        added: Snapshot | None = None,
    ) -> None:
        place = f"catalog {what}"
        fault = self._touch(place, "ambiguous")
        self._tables[name] = self._catalog.commit(name, required, refs, added)
        self._after(place)
        if fault == "ambiguous":
            raise PipelineError(f"facts table {name}: nobody knows whether the commit was taken")

    def _on_each(self, action: Callable[[str], int], names: Sequence[str] = TABLES) -> Heads:
        """As the real one: all are tried, then the first failure is raised."""
        done: dict[str, int] = {}
        failures: list[PipelineError] = []
        for name in names:
            try:
                done[name] = action(name)
            except PipelineError as failure:
                failures.append(failure)
        if failures:
            raise failures[0]
        return done


@dataclass(frozen=True)
class Write:
    """A table's new rows; the simulation's BranchWrite."""

    table: str
    rows: Rows
    count: int


class SimulatedSession:
    """What plan_merge reads and writes through."""

    def __init__(self, facts: SimulatedFacts, read: Callable[[str], list[dict[str, str]]]) -> None:
        self._facts, self.read = facts, read

    def rows(self, table: str, heads: Heads) -> Rows:
        return self._facts.snapshot(table, heads[table]).rows

    def write(self, writes: Sequence[Write], epoch: int, properties: Mapping[str, str]) -> None:
        for each in writes:
            self._facts.replace_rows(each.table, epoch, each.rows, each.count, properties)


class SimulatedEngine:
    """Engine port; `read` gives a staged object's rows."""

    name: EngineName = "duckdb"

    def __init__(self, facts: SimulatedFacts, read: Callable[[str], list[dict[str, str]]]) -> None:
        self._facts, self._read = facts, read

    @contextmanager
    def session(self) -> Iterator[SimulatedSession]:
        yield SimulatedSession(self._facts, self._read)
