"""The lookups of a source as tables of the database that shapes its rows."""

import duckdb
import pyarrow as pa

from contracts.errors import DataRejected
from contracts.sources.faults import quoted
from contracts.sources.model import Lookup, Source
from services.runtime.sources.cells import cells
from services.runtime.sources.scope import Columns
from services.runtime.sources.statement import lookup_table


def add_lookup(
    connection: duckdb.DuckDBPyConnection, source: Source, lookup: Lookup, table: pa.Table | None
) -> None:
    """Raises DataRejected when the file is missing, lacks a column, or contradicts itself."""
    label = f"lookup {lookup.name} of source {source.label}"
    if table is None:
        raise DataRejected(f"the file of {label} is not there")
    header = Columns(tuple(table.column_names))
    places = []
    for column in (lookup.key, lookup.value):
        place = 0 if column is None else header.find(column)
        if place is None:
            raise DataRejected(
                f"the file of {label} has no column {quoted(str(column))}; "
                f"it has {', '.join(map(quoted, table.column_names[:20]))}"
            )
        places.append(place)
    missing = source.file.missing
    key, value = (cells(table.column(place), missing) for place in places)
    connection.register("looked_up", pa.table({"k": key, "v": value}))
    name = lookup_table(lookup.name)
    connection.execute(
        f"CREATE TEMP TABLE {name} AS SELECT k, min(v) AS v, count(DISTINCT v) AS meanings "
        "FROM looked_up WHERE k IS NOT NULL GROUP BY k"
    )
    connection.unregister("looked_up")
    if lookup.value is not None:
        found = connection.execute(
            f"SELECT k FROM {name} WHERE meanings > 1 ORDER BY k LIMIT 1"
        ).fetchone()
        if found:
            raise DataRejected(
                f"the file of {label} says several things of {quoted(found[0])}; keep one"
            )
