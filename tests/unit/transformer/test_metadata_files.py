"""Table metadata is gzipped where the table says so, and read whatever it is."""

import gzip
import json
from pathlib import Path

import pytest

from services.transformer.facts.retention import Expiry
from services.transformer.facts.tables import TABLES
from services.transformer.maintenance.upkeep import expired
from tests.support.transforming import Workbench, a_batch, local_workbench, order

pytestmark = pytest.mark.medium
CODEC = "write.metadata.compression-codec"


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return local_workbench(tmp_path)


def newest(bench: Workbench, name: str) -> Path:
    table = bench.ports.facts._catalog.load_table(("ecommerce", name))
    return Path(table.metadata_location.removeprefix("file://"))


def test_every_table_is_born_with_packed_metadata(bench: Workbench) -> None:
    bench.transform(a_batch([order("1")]))
    for name in TABLES:
        path = newest(bench, name)
        assert path.name.endswith(".gz.metadata.json")
        metadata = json.loads(gzip.decompress(path.read_bytes()))
        assert metadata["properties"][CODEC] == "gzip"


def test_a_table_of_before_goes_on_unpacked_until_an_upkeep_gives_it_the_property(
    bench: Workbench,
) -> None:
    bench.transform(a_batch([order("1")]))
    catalog = bench.ports.facts._catalog
    with catalog.load_table(("ecommerce", "orders")).transaction() as transaction:
        transaction.remove_properties(CODEC)

    older = bench.restarted()
    older.transform(a_batch([order("2")]))
    plain = newest(older, "orders")
    assert not plain.name.endswith(".gz.metadata.json")
    assert json.loads(plain.read_bytes())["current-snapshot-id"]

    expired(catalog.load_table(("ecommerce", "orders")), Expiry())
    later = bench.restarted()
    later.transform(a_batch([order("3")]))
    assert newest(later, "orders").name.endswith(".gz.metadata.json")
    numbers = [int(path.name.split("-")[0]) for path in (plain, newest(later, "orders"))]
    assert numbers == sorted(numbers)
    assert {row["order_id"] for row in later.facts()["orders"]} == {"1", "2", "3"}
