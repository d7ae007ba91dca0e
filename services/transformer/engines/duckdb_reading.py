"""How DuckDB reads data files of the facts: by today's schema, whichever theirs is."""

from collections.abc import Mapping, Sequence

from pyiceberg.manifest import DataFile
from pyiceberg.schema import Schema
from pyiceberg.table import Table

from services.transformer.facts.tables import (
    PLACE,
    READ_AS,
    SCHEMAS,
    OfOrders,
    Rows,
    Uncategorised,
)

TYPES = {"string": "varchar", "long": "bigint", "date": "date", "boolean": "boolean"}
PLACE_TYPES = dict(zip(PLACE, ("varchar", "bigint"), strict=True))


def reading(table: Table, columns: Sequence[str], files: Mapping[str, DataFile], rows: Rows) -> str:
    """The query of such rows in data files, which are given by their paths on this machine.

    Columns are found by their field ids, as Iceberg does; what an older file, or an older table,
    does not have is null. Where a table never had another schema DuckDB is told none: it then
    looks for the rows of a join in the files themselves, which costs a fifth.
    """
    has = table.schema()
    names = (READ_AS.get(name, name) for name in columns)
    lacking = (
        f"cast(null as {_type_of(SCHEMAS[table.name()[-1]], name)}) as {name}"
        for name in SCHEMAS[table.name()[-1]].column_names
        if name not in has.column_names
    )
    is_placed = bool(set(PLACE) & set(columns))
    place: Sequence[str] = ()
    joined = ""
    if is_placed:
        place = ("lying.data_file", "found.file_row_number as row_in_file")
        places = ", ".join(
            f"({_text(path)}, {_text(file.file_path)})" for path, file in files.items()
        )
        joined = f" join (values {places}) as lying(path, data_file) on lying.path = found.filename"
    by_ids = f"schema = {_schema(has)}" if len(table.schemas()) > 1 else "hive_partitioning = false"
    options = ", filename = true, file_row_number = true" if is_placed else ""
    found = (
        f"(from read_parquet([{', '.join(map(_text, files))}], {by_ids}{options})"
        f"{_condition(rows)}) as found"
    )
    every = ", ".join(("found.*", *lacking, *place))
    return f"select {', '.join(names)} from (select {every} from {found}{joined}) as stored"


def no_rows(table: str, columns: Sequence[str]) -> str:
    """A query of these columns that gives nothing."""
    nulls = (f"cast(null as {_type_of(SCHEMAS[table], name)}) as {name}" for name in columns)
    return f"select {', '.join(nulls)} where false"


def _condition(rows: Rows) -> str:
    match rows:
        case OfOrders(relation):
            return f" where order_id in (select order_id from {relation})"
        case Uncategorised():
            return " where category is null"
    return ""


def _schema(schema: Schema) -> str:
    types = {field.name: TYPES[str(field.field_type)] for field in schema.fields}
    fields = (
        f"{field.field_id}: {{name: '{field.name}', type: '{types[field.name]}', "
        "default_value: null}"
        for field in schema.fields
    )
    return f"map {{{', '.join(fields)}}}"


def _type_of(schema: Schema, name: str) -> str:
    return PLACE_TYPES.get(name) or TYPES[str(schema.find_type(name))]


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
