"""Publishing orders with other users between two batches, as a batch is published.

Nothing else of a row changes, and no row comes or goes.
"""

from collections.abc import Callable, Collection, Iterator

import pyarrow as pa
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from services.transformer.facts.data_files import rows_in, write_data_files
from services.transformer.maintenance.exclusive_writer import AfterMove, ExclusiveWriter, at_heads

TABLE, COLUMN = "orders", "user_id"
"""The one place in the facts that knows users."""
NewUsers = Callable[[pa.ChunkedArray], pa.Array | pa.ChunkedArray]
"""The user_id column of a file's orders, in their order, to the one that takes its place."""


def publish_with(
    new_users: NewUsers,
    removed: Collection[DataFile],
    writer: ExclusiveWriter,
    after: AfterMove = at_heads,
) -> None:
    """Fence, branch, guarded move; the files `removed` are written again, each for itself.

    Without any the heads move too: the tag that is set then stands between what was before and
    what comes. A second, empty commit follows, for a snapshot lists what it removed with the bounds
    of its columns.
    """
    facts = writer.ports.facts
    facts.fence(writer.heads, writer.epoch, writer.request_id)
    properties = {"batch_id": writer.request_id, "epoch": str(writer.epoch)}
    if removed:
        table = facts.table(TABLE)
        added = [new for file in removed for new in _rewritten(table, file, new_users)]
        facts.replace(TABLE, writer.epoch, list(removed), added, properties)
        facts.leave_behind(TABLE, writer.epoch, properties)
    writer.publish("giving orders other users", after)


def _rewritten(table: Table, file: DataFile, new_users: NewUsers) -> Iterator[DataFile]:
    rows = rows_in(table, [file])
    position = rows.column_names.index(COLUMN)
    field = rows.schema.field(position)
    yield from write_data_files(table, rows.set_column(position, field, new_users(rows[COLUMN])))
