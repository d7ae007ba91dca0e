"""What an attempt at a batch does when somebody else was there before it, or comes meanwhile."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.envelope import Message
from contracts.errors import ContractViolation, DataRejected, PipelineError, StaleWriter, Transient
from contracts.layout import result_key
from contracts.messages import TransformBatch
from services.transformer.batch import abandon, settle, transform
from services.transformer.batch.abandon import abandon_batch
from services.transformer.batch.state import change_state
from services.transformer.batch.transform import decide_engine, transform_batch, warm_up
from tests.support.mortality import ProcessDied
from tests.support.transforming import Batch, Workbench, a_batch, line, local_workbench, order

pytestmark = pytest.mark.medium

ABANDONED = {"outcome": "ABANDONED"}


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return local_workbench(tmp_path)


@contextmanager
def at_first(of: object, name: str, deed: Callable[[], object]) -> Iterator[None]:
    """The first call of that function comes after `deed`, which may call it, too."""
    function, calls = getattr(of, name), iter([deed])

    def called(*arguments: Any, **options: Any) -> Any:
        next(calls, lambda: None)()
        return function(*arguments, **options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(of, name, called)
        yield


def with_manifest(bench: Workbench, command: TransformBatch, **changes: Any) -> TransformBatch:
    manifest = bench.ports.objects.get_json(command.manifest) | changes
    changed = {name: value for name, value in manifest.items() if value is not ...}
    ref = bench.ports.objects.put_json("ecommerce-data-bucket", "manifest.json", changed)
    return command.model_copy(update={"manifest": ref})


def dies_while_publishing(bench: Workbench, command: TransformBatch) -> None:
    def dies(*_arguments: object) -> None:
        raise ProcessDied("while publishing")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(settle, "publish_kpis", dies)
        with pytest.raises(ProcessDied):
            transform_batch(command, bench.ports)


@pytest.mark.parametrize(
    ("wanted", "started"), [("spark", ["spark"]), ("auto", []), ("duckdb", [])]
)
def test_a_worker_is_warm_when_the_tables_are_read_and_spark_runs_where_it_is_always_taken(
    bench: Workbench, wanted: str, started: list[str]
) -> None:
    begun: list[str] = []

    class Spark:
        @contextmanager
        def session(self) -> Iterator[None]:
            begun.append("spark")
            yield

    engines: Mapping[str, Any] = {"spark": Spark()}
    bench.transform(a_batch([order("1")]))
    fresh = bench.restarted().ports
    warm_up(replace(fresh, wanted_engine=wanted, engine_of=engines.__getitem__))
    assert begun == started
    assert fresh.facts.table("orders")
    known = fresh.facts._tables
    fresh.facts.load(0)
    assert fresh.facts._tables is not known


def test_a_published_batch_is_told_when_its_staged_rows_are_long_gone(bench: Workbench) -> None:
    command = bench.stage(a_batch([order("1")]))
    published = transform_batch(command, bench.ports)
    bench.ports.inputs.batches.clear()  # type: ignore[attr-defined]
    assert transform_batch(command, bench.ports) == published
    assert published["result"]["key"] == result_key(command.batch_id)


@pytest.mark.parametrize("deed", ["transform", "abandon"])
def test_a_stale_holder_hears_what_becomes_of_its_batch(bench: Workbench, deed: str) -> None:
    command = bench.stage(a_batch([order("1")]))
    dies_while_publishing(bench, command)
    slow, newer = bench.restarted(), bench.restarted(fence=2)
    heard: list[Any] = []

    def ask() -> None:
        try:
            if deed == "transform":
                heard.append(transform_batch(command, slow.ports)["outcome"])
            else:
                heard.append(abandon_batch(slow.abandoning(command), slow.ports)["outcome"])
        except Transient as error:
            heard.extend([type(error), type(error.__cause__)])

    with at_first(settle, "publish_kpis", ask):
        newer.transform(a_batch([order("2")]))
    ask()
    assert heard == [Transient, StaleWriter, "PUBLISHED"]


def test_who_was_overtaken_before_it_began_does_not_begin(bench: Workbench) -> None:
    command = bench.stage(a_batch([order("1")]))
    newer = bench.restarted(fence=2)
    with (
        at_first(bench.ports.inputs, "reports", lambda: newer.transform(a_batch([order("2")]))),
        pytest.raises(StaleWriter, match="lock fence 1 is stale: 2 was seen"),
    ):
        transform_batch(command, bench.ports)
    assert bench.events(command.batch_id) == []


def test_a_batch_given_up_while_its_attempt_began_does_not_begin(bench: Workbench) -> None:
    command = bench.stage(a_batch([order("1")]))
    other = bench.restarted()
    give_up = lambda: abandon_batch(other.abandoning(command), other.ports)  # noqa: E731
    with (
        at_first(bench.ports.inputs, "reports", give_up),
        pytest.raises(StaleWriter, match=f"batch {command.batch_id} was abandoned under"),
    ):
        transform_batch(command, bench.ports)
    assert bench.events(command.batch_id) == ["BatchAbandoned"]


def test_who_was_overtaken_while_it_gave_a_batch_up_undoes_nothing(bench: Workbench) -> None:
    command = bench.stage(a_batch([order("1")]))
    with at_first(transform, "plan_merge", _broken), pytest.raises(PipelineError):
        transform_batch(command, bench.ports)
    newer = bench.restarted(fence=2)
    with (
        at_first(abandon, "_undo", lambda: newer.transform(a_batch([order("2")]))),
        pytest.raises(StaleWriter, match="lock fence 1 is stale: 2 was seen"),
    ):
        abandon_batch(bench.abandoning(command), bench.ports)
    assert bench.events(command.batch_id) == ["TransformStarted"]


@pytest.mark.parametrize("deed", ["publish", "give up"])
def test_what_another_did_while_a_batch_was_given_up_is_the_answer(
    bench: Workbench, deed: str
) -> None:
    command = bench.stage(a_batch([order("1")]))
    with at_first(transform, "plan_merge", _broken), pytest.raises(PipelineError):
        transform_batch(command, bench.ports)
    other, theirs = bench.restarted(), []

    def meanwhile() -> None:
        if deed == "publish":
            theirs.append(transform_batch(command, other.ports))
        else:
            theirs.append(abandon_batch(other.abandoning(command), other.ports))

    with at_first(abandon, "_undo", meanwhile):
        assert [abandon_batch(bench.abandoning(command), bench.ports)] == theirs
    ends = [name for name in bench.events(command.batch_id) if name != "TransformStarted"]
    assert ends == (
        ["FactsPublished", "KpisPublished"] if deed == "publish" else ["BatchAbandoned"]
    )


def test_who_gave_a_batch_up_is_told_so_again_when_others_have_the_lock(bench: Workbench) -> None:
    command = bench.stage(a_batch([order("1")]))
    assert abandon_batch(bench.abandoning(command), bench.ports) == ABANDONED
    bench.restarted(fence=2).transform(a_batch([order("2")]))
    assert abandon_batch(bench.abandoning(command), bench.ports) == ABANDONED


def test_giving_up_fences_the_facts_under_its_own_epoch(bench: Workbench) -> None:
    bench.transform(a_batch([order("1")]))
    heads = bench.state().heads
    command = bench.stage(a_batch([order("2")])).model_copy(update={"attempt": 4})
    with at_first(transform, "plan_merge", _broken), pytest.raises(PipelineError):
        transform_batch(command, bench.ports)
    fenced: list[Any] = []
    fence = bench.ports.facts.fence

    def noted(*arguments: Any) -> None:
        flight = bench.state().in_flight
        assert flight is not None
        fenced.append((*arguments, flight.phase, flight.attempt))
        fence(*arguments)

    undo = bench.abandoning(command).model_copy(update={"attempt": 4})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bench.ports.facts, "fence", noted)
        assert abandon_batch(undo, bench.ports) == ABANDONED
    assert fenced == [(heads, 3, command.batch_id, "ABANDONING", 4)]
    [given_up] = [event for event in stream(bench, command) if event.event_type == "BatchAbandoned"]
    assert (given_up.data.epoch, given_up.data.attempt, given_up.data.fence) == (3, 4, 1)


def test_with_nothing_in_flight_there_is_no_batch_whose_state_to_change(bench: Workbench) -> None:
    bench.transform(a_batch([order("1")]))
    settled = bench.state()
    with pytest.raises(StaleWriter, match="no batch is in flight"):
        change_state(bench.ports, settled, settled, 0)


def test_data_that_is_rejected_once_its_batch_is_being_published_is_published(
    bench: Workbench,
) -> None:
    command = bench.stage(a_batch([order("1")]))
    other = bench.restarted()

    def rejects() -> None:
        dies_while_publishing(other, command)
        raise DataRejected("these rows cannot be published")

    with at_first(transform, "plan_merge", rejects):
        assert transform_batch(command, bench.ports)["outcome"] == "PUBLISHED"
    assert len(bench.order_kpis()) == 1


def test_a_batch_is_given_up_once_however_often_that_is_asked_for(bench: Workbench) -> None:
    command = bench.stage(a_batch([order("1")]))
    with at_first(transform, "plan_merge", _broken), pytest.raises(PipelineError):
        transform_batch(command, bench.ports)
    for _ in range(3):
        assert abandon_batch(bench.abandoning(command), bench.ports) == ABANDONED
    assert bench.events(command.batch_id) == ["TransformStarted", "BatchAbandoned"]


def test_giving_up_what_never_began_is_an_event_of_that_batch(bench: Workbench) -> None:
    command = bench.stage(a_batch([order("1")]))
    for _ in range(2):
        assert abandon_batch(bench.abandoning(command), bench.ports) == ABANDONED
    [given_up] = stream(bench, command)
    assert (given_up.correlation_id, given_up.data.batch_id) == (command.batch_id,) * 2
    assert (given_up.data.epoch, given_up.data.fence) == (1, 1)


def test_rows_that_the_tables_do_not_hold_afterwards_are_not_published(bench: Workbench) -> None:
    command = bench.stage(a_batch([order("1")]))
    total_rows, one_too_many = bench.ports.facts.total_rows, iter([0, 0, 1])

    def counted(heads: Any) -> dict[str, int]:
        extra = next(one_too_many)
        return {name: rows + extra for name, rows in total_rows(heads).items()}

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bench.ports.facts, "total_rows", counted)
        with pytest.raises(PipelineError, match="nothing was published"):
            transform_batch(command, bench.ports)
    assert bench.order_kpis() == []


def test_whose_keys_made_the_pseudonyms_is_remembered_and_held_against_the_next(
    bench: Workbench,
) -> None:
    bench.transform(replace(a_batch([order("1")]), pseudonym_check="ours"))
    assert bench.state().pseudonym_check == "ours"
    other = bench.stage(replace(a_batch([order("2")]), pseudonym_check="others"))
    with pytest.raises(StaleWriter, match="redrive the batch"):
        transform_batch(other, bench.ports)


def test_files_of_one_statement_do_not_replace_each_other(bench: Workbench) -> None:
    halves = [("order_items", [line("1")]), ("order_items", [line("1", quantity=2)])]
    bench.transform(Batch([("orders", [order("1")]), *halves], statements={1: "x", 2: "x"}))
    assert [row["quantity"] for row in bench.facts()["order_items"]] == [1, 2]


def test_a_manifest_is_read_in_the_open_form_and_held_to_its_contract(bench: Workbench) -> None:
    command = bench.stage(a_batch([order("1")]))
    with pytest.raises(ContractViolation, match="sealed_at"):
        transform_batch(with_manifest(bench, command, sealed_at=...), bench.ports)
    newer = with_manifest(bench, command, said_by_a_newer_aggregator=True)
    assert transform_batch(newer, bench.ports)["outcome"] == "PUBLISHED"


def test_the_engine_that_was_chosen_is_the_one_that_works(bench: Workbench) -> None:
    asked: list[str] = []

    def engine_of(name: Any) -> Any:
        asked.append(name)
        return bench.ports.engine_of(name)

    command = bench.stage(a_batch([order("1")]))
    transform_batch(command, replace(bench.ports, engine_of=engine_of))
    assert asked == ["duckdb"]
    assert decide_engine(1, bench.under("spark").ports) == ("spark", "TRANSFORM_ENGINE=spark")


def _broken() -> None:
    raise PipelineError("broken")


def stream(bench: Workbench, command: TransformBatch) -> list[Message]:
    return bench.ports.store.read(f"transformation/{command.batch_id}")
