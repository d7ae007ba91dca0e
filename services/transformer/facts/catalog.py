"""Facts and KPIs in the Glue catalog, by pyiceberg: tables, fence, branch, guarded move, rollback.

Both engines publish through here. A writer epoch loads the tables, raises the epoch on
TransformerState, and only then commits its fence on the mains that it loaded: whoever raised
the epoch later has moved them, and the older writer's commit fails (docs/design.md, Lock).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError, TableAlreadyExistsError
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.update import (
    AssertRefSnapshotId,
    AssertTableUUID,
    RemoveSnapshotRefUpdate,
    RemoveSnapshotsUpdate,
    SetSnapshotRefUpdate,
    TableUpdate,
)
from pyiceberg.table.update.snapshot import ManageSnapshots

from contracts.errors import PipelineError, StaleWriter
from services.transformer.engines.port import branch_of
from services.transformer.facts.avro_readers import share_readers
from services.transformer.facts.manifest_filters import filter_one_at_a_time
from services.transformer.facts.metadata_files import compress_metadata
from services.transformer.facts.retention import Expiry, Kept, kept_tags, superseded, tag_of
from services.transformer.facts.shared_history import share_history
from services.transformer.facts.tables import (
    FACTS,
    KPI_TABLES,
    PARTITIONS,
    PROPERTIES,
    SCHEMAS,
    TABLES,
    Heads,
)

T = TypeVar("T")


class FactsCatalog:
    """The Iceberg tables of one Glue database, with their metadata kept between batches."""

    names = TABLES

    def __init__(self, catalog: Catalog, database: str) -> None:
        share_history()
        share_readers()
        filter_one_at_a_time()
        compress_metadata()
        self._catalog, self._database = catalog, database
        self._tables: dict[str, Table] = {}
        self._epoch: int | None = None
        self._fences: Heads = {}
        self._threads = ThreadPoolExecutor(max_workers=len(TABLES), thread_name_prefix="facts")

    def load(self, epoch: int) -> Heads:
        """Where the mains stand; makes missing tables. Call it before the epoch is raised.

        `epoch` is the one that TransformerState held: when it is still the one that we wrote
        with, nobody else has written since and the metadata in hand is current.
        """
        if self._epoch != epoch or not self._tables:
            self._epoch = None
            self._tables = self._on_each(self._load_or_create)
        return {name: _main_of(table) for name, table in self._tables.items()}

    def fence(self, heads: Heads, epoch: int, batch_id: str) -> None:
        """Put the mains back to `heads`, an empty snapshot on top, and branch `e<epoch>` from it.

        Undoes what any unfinished batch left (mains, tags, branches). Raises StaleWriter when a
        main has moved since `load`.
        """
        properties = {"batch_id": batch_id, "epoch": str(epoch)}
        self._fences = self._on_each(lambda name: self._fence(name, heads[name], epoch, properties))
        self._epoch = epoch

    def table(self, name: str) -> Table:
        """The table's metadata as this writer last saw or wrote it."""
        return self._tables[name]

    def replace(
        self,
        name: str,
        epoch: int,
        removed: Sequence[DataFile],
        added: Sequence[DataFile],
        properties: dict[str, str],
    ) -> None:
        """Commit one snapshot to branch `e<epoch>` that swaps data files."""

        def commit() -> None:
            transaction = self._tables[name].transaction()
            update = transaction.update_snapshot(
                snapshot_properties=properties, branch=branch_of(epoch)
            )
            # Only where files go are manifests read.
            with update.overwrite() if removed else update.fast_append() as snapshot:
                for data_file in removed:
                    snapshot.delete_data_file(data_file)
                for data_file in added:
                    snapshot.append_data_file(data_file)
            transaction.commit_transaction()

        self._guarded(name, commit)

    def leave_behind(self, name: str, epoch: int, properties: dict[str, str]) -> None:
        """Commit an empty snapshot to branch `e<epoch>`: without what the one before it removed.

        A snapshot lists the files that it took away, with the bounds of their columns.
        """

        def commit() -> None:
            transaction = self._tables[name].transaction()
            update = transaction.update_snapshot(
                snapshot_properties=properties, branch=branch_of(epoch)
            )
            update.merge_append().commit()
            transaction.commit_transaction()

        self._guarded(name, commit)

    def refresh(self) -> None:
        """Read the metadata again, after an engine that commits by itself wrote the branches.

        Raises StaleWriter when a main has moved from this writer's fence: what was read then is
        somebody else's, and nothing may be concluded from it.
        """
        self._on_each(self._refresh)

    def total_rows(self, heads: Heads) -> dict[str, int]:
        """Rows of each table at a snapshot, as the snapshot's own summary counts them."""
        return {
            name: _total_records(self._tables[name], snapshot_id)
            for name, snapshot_id in heads.items()
        }

    def writer_of(self, name: str, snapshot_id: int) -> str | None:
        """The epoch that made a snapshot of a table; None for the one that it was born with."""
        snapshot = self._tables[name].snapshot_by_id(snapshot_id)
        if snapshot is None or snapshot.summary is None:
            raise PipelineError(f"table {name} has no snapshot {snapshot_id}")
        epoch: str | None = snapshot.summary.additional_properties.get("epoch")
        return epoch

    def branch_heads(self, epoch: int) -> Heads:
        """Where branch `e<epoch>` of each table stands."""
        branch = branch_of(epoch)
        return {name: table.refs()[branch].snapshot_id for name, table in self._tables.items()}

    def publish(self, epoch: int, batch_id: str | None) -> Heads:
        """Move the main of each facts table to branch `e<epoch>`, tag it and drop the branch.

        Without a batch_id it is not tagged: the same rows lie in other files, and the next
        publication lets the snapshot go.

        One commit a table. The catalog refuses unless main is still the fence; then StaleWriter is
        raised. The fence is the one that was made, not the main in hand: `refresh` may have shown
        us a newer one's. The KPI tables are left for `publish_kpis`; their heads are among those
        that are given, as they will be then.
        """
        heads, branch = self.branch_heads(epoch), branch_of(epoch)
        kept = self._kept_with(heads, batch_id)
        self._on_each(
            lambda name: self._publish(
                name, heads[name], branch, self._fences[name], batch_id, kept
            ),
            FACTS,
        )
        return heads

    def publish_kpis(self, heads: Heads, batch_id: str | None) -> None:
        """Move the main of each KPI table to what is published, wherever that is still to be done.

        `heads` are the published ones, by this epoch or by one before that died. The catalog
        refuses unless main is where it was when it was loaded; then StaleWriter is raised.
        """

        kept = self._kept_with(heads, batch_id)

        def move(name: str) -> None:
            table, head = self._tables[name], heads[name]
            branch, main = _branch_at(table, head), _main_of(table)
            if branch is not None:
                self._publish(name, head, branch, main, batch_id, kept)
            elif main != head:
                raise StaleWriter(f"table {self._database}.{name}: no branch holds {head} any more")

        self._on_each(move, [name for name in KPI_TABLES if name in heads])

    def forget(self) -> None:
        """Drop the metadata in hand, after a failure left it unsure."""
        self._tables, self._epoch, self._fences = {}, None, {}

    def _refresh(self, name: str) -> None:
        table = self._tables[name].refresh()
        if _main_of(table) != self._fences[name]:
            raise StaleWriter(
                f"facts table {self._database}.{name}: main has moved from this writer's fence; "
                "it must begin again with a new epoch"
            )

    def _fence(self, name: str, head: int, epoch: int, properties: dict[str, str]) -> int:
        table = self._tables[name]

        def commit() -> int:
            # The first requirement on a ref is the one that a transaction keeps: main as loaded.
            transaction = table.transaction()
            if _main_of(table) != head:
                ManageSnapshots(transaction).set_current_snapshot(snapshot_id=head).commit()
            update = transaction.update_snapshot(snapshot_properties=properties)
            update.merge_append().commit()
            fence = transaction.table_metadata.current_snapshot_id
            if fence is None:
                raise PipelineError(f"facts table {name}: the fence made no snapshot")
            refs = ManageSnapshots(transaction)
            for tag in _unpublished_refs(table, head):
                refs.remove_tag(tag)
            refs.create_branch(fence, branch_of(epoch)).commit()
            transaction.commit_transaction()
            return int(fence)

        return self._guarded(name, commit)

    def _kept_with(self, heads: Heads, batch_id: str | None) -> Kept:
        """What stays beside a batch, if one is published.

        By the orders' snapshot alone, whoever publishes, and when.
        """
        orders = self._tables["orders"].metadata
        newest = orders.snapshot_by_id(heads["orders"])
        if newest is None:
            raise PipelineError(f"table {self._database}.orders has no snapshot {heads['orders']}")
        now = datetime.fromtimestamp(newest.timestamp_ms / 1000, UTC)
        return kept_tags(orders, now, tag_of(batch_id) if batch_id else None)

    def _publish(
        self, name: str, target: int, branch: str, main: int, batch_id: str | None, kept: Kept
    ) -> None:
        table = self._tables[name]
        updates: tuple[TableUpdate, ...] = (
            SetSnapshotRefUpdate(
                ref_name=MAIN_BRANCH, type=SnapshotRefType.BRANCH, snapshot_id=target
            ),
            *_tagging(batch_id, target),
            RemoveSnapshotRefUpdate(ref_name=branch),
            *updates_of(superseded(table.metadata, target, branch, kept)),
        )
        requirements = (
            AssertTableUUID(uuid=table.metadata.table_uuid),
            AssertRefSnapshotId(ref=MAIN_BRANCH, snapshot_id=main),
            AssertRefSnapshotId(ref=branch, snapshot_id=target),
        )

        def commit() -> None:
            answer = self._catalog.commit_table(table, requirements, updates)
            self._tables[name] = Table(
                identifier=table.name(),
                metadata=answer.metadata,
                metadata_location=answer.metadata_location,
                io=table.io,
                catalog=self._catalog,
            )

        self._guarded(name, commit)

    def _guarded(self, name: str, commit: Callable[[], T]) -> T:
        try:
            return commit()
        except CommitFailedException as error:
            raise StaleWriter(
                f"facts table {self._database}.{name}: another writer has committed since this "
                f"one began ({error}); it must begin again with a new epoch"
            ) from error

    def _load_or_create(self, name: str) -> Table:
        """A table is born with an empty snapshot, so that there is always one to go back to."""
        identifier = f"{self._database}.{name}"
        try:
            table = self._catalog.load_table(identifier)
        except NoSuchTableError:
            table = self._create(name, identifier)
        if table.current_snapshot() is None:
            transaction = table.transaction()
            transaction.update_snapshot().fast_append().commit()
            try:
                transaction.commit_transaction()
            except CommitFailedException:  # another process, starting too, was faster
                table = self._catalog.load_table(identifier)
        return self._with_todays_columns(name, table)

    def _with_todays_columns(self, name: str, table: Table) -> Table:
        """Add what a table lacks that was made before a column was; its rows have null there.

        No snapshot is made: whoever writes or reads beside us is not disturbed.
        """
        if not lacks_columns(name, table):
            return table
        try:
            with table.update_schema() as update:
                for field in SCHEMAS[name].fields:
                    if field.name not in table.schema().column_names:
                        update.add_column(field.name, field.field_type)
                    elif field.optional and table.schema().find_field(field.name).required:
                        update.make_column_optional(field.name)
        except CommitFailedException:  # another process, starting too, was faster
            return self._catalog.load_table(f"{self._database}.{name}")
        return table

    def _create(self, name: str, identifier: str) -> Table:
        try:
            return self._catalog.create_table(
                identifier,
                schema=SCHEMAS[name],
                partition_spec=PARTITIONS[name],
                properties=PROPERTIES,
            )
        except TableAlreadyExistsError:
            return self._catalog.load_table(identifier)

    def _on_each(
        self, action: Callable[[str], T], names: Sequence[str] | None = None
    ) -> dict[str, T]:
        """Run on all tables, or these, side by side; a failure is raised after all ended."""
        wanted = self.names if names is None else names
        futures = {name: self._threads.submit(action, name) for name in wanted}
        for future in futures.values():
            future.exception()
        return {name: future.result() for name, future in futures.items()}


def _tagging(batch_id: str | None, target: int) -> list[TableUpdate]:
    if batch_id is None:
        return []
    tag = tag_of(batch_id)
    return [SetSnapshotRefUpdate(ref_name=tag, type=SnapshotRefType.TAG, snapshot_id=target)]


def lacks_columns(name: str, table: Table) -> bool:
    """Whether the table was made when its schema had fewer columns, or stricter ones."""
    has = table.schema()
    return any(
        field.name not in has.column_names
        or (field.optional and has.find_field(field.name).required)
        for field in SCHEMAS[name].fields
    )


def _main_of(table: Table) -> int:
    snapshot = table.current_snapshot()
    if snapshot is None:
        raise PipelineError(f"facts table {table.name()} has no snapshot; it was made elsewhere")
    return int(snapshot.snapshot_id)


def _branch_at(table: Table, head: int) -> str | None:
    """The writer's branch that stands at a snapshot."""
    for name, ref in table.refs().items():
        is_branch = ref.snapshot_ref_type == SnapshotRefType.BRANCH and name != MAIN_BRANCH
        if is_branch and ref.snapshot_id == head:
            return str(name)
    return None


def updates_of(expiry: Expiry) -> list[TableUpdate]:
    """Name, drop, and then expire."""
    updates: list[TableUpdate] = [
        SetSnapshotRefUpdate(ref_name=name, type=SnapshotRefType.TAG, snapshot_id=snapshot_id)
        for name, snapshot_id in expiry.named.items()
    ]
    updates += [RemoveSnapshotRefUpdate(ref_name=tag) for tag in expiry.tags]
    if expiry.snapshot_ids:
        updates.append(RemoveSnapshotsUpdate(snapshot_ids=list(expiry.snapshot_ids)))
    return updates


def _total_records(table: Table, snapshot_id: int) -> int:
    snapshot = table.snapshot_by_id(snapshot_id)
    if snapshot is None or snapshot.summary is None:
        raise PipelineError(f"facts table {table.name()} has no snapshot {snapshot_id}")
    return int(snapshot.summary["total-records"] or 0)


def _unpublished_refs(table: Table, head: int) -> list[str]:
    """Tags and branches made after the last published head: all of unfinished writers."""
    published = table.snapshot_by_id(head)
    if published is None:
        raise PipelineError(f"facts table {table.name()} has lost its published snapshot {head}")
    newest = published.sequence_number or 0
    made: list[str] = []
    for ref_name, ref in table.refs().items():
        snapshot = table.snapshot_by_id(ref.snapshot_id)
        if ref_name != MAIN_BRANCH and snapshot and (snapshot.sequence_number or 0) > newest:
            made.append(ref_name)
    return made
