"""What a batch changed is kept beside its result, by the batch itself, longer than snapshots."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from contracts.errors import ContractViolation, Transient
from contracts.layout import archived_difference_key, difference_key
from contracts.messages import CompareBatch, ObjectRef
from services.transformer.batch.abandon import abandon_batch
from services.transformer.batch.state import history_of
from services.transformer.batch.transform import transform_batch
from services.transformer.engines.duckdb_engine import DuckDBEngine
from services.transformer.facts import retention
from services.transformer.facts.reading import ReadOnlyFacts
from services.transformer.facts.tables import TABLES as FACTS
from services.transformer.history.batch_difference import difference, snapshots_around
from services.transformer.history.comparing import compare_batch
from services.transformer.history.kept_difference import kept_difference
from tests.support.examples import examples
from tests.support.mortality import Process, ProcessDied
from tests.support.questions import answer_to
from tests.support.transforming import (
    DATA_BUCKET,
    Batch,
    Workbench,
    a_batch,
    line,
    local_workbench,
    order,
    product,
)
from tests.unit.transformer.shops import shops

pytestmark = pytest.mark.medium
ARCHIVE = "archive-bucket"
FIRST = a_batch([order("1", user_id="ann")], [line("1", "p1", 2)], [product("p1", "Books")])
SECOND = a_batch([order("1", "2025-07-08"), order("2")], [line("1", "p1", 5), line("2", "p2")])
DOCUMENT_PUT = 17
"""The call that puts the document; after it come the result and the point of no return."""


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return local_workbench(tmp_path)


def by_snapshots(bench: Workbench, batch: Batch) -> Any:
    facts = ReadOnlyFacts(bench.ports.facts._catalog, "ecommerce")
    facts.load(-1)
    around = snapshots_around(facts, batch.batch_id)
    assert around is not None
    return difference(facts, DuckDBEngine(facts), batch.batch_id, around), around


def as_kept(bench: Workbench, batch: Batch, archive: str = "") -> Any:
    result = history_of(batch.batch_id, bench.ports).result
    assert result is not None
    return kept_difference(batch.batch_id, result, bench.ports.objects, archive)


def told(bench: Workbench, batch: Batch) -> dict[str, Any]:
    """The answer of a transformer that knows of an archive."""
    command = CompareBatch(question_id="diff-1", batch_id=batch.batch_id, requested_by="tests")
    return answer_to(bench, lambda *given: compare_batch(*given, ARCHIVE), command)


def objects(bench: Workbench) -> dict[tuple[str, str, str], bytes]:
    return bench.ports.objects.objects  # type: ignore[attr-defined,no-any-return]


def ref_of(bench: Workbench, batch: Batch) -> ObjectRef:
    result = history_of(batch.batch_id, bench.ports).result
    assert result is not None
    return ObjectRef(**bench.ports.objects.get_json(result)["difference"])


def expire_what_was_staged(bench: Workbench) -> None:
    for at in [at for at in objects(bench) if at[1].startswith("processing/")]:
        del objects(bench)[at]


def drop_older_snapshots(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "KEPT_BATCHES", 1)
    for number in range(2):
        bench.transform(a_batch([order(f"9{number}")]))


@settings(
    derandomize=True,
    max_examples=examples(12),
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(shops)
def test_of_any_batch_it_is_what_the_snapshots_give(shop: list[Batch]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = local_workbench(Path(folder))
        for batch in shop:
            bench.transform(batch)
            assert as_kept(bench, batch) == by_snapshots(bench, batch)


def test_it_names_no_order_and_no_user(bench: Workbench) -> None:
    bench.transform(a_batch([order("order-17", user_id="ann")], [line("order-17", "sku-4")]))
    [text] = [body.decode() for at, body in objects(bench).items() if "difference" in at[1]]
    [row] = bench.facts()["orders"]
    assert [each for each in ("order-17", "sku-4", row["user_id"]) if each in text] == []
    assert json.loads(text)["days"][0]["orders_added"] == 1


def test_a_store_that_does_not_answer_is_no_document_that_is_gone(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.transform(FIRST)

    def answers_late(_: ObjectRef) -> Any:
        raise Transient("slow down")

    result = history_of(FIRST.batch_id, bench.ports).result
    assert result is not None
    monkeypatch.setattr(bench.ports.objects, "get_json", answers_late)
    with pytest.raises(Transient, match="slow down"):
        kept_difference(FIRST.batch_id, result, bench.ports.objects, "")


def test_a_batch_whose_snapshots_are_gone_is_told_by_it(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for batch in (FIRST, SECOND):
        bench.transform(batch)
    before = told(bench, SECOND)
    drop_older_snapshots(bench, monkeypatch)
    table = bench.ports.facts._catalog.load_table(("ecommerce", "orders"))
    assert f"batch-{SECOND.batch_id}" not in table.refs()
    after = told(bench, SECOND)
    assert {**after, "compared_at": before["compared_at"]} == before
    assert before["kpis"]


def test_the_archives_copy_is_read_when_what_was_staged_has_expired(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for batch in (FIRST, SECOND):
        bench.transform(batch)
    before, ref = told(bench, SECOND), ref_of(bench, SECOND)
    document = bench.ports.objects.get_json(ref)
    bench.ports.objects.put_json(ARCHIVE, archived_difference_key(SECOND.batch_id), document)
    drop_older_snapshots(bench, monkeypatch)
    expire_what_was_staged(bench)
    assert told(bench, SECOND)["kpis"] == before["kpis"]
    assert told(bench, FIRST)["missing"].startswith("what it changed is told no longer")


def test_a_batch_of_before_it_was_kept_is_compared_by_its_snapshots(bench: Workbench) -> None:
    for batch in (FIRST, SECOND):
        bench.transform(batch)
    before = told(bench, SECOND)
    expire_what_was_staged(bench)
    after = told(bench, SECOND)
    assert (after["days"], after["kpis"]) == (before["days"], before["kpis"])


def test_one_that_is_not_what_was_written_is_no_answer(bench: Workbench) -> None:
    bench.transform(FIRST)
    ref = ref_of(bench, FIRST)
    objects(bench)[ref.bucket, ref.key, ref.version_id] = b"{}"
    with pytest.raises(ContractViolation, match="not what was written"):
        told(bench, FIRST)


def test_of_several_attempts_the_result_names_the_one_of_the_batch(bench: Workbench) -> None:
    """An attempt dies when it has put the document; the next one puts its own."""
    bench.transform(FIRST)
    command = bench.stage(SECOND)
    with pytest.raises(ProcessDied):
        transform_batch(command, bench.through(Process(dies_before=DOCUMENT_PUT + 1)).ports)
    key = difference_key(SECOND.batch_id)
    assert [at[:2] for at in objects(bench)][-1] == (DATA_BUCKET, key)
    assert told(bench, SECOND)["missing"] == "it is not published: it has changed nothing"

    again = bench.restarted()
    transform_batch(command, again.ports)

    assert len([at for at in objects(again) if at[1] == key]) == 2
    assert bench.ports.objects.get_json(ref_of(again, SECOND))["epoch"] == again.state().epoch
    assert as_kept(again, SECOND) == by_snapshots(again, SECOND)


def test_a_batch_that_was_given_up_leaves_a_document_that_nobody_is_told(bench: Workbench) -> None:
    command = bench.stage(FIRST)
    with pytest.raises(ProcessDied):
        transform_batch(command, bench.through(Process(dies_before=DOCUMENT_PUT + 1)).ports)
    abandon_batch(bench.abandoning(command), bench.restarted().ports)
    assert told(bench, FIRST)["missing"] == "it is not published: it has changed nothing"


def test_whoever_finishes_a_publication_finds_the_document_there(bench: Workbench) -> None:
    bench.transform(FIRST)
    with pytest.raises(ProcessDied):
        transform_batch(bench.stage(SECOND), bench.through(Process(dies_before=22)).ports)
    bench.restarted(fence=2).transform(a_batch([order("4")]))
    assert bench.events(SECOND.batch_id)[-1] == "KpisPublished"
    assert as_kept(bench, SECOND) == by_snapshots(bench, SECOND)


def test_batch_after_batch_metadata_is_bounded_in_every_table(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "KEPT_BATCHES", 3)
    batches = [a_batch([order(str(number))], [line(str(number))]) for number in range(8)]
    for batch in batches:
        bench.transform(batch)
    for name in FACTS:
        metadata = bench.ports.facts._catalog.load_table(("ecommerce", name)).metadata
        assert {each for each in metadata.refs if each.startswith("batch-")} == {
            f"batch-{batch.batch_id}" for batch in batches[-4:]
        }
        assert len(metadata.snapshots) <= 5
    assert all(told(bench, batch)["kpis"] for batch in batches)
