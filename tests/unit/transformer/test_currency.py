"""One currency: a batch in another one than the facts is rejected, and nothing was begun."""

from pathlib import Path
from typing import Any

import pytest

from contracts.errors import DataRejected, PipelineError
from services.transformer.batch import transform
from services.transformer.batch.domain import TransformerState
from services.transformer.batch.transform import transform_batch
from tests.support.transforming import Batch, Workbench, line, local_workbench, order

pytestmark = pytest.mark.medium


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return local_workbench(tmp_path)


def in_currencies(*currencies: str) -> Batch:
    """A file of orders for each; an empty one says nothing."""
    files = [("orders", [order(str(number))]) for number, _ in enumerate(currencies)]
    return Batch(files, currencies={n: each for n, each in enumerate(currencies) if each})


def answer_to(bench: Workbench, batch: Batch) -> dict[str, Any]:
    return transform_batch(bench.stage(batch), bench.ports)


def test_the_first_currency_that_is_said_is_the_facts(bench: Workbench) -> None:
    assert bench.transform(in_currencies(""))["currency"] is None
    assert bench.state().currency is None
    assert bench.transform(in_currencies("", "EUR"))["currency"] == "EUR"
    assert bench.transform(in_currencies(""))["currency"] is None
    assert bench.state().currency == "EUR"
    assert bench.transform(in_currencies("EUR"))["currency"] == "EUR"


def test_a_batch_in_another_currency_is_rejected_naming_both(bench: Workbench) -> None:
    bench.transform(in_currencies("EUR"))
    before = bench.standing(), bench.state()
    batch = in_currencies("", "JPY")
    answer = answer_to(bench, batch)
    assert answer["outcome"] == "REJECTED"
    assert "what is published is in EUR: JPY in orders/" in answer["reason"]
    assert answer["rejected_files"] == [1]
    assert (bench.standing(), bench.state()) == before
    assert bench.events(batch.batch_id) == []


def test_two_currencies_in_one_batch_are_rejected_naming_the_files(bench: Workbench) -> None:
    batch = in_currencies("EUR", "", "JPY")
    answer = answer_to(bench, batch)
    assert answer["rejected_files"] == [0, 2]
    for said in (f"EUR in orders/{batch.batch_id}-0.csv", f"JPY in orders/{batch.batch_id}-2.csv"):
        assert said in answer["reason"]
    assert bench.state() == TransformerState()


def test_of_two_currencies_the_facts_one_is_not_at_fault(bench: Workbench) -> None:
    bench.transform(in_currencies("EUR"))
    assert answer_to(bench, in_currencies("EUR", "JPY"))["rejected_files"] == [1]


def test_a_rejected_batch_asked_for_again_is_rejected_again_and_others_go_on(
    bench: Workbench,
) -> None:
    bench.transform(in_currencies("EUR"))
    command = bench.stage(in_currencies("JPY"))
    first = transform_batch(command, bench.ports)
    assert transform_batch(command, bench.restarted().ports) == first
    assert bench.transform(in_currencies("EUR"))["files"][0]["accepted"] == 1


def test_data_that_is_rejected_after_the_work_began_is_undone_first(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Upkeep, which waits for a batch in work, must not wait for ever."""
    bench.transform(Batch([("orders", [order("1")]), ("order_items", [line("1")])]))
    before = bench.standing()
    command = bench.stage(in_currencies(""))

    def rejects(*_: Any) -> None:
        raise DataRejected("these rows cannot be published")

    with monkeypatch.context() as patched:
        patched.setattr(transform, "plan_merge", rejects)
        answer = transform_batch(command, bench.ports)
    assert answer == {
        "outcome": "REJECTED",
        "reason": "these rows cannot be published",
        "rejected_files": [],
    }
    assert bench.standing() == before
    assert bench.state().in_flight is None
    assert bench.events(command.batch_id)[-1] == "BatchAbandoned"


def test_a_fault_of_ours_is_no_rejection(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    command = bench.stage(in_currencies(""))

    def fails(*_: Any) -> None:
        raise PipelineError("the disk is full")

    monkeypatch.setattr(transform, "plan_merge", fails)
    with pytest.raises(PipelineError, match="the disk is full"):
        transform_batch(command, bench.ports)


def test_the_state_is_stored_with_its_currency() -> None:
    state = TransformerState(epoch=1, heads={"orders": 1}, currency="EUR")
    assert TransformerState.from_item(state.to_item()) == state
    older = {name: value for name, value in state.to_item().items() if name != "currency"}
    assert TransformerState.from_item(older).currency is None
