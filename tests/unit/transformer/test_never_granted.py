"""A fence that the lock never granted stops nobody for good, and a stale writer never wins."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from contracts.clock import new_event_id, system_clock
from contracts.envelope import parse
from contracts.errors import Refused, StaleWriter
from contracts.messages import AbandonBatch, AdmitFence
from services.runtime.event_store import PutItem
from services.runtime.fences import LEAP
from services.runtime.messaging.consumer import CommandConsumer
from services.runtime.messaging.fence_questions import ask_the_lock, asking_when_stale
from services.runtime.messaging.task_callbacks import InMemoryTaskCallbacks
from services.transformer.batch.abandon import abandon_batch
from services.transformer.batch.state import stream_of
from services.transformer.batch.transform import transform_batch
from services.transformer.maintenance.lock_alignment import admit_fence
from tests.contract.builders import a_body
from tests.model import ShopModel
from tests.support.doubles import RecordedDeadLetters
from tests.support.transforming import (
    TABLES,
    Batch,
    Remembered,
    Workbench,
    a_batch,
    line,
    local_workbench,
    order,
    product,
)
from tests.unit.transformer.test_rebuild import write

pytestmark = pytest.mark.medium

STRANGER = "0123456789abcdef"


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """One batch was published under fence 7."""
    return replace(local_workbench(tmp_path), fence=7, ports=published().again())


@cache
def published() -> Remembered[Any]:
    return Remembered(lambda bench: replace(bench, fence=7).transform(first()))


def first() -> Batch:
    return a_batch([order("1")], [line("1")], [product()])


def second() -> Batch:
    return a_batch([order("2", "2025-07-08")], [line("2")])


def a_stranger(fence: int) -> AbandonBatch:
    return AbandonBatch(batch_id=STRANGER, execution_id="arn:x", fence=fence, attempt=0)


@pytest.mark.parametrize("fence", [8, 7 + LEAP, 8 + LEAP, 1_000_000_000, 2**53 - 1])
def test_giving_up_a_batch_that_nobody_knows_makes_no_other_batch_stale(
    bench: Workbench, fence: int
) -> None:
    before = bench.state()
    try:
        assert abandon_batch(a_stranger(fence), bench.ports) == {"outcome": "ABANDONED"}
    except Refused as error:
        assert fence > 7 + LEAP // 2, error  # noqa: PT017
    assert bench.state() == before
    later = replace(bench, fence=9)
    later.transform(second())
    assert later.state().fence == 9


def test_after_any_fence_that_is_taken_of_a_stranger_the_locks_next_grant_is_taken_too(
    bench: Workbench,
) -> None:
    highest = 7 + LEAP // 2
    abandon_batch(a_stranger(highest), bench.ports)
    with pytest.raises(Refused):
        abandon_batch(a_stranger(highest + 1), bench.ports)
    later = replace(bench, fence=highest + 1)
    later.transform(second())
    assert later.state().fence == highest + 1


def test_giving_it_up_again_under_a_higher_fence_changes_nothing_either(bench: Workbench) -> None:
    before = bench.state()
    for fence in (50, 60, 60, 55):
        assert abandon_batch(a_stranger(fence), bench.ports) == {"outcome": "ABANDONED"}
    assert bench.state() == before
    assert bench.events(STRANGER) == ["BatchAbandoned", "BatchAbandoned"]


@pytest.mark.parametrize("fence", [8 + LEAP, 1_000_000_000])
def test_a_fence_far_above_the_highest_one_seen_is_refused_with_the_reason(
    bench: Workbench, fence: int
) -> None:
    command = bench.stage(second()).model_copy(update={"fence": fence})
    before = bench.state()
    for refused in (
        lambda: transform_batch(command, bench.ports),
        lambda: abandon_batch(bench.abandoning(command), bench.ports),
    ):
        with pytest.raises(Refused, match=f"never granted fence {fence}: .* seen is 7"):
            refused()
    assert bench.state() == before
    assert bench.events(command.batch_id) == []


def test_the_highest_fence_that_may_be_is_taken(bench: Workbench) -> None:
    command = bench.stage(second()).model_copy(update={"fence": 7 + LEAP})
    transform_batch(command, bench.ports)
    assert bench.state().fence == 7 + LEAP


def test_a_batch_that_was_given_up_before_it_began_does_not_come_back_under_that_grant(
    bench: Workbench,
) -> None:
    later = replace(bench, fence=9)
    command = later.stage(second())
    assert abandon_batch(later.abandoning(command), later.ports) == {"outcome": "ABANDONED"}
    with pytest.raises(StaleWriter, match="abandoned under lock fence 9"):
        transform_batch(command, later.ports)
    assert later.events(command.batch_id) == ["BatchAbandoned"]
    transform_batch(command.model_copy(update={"fence": 11}), later.ports)
    later.assert_equals(second().told_to(first().told_to(ShopModel())))


def test_a_forged_giving_up_of_a_real_batch_is_a_question_to_the_lock(bench: Workbench) -> None:
    later = replace(bench, fence=9)
    command = later.stage(second())
    forged = later.abandoning(command).model_copy(update={"fence": 500})
    assert abandon_batch(forged, later.ports) == {"outcome": "ABANDONED"}
    with pytest.raises(StaleWriter) as stale:
        transform_batch(command, later.ports)
    assert stale.value.seen_fence == 500
    transform_batch(command.model_copy(update={"fence": 501}), later.ports)


def test_an_old_holder_cannot_even_give_a_batch_up(bench: Workbench) -> None:
    with pytest.raises(StaleWriter, match="fence 6 is stale: 7 was seen") as stale:
        abandon_batch(a_stranger(6), bench.ports)
    assert stale.value.seen_fence == 7
    assert bench.events(STRANGER) == []


class Sqs:
    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> None:
        self.sent.append((QueueUrl, MessageBody))


def a_consumer(handler: Any, sqs: Sqs, answers: InMemoryTaskCallbacks) -> CommandConsumer:
    ask = ask_the_lock(sqs, "lock-url", "ecommerce-pipeline/me", system_clock, new_event_id)
    asking = asking_when_stale(handler, ask)
    return CommandConsumer({"AbandonBatch": asking}, answers, RecordedDeadLetters())


def test_whoever_is_refused_for_a_higher_fence_lets_the_lock_hear_of_that_one() -> None:
    def stale(_message: Any) -> None:
        raise StaleWriter("lock fence 7 is stale: 50 was seen", seen_fence=50)

    sqs, answers = Sqs(), InMemoryTaskCallbacks()
    a_consumer(stale, sqs, answers).handle(a_body("AbandonBatch", task_token="t"), "q")
    [(url, body)] = sqs.sent
    asked = parse(body)
    assert (url, asked.event_type, asked.data.seen_fence) == ("lock-url", "RaiseFence", 50)
    assert asked.data.requested_by == "ecommerce-pipeline/me"
    assert "50 was seen" in asked.data.reason
    assert asked.task_token is None
    assert answers.failed["t"][0] == "StaleWriter"


@pytest.mark.parametrize("fault", [StaleWriter("epoch 3 is stale"), KeyError("x")])
def test_other_faults_are_no_question_to_the_lock(fault: Exception) -> None:
    def failing(_message: Any) -> None:
        raise fault

    sqs, answers = Sqs(), InMemoryTaskCallbacks()
    a_consumer(failing, sqs, answers).handle(a_body("AbandonBatch", task_token="t"), "q")
    assert sqs.sent == []
    assert answers.failed["t"][0] == type(fault).__name__


def aligning(fence: int) -> AdmitFence:
    return AdmitFence(
        request_id="align-1", fence=fence, requested_by="ann@laptop", reason="restored"
    )


def test_a_leap_is_admitted_on_a_persons_word_and_recorded(bench: Workbench) -> None:
    fence = 7 + LEAP
    admit_fence(aligning(fence), bench.ports)
    assert bench.state().fence == fence
    [event] = [one.data for one in bench.ports.store.read(stream_of("align-1"))]
    assert (event.fence_before, event.fence, event.requested_by, event.reason) == (
        7,
        fence,
        "ann@laptop",
        "restored",
    )
    later = replace(bench, fence=fence + 4)
    later.transform(second())
    with pytest.raises(StaleWriter):
        replace(bench, fence=fence - 1).transform(first())


@pytest.mark.parametrize("fence", [8 + LEAP, 1_000_000_000, 2**53 - 1])
def test_one_word_admits_one_leap_and_no_more(bench: Workbench, fence: int) -> None:
    """Else one forged message would take the transformer where the lock cannot follow."""
    before = bench.state()
    with pytest.raises(Refused, match=f"fence {fence} is too far above 7: admit it by steps"):
        admit_fence(aligning(fence), bench.ports)
    assert bench.state() == before
    assert bench.ports.store.read(stream_of("align-1")) == []


def test_it_comes_twice_and_is_done_once(bench: Workbench) -> None:
    for _ in range(2):
        admit_fence(aligning(20), bench.ports)
    assert len(bench.ports.store.read(stream_of("align-1"))) == 1


def test_it_never_lets_a_stale_writer_in(bench: Workbench) -> None:
    admit_fence(aligning(3), bench.ports)
    assert bench.state().fence == 7


def test_it_gives_way_to_a_batch_in_work(bench: Workbench) -> None:
    before = bench.state()
    at_work = before.begin(STRANGER, 8, 0, before.heads or {})
    write(bench, PutItem(TABLES.state, at_work.to_item()))
    admit_fence(aligning(500), bench.ports)
    [event] = [one.data for one in bench.ports.store.read(stream_of("align-1"))]
    assert "is in work" in event.reason
    assert bench.state() == at_work
    assert json.dumps(at_work.to_item(), default=str)
