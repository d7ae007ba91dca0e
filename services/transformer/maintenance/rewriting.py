"""Publishing orders with other users between two batches, as a batch is published.

Nothing else of a row changes, and no row comes or goes.
"""

from collections.abc import Callable, Collection, Iterator

import pyarrow as pa
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from services.transformer.facts.data_files import partition_of, write_data_files
from services.transformer.facts.tables import Partition
from services.transformer.maintenance.exclusive_writer import AfterMove, ExclusiveWriter, at_heads
from services.transformer.maintenance.upkeep import rows_of

TABLE, COLUMN = "orders", "user_id"
"""The one place in the facts that knows users."""
NewUsers = Callable[[pa.ChunkedArray], pa.Array | pa.ChunkedArray]
"""The user_id column of a day's orders, in their order, to the one that takes its place."""


def publish_with(
    new_users: NewUsers,
    removed: Collection[DataFile],
    writer: ExclusiveWriter,
    after: AfterMove = at_heads,
) -> None:
    """Fence, branch, guarded move; `removed` are all files of the days that are rewritten.

    Without any the heads move too: the tag that is set then stands between what was before and
    what comes. A second, empty commit follows, for a snapshot lists what it removed with the bounds
    of its columns.
    """
    facts, head = writer.ports.facts, writer.heads[TABLE]
    facts.fence(writer.heads, writer.epoch, writer.request_id)
    properties = {"batch_id": writer.request_id, "epoch": str(writer.epoch)}
    if removed:
        table = facts.table(TABLE)
        days = sorted({partition_of(file) for file in removed}, key=str)
        added = [file for day in days for file in _rewritten(table, head, day, new_users)]
        facts.replace(TABLE, writer.epoch, list(removed), added, properties)
        facts.leave_behind(TABLE, writer.epoch, properties)
    writer.publish("giving orders other users", after)


def _rewritten(table: Table, head: int, day: Partition, new_users: NewUsers) -> Iterator[DataFile]:
    rows = rows_of(table, head, day)
    position = rows.column_names.index(COLUMN)
    field = rows.schema.field(position)
    yield from write_data_files(table, rows.set_column(position, field, new_users(rows[COLUMN])))
