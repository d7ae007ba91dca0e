"""Readers of manifests are made once for each schema, and not for each file.

pyiceberg 0.12 parses the schema in each Avro file's header and builds a reader for it, 2 ms of CPU
for a file of a few hundred bytes. A batch opens some fifty, of a handful of schemas: a fifth of
what a small batch cost. Schemas are frozen models and readers keep no state, so that files and
threads may share them.
"""

import json
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from pyiceberg.avro import file as avro
from pyiceberg.avro.reader import Reader
from pyiceberg.avro.resolver import construct_reader, resolve_reader
from pyiceberg.schema import Schema
from pyiceberg.utils.schema_conversion import AvroSchemaConversion

SCHEMAS_KEPT = 256
"""Texts of headers; those of a table's manifests differ by schema and partition columns only."""

Types = dict[int, Callable[..., Any]]
_written_in_header = avro.AvroFileHeader.get_schema


class Identical:
    """A schema as a key: to hash it by its fields would take as long as making its reader."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identical) and self.schema is other.schema

    def __hash__(self) -> int:
        return id(self.schema)


def share_readers() -> None:
    """From now on, in this process, Avro files of the same schemas are read by the same reader."""
    avro.AvroFileHeader.get_schema = _schema_of
    avro.AvroFile._read_header = lambda file: _header_reader().read(file.decoder)
    avro.resolve_reader = _reader_of


def _schema_of(header: avro.AvroFileHeader) -> Schema:
    text = header.meta.get("avro.schema")
    return _written_in_header(header) if text is None else _parsed(text)


def _reader_of(
    file_schema: Schema, read_schema: Schema, read_types: Types, read_enums: Types
) -> Reader:
    names = (tuple(read_types.items()), tuple(read_enums.items()))
    return _resolved(Identical(file_schema), Identical(read_schema), *names)


@lru_cache(SCHEMAS_KEPT)
def _parsed(text: str) -> Schema:
    return AvroSchemaConversion().avro_to_iceberg(json.loads(text))


@lru_cache(SCHEMAS_KEPT)
def _resolved(file: Identical, read: Identical, types: Any, enums: Any) -> Reader:
    return resolve_reader(file.schema, read.schema, dict(types), dict(enums))


@cache
def _header_reader() -> Reader:
    return construct_reader(avro.META_SCHEMA, {-1: avro.AvroFileHeader})
