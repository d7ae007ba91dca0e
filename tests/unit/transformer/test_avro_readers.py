"""Readers of manifests, shared: what they read is what pyiceberg's own read, of any schema."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.avro import file as avro
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.typedef import Record
from pyiceberg.types import DateType, LongType, NestedField, StringType

from services.transformer.facts import avro_readers
from services.transformer.facts.avro_readers import share_readers
from tests.support.local_catalog import LocalCatalog

OWN = (avro.AvroFileHeader.get_schema, avro.AvroFile._read_header, avro.resolve_reader)


def pyiceberg_alone() -> None:
    avro.AvroFileHeader.get_schema, avro.AvroFile._read_header, avro.resolve_reader = OWN


@pytest.fixture(autouse=True)
def as_they_were() -> Iterator[None]:
    was = (avro.AvroFileHeader.get_schema, avro.AvroFile._read_header, avro.resolve_reader)
    yield
    avro.AvroFileHeader.get_schema, avro.AvroFile._read_header, avro.resolve_reader = was


def tables(folder: Path) -> list[Any]:
    """Two of unlike columns, one cut by a text and one by nothing."""
    catalog = LocalCatalog(folder)
    texts = Schema(NestedField(1, "name", StringType()), NestedField(2, "size", LongType()))
    days = Schema(NestedField(1, "day", DateType()))
    by_text = catalog.create_table("facts.texts", texts)
    with by_text.update_spec() as spec:
        spec.add_field("name", IdentityTransform())
    by_text = catalog.load_table("facts.texts")
    for name in ("a", "😀", ""):
        by_text.append(pa.table({"name": [name, name], "size": [1, None]}))
    by_nothing = catalog.create_table("facts.days", days)
    by_nothing.append(pa.table({"day": pa.array([0], pa.date32())}))
    return [catalog.load_table(f"facts.{name}") for name in ("texts", "days")]


def entries_of(table: Any) -> list[Any]:
    io = PyArrowFileIO()
    manifests = table.current_snapshot().manifests(io)
    return [plain(entry) for one in manifests for entry in one.fetch_manifest_entry(io)]


def plain(value: Any) -> Any:
    """Records by their fields, and what is read only when asked for."""
    if isinstance(value, Record):
        return [plain(one) for one in value._data]
    return dict(value) if isinstance(value, Mapping) else value


def test_what_is_read_is_the_same(tmp_path: Path) -> None:
    of_texts, of_days = tables(tmp_path)
    pyiceberg_alone()
    expected = [entries_of(of_texts), entries_of(of_days)]
    assert [len(found) for found in expected] == [3, 1]
    share_readers()
    for _ in range(2):
        assert [entries_of(of_texts), entries_of(of_days)] == expected
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(entries_of, [of_texts, of_days] * 20))
    assert found == expected * 20


def test_a_schema_is_parsed_and_a_reader_made_once(tmp_path: Path) -> None:
    of_texts, _ = tables(tmp_path)
    share_readers()
    entries_of(of_texts)
    made = counted(avro_readers._parsed), counted(avro_readers._resolved)
    for _ in range(5):
        entries_of(of_texts)
    assert (counted(avro_readers._parsed), counted(avro_readers._resolved)) == made


def counted(cached: Callable[..., Any]) -> int:
    return int(cached.cache_info().misses)  # type: ignore[attr-defined]


def test_a_header_without_a_schema_is_refused_as_ever() -> None:
    share_readers()
    with pytest.raises(ValueError, match="No schema found"):
        avro.AvroFileHeader(b"", {}, b"").get_schema()
