"""Threads that filter manifests at once each see the bounds of their own."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.expressions import visitors
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.schema import Schema
from pyiceberg.table.update.snapshot import _SnapshotProducer
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import LongType, NestedField

from services.transformer.facts.manifest_filters import filter_one_at_a_time
from tests.support.local_catalog import LocalCatalog

BOTH_ARE_IN_SECONDS = 0.5


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    was = _SnapshotProducer._build_manifest_evaluator
    yield
    _SnapshotProducer._build_manifest_evaluator = was


def of_two_manifests(folder: Path) -> Any:
    catalog = LocalCatalog(folder)
    table = catalog.create_table("facts.days", Schema(NestedField(1, "day", LongType())))
    with table.update_spec() as spec:
        spec.add_field("day", IdentityTransform())
    table = catalog.load_table("facts.days")
    for day in (1, 2):
        table.append(pa.table({"day": [day]}))
    return catalog.load_table("facts.days")


def test_two_manifests_at_once_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, io = of_two_manifests(tmp_path), PyArrowFileIO()
    manifests = table.current_snapshot().manifests(io)
    [gone] = [
        entry.data_file
        for manifest in manifests
        for entry in manifest.fetch_manifest_entry(io)
        if entry.data_file.partition[0] == 1
    ]
    filter_one_at_a_time()
    update = table.transaction().update_snapshot().overwrite()
    update.delete_data_file(gone)
    update._build_delete_files_partition_predicate()
    is_wanted = update._build_manifest_evaluator(table.spec().spec_id)

    both, visit = threading.Barrier(2), visitors.visit

    def slowly(*arguments: Any) -> Any:
        """Each has noted its bounds before either looks at them, where both are let in at once."""
        with suppress(threading.BrokenBarrierError):  # the other waits for this one, as it should
            both.wait(BOTH_ARE_IN_SECONDS)
        return visit(*arguments)

    monkeypatch.setattr(visitors, "visit", slowly)
    with ThreadPoolExecutor(2) as threads:
        found = dict(zip((1, 2), threads.map(is_wanted, sorted_by_day(manifests)), strict=True))
    assert found == {1: True, 2: False}


def sorted_by_day(manifests: list[Any]) -> list[Any]:
    return sorted(manifests, key=lambda manifest: manifest.partitions[0].lower_bound)
