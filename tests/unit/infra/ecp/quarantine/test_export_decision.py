"""What a replay decides on a corrected export, by what quarantine, events and facts hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from contracts.layout import FACTS_DATABASE
from infra.ecp.quarantine import export_replay
from infra.ecp.quarantine.export_replay import ExportReplay, decide_exports, write_export
from infra.ecp.submissions.source_reading import SourceReading
from infra.ecp.terminal.errors import WrongUsage
from services.runtime.quarantine.resolutions import Dismissal, Resolutions
from services.runtime.storage.documents import InMemoryObjectStore
from services.transformer.facts.tables import SCHEMAS
from services.validator.quarantine.current_facts import current_rows, stated_products
from services.validator.quarantine.current_rows import CurrentRow
from services.validator.quarantine.rows import EXPORT, Row
from tests.contract.builders import BATCH, OTHER_BATCH
from tests.support.local_catalog import LocalCatalog
from tests.support.source_files import a_source
from tests.unit.infra.batch_events import an_event
from tests.unit.infra.ecp.quarantine.test_export_replay import reading, rows, saved
from tests.unit.validator.sources.test_validating import KEY, OWN

__all__ = ["reading", "rows"]
LATER = "orders/later.csv"


@dataclass
class Cloud:
    """The events of two batches, the rows of the facts by kind, and what stands of products."""

    rows: list[Row]
    reading: SourceReading
    objects: InMemoryObjectStore = field(default_factory=InMemoryObjectStore)
    events: dict[str, list[Any]] = field(default_factory=dict)
    facts: dict[str, list[CurrentRow]] = field(default_factory=dict)
    products: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    resolutions: Resolutions = field(default_factory=lambda: Resolutions({}))

    def publish(self, batch_id: str, key: str, epoch: int, answers: Any = None) -> None:
        manifest = self.objects.put_json("b", f"{batch_id}.json", {"files": []}).model_dump()
        self.events[batch_id] = [
            an_event("BatchSealed", answers=answers, manifest=manifest),
            an_event("FileValidated", key=key, file_index=0),
            an_event("KpisPublished", epoch=epoch),
        ]

    def read_correlated(self, batch_id: str) -> list[Any]:
        return self.events.get(batch_id, [])

    def found(self, _catalog: Any, _database: str, kind: str, identities: Any) -> Mapping[Any, Any]:
        of_kind = self.facts.get(kind, [])
        return {row.identity: [row] for row in of_kind if row.identity[:1] in identities}

    def decide(self, *paths: Path) -> list[ExportReplay]:
        target: Any = SimpleNamespace(
            client=lambda _: None,
            names=SimpleNamespace(data_bucket="b"),
            event_store=self,
            objects=self.objects,
            facts=None,
        )
        return decide_exports(target, paths)

    def said(self, path: Path) -> list[tuple[str, str | None]]:
        [one] = self.decide(path)
        return [(verdict.state, verdict.message) for verdict in one.verdicts]


@pytest.fixture
def cloud(monkeypatch: Any, rows: list[Row], reading: SourceReading) -> Cloud:
    cloud = Cloud(rows, reading)
    cloud.publish(BATCH, KEY, 5)
    for name, what in {
        "held_exports": lambda _: cloud.rows,
        "read_source": lambda _: cloud.reading.source,
        "reading_of": lambda *_: cloud.reading,
        "current_rows": cloud.found,
        "stated_products": lambda *_: cloud.products,
        "resolutions_in": lambda _: cloud.resolutions,
    }.items():
        monkeypatch.setattr(export_replay, name, what)
    return cloud


@pytest.fixture
def path(tmp_path: Path, rows: list[Row]) -> Path:
    return saved(tmp_path, rows)


@pytest.mark.medium
def test_an_order_that_stands_nowhere_goes_in(cloud: Cloud, path: Path) -> None:
    assert cloud.said(path) == [("fixed", None)] * 2


@pytest.mark.medium
@pytest.mark.parametrize(
    ("kind", "identity"), [("orders", ("2",)), ("order_items", ("2", "A")), ("products", ("A",))]
)
@pytest.mark.parametrize(("epoch", "is_later"), [(6, True), (4, False)])
def test_an_order_that_was_stated_again_since_stays_out(
    cloud: Cloud, path: Path, kind: str, identity: tuple[str, ...], epoch: int, *, is_later: bool
) -> None:
    cloud.publish(OTHER_BATCH, LATER, epoch)
    cloud.facts[kind] = [CurrentRow(identity, OTHER_BATCH, LATER, 3)]
    cloud.products["A"] = ("Cups", "Cup", 100)
    said = cloud.said(path)
    assert {state for state, _ in said} == {"refused" if is_later else "fixed"}
    if is_later:
        assert f"batch {OTHER_BATCH} ({LATER} line 3)" in (said[1][1] or "")


@pytest.mark.medium
def test_an_order_that_was_replayed_may_be_replayed_again(
    cloud: Cloud, path: Path, tmp_path: Path
) -> None:
    [one] = cloud.decide(path)
    file, answered = write_export(one, tmp_path, "first")
    document = {"rows": [each.model_dump() for each in answered]}
    ref = cloud.objects.put_json("b", "answers.json", document)
    cloud.publish(OTHER_BATCH, file.key, 6, ref.model_dump())
    cloud.facts["orders"] = [CurrentRow(("2",), OTHER_BATCH, file.key, 2)]
    cloud.facts["order_items"] = [CurrentRow(("2", "B"), OTHER_BATCH, file.key, 3)]
    assert cloud.said(path) == [("fixed", None)] * 2


@pytest.mark.medium
def test_rows_of_a_batch_that_is_not_published_wait(cloud: Cloud, path: Path) -> None:
    cloud.events.clear()
    assert cloud.said(path) == [("refused", f"batch {BATCH} is not published yet: wait for it")] * 2


@pytest.mark.medium
def test_whoever_replays_what_was_dismissed_is_told(cloud: Cloud, path: Path) -> None:
    dismissal = Dismissal(BATCH, KEY, frozenset({4}), "eve", "no use", "2025-07-08")
    cloud.resolutions = Resolutions({}, [dismissal])
    assert cloud.said(path) == [
        ("fixed", "reopened: eve had dismissed it (no use)"),
        ("fixed", None),
    ]


def test_rows_that_another_version_of_the_source_read_are_refused(cloud: Cloud, path: Path) -> None:
    cloud.rows = [row | {EXPORT: row[EXPORT] | {"source": "my-shop v1"}} for row in cloud.rows]
    with pytest.raises(WrongUsage, match=r"read by my-shop v1, and what is uploaded now .* v2"):
        cloud.decide(path)


def test_single_rows_of_a_source_that_carries_values_down_are_refused(
    cloud: Cloud, path: Path
) -> None:
    head, _, _ = OWN.partition("leave_out")
    own = head.replace("order_lines", "products") + (
        "carried_down: {within: id, columns: [mail]}\nproducts: {product_id: sku}\n"
    )
    cloud.reading = SourceReading(a_source(own), {})
    with pytest.raises(WrongUsage, match="carries values down from rows that are not in"):
        cloud.decide(path)


@pytest.mark.medium
def test_two_files_of_one_source_are_refused(cloud: Cloud, path: Path, tmp_path: Path) -> None:
    other = saved(tmp_path, cloud.rows, "other.csv")
    with pytest.raises(WrongUsage, match="a second file of my-shop"):
        cloud.decide(path, other)


def test_all_lines_of_an_order_are_found_and_what_is_said_of_products(tmp_path: Path) -> None:
    catalog = LocalCatalog(tmp_path)
    assert current_rows(catalog, FACTS_DATABASE, "order_items", {("1",)}) == {}
    assert stated_products(catalog, FACTS_DATABASE, {"A"}) == {}
    where = {"batch_id": BATCH, "source_key": "k", "source_line": 2}
    line = {"quantity": 1, "unit_price_cents": 1}
    for name, found in {
        "order_items": [
            {"order_id": order, "product_id": product} | line | where
            for order, product in (("1", "A"), ("1", "B"), ("2", "A"))
        ],
        "products": [
            {"product_id": product, "category": "C", "name": product, "price_cents": 7} | where
            for product in "AB"
        ],
    }.items():
        table = catalog.create_table(f"ecommerce.{name}", SCHEMAS[name])
        table.append(pa.Table.from_pylist(found, schema=SCHEMAS[name].as_arrow()))
    assert {*current_rows(catalog, FACTS_DATABASE, "order_items", {("1",)})} == {
        ("1", "A"),
        ("1", "B"),
    }
    assert {*current_rows(catalog, FACTS_DATABASE, "order_items", {("1", "A")})} == {("1", "A")}
    assert stated_products(catalog, FACTS_DATABASE, {"B", "X"}) == {"B": ("C", "B", 7)}
