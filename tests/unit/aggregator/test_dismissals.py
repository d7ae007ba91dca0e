"""What will never be corrected: a word in the story of the batch, and a row that lists read."""

from typing import Any

import pytest

from contracts.clock import to_rfc3339
from contracts.envelope import Message
from contracts.messages import DismissQuarantine, QuarantineDismissed
from services.aggregator.batch import domain as batches
from tests.unit.aggregator.harness import COMMANDS, TABLE, BatchHarness


def a_batch(harness: BatchHarness) -> str:
    harness.upload("orders/a.csv", "order_items/a.csv", "products/a.csv")
    harness.settle()
    harness.relay()
    return str(harness.the_batch()["batch_id"])


def a_command(batch_id: str, lines: list[int] | None = None) -> DismissQuarantine:
    return DismissQuarantine(
        batch_id=batch_id, key="orders/a.csv", lines=lines, requested_by="dana@pc", reason="tests"
    )


def a_message(harness: BatchHarness, command: DismissQuarantine) -> str:
    return Message(
        event_id=next(harness.ids),
        event_type="DismissQuarantine",
        schema_version=1,
        source="ecommerce-pipeline/cli",
        occurred_at=to_rfc3339(harness.now),
        stream_id=f"batch/{command.batch_id}",
        stream_version=0,
        correlation_id=command.batch_id,
        causation_id=None,
        data=command,
    ).to_json()


def dismissals(harness: BatchHarness) -> list[dict[str, Any]]:
    return harness.store.query(TABLE, {"pk": "dismissals"})


@pytest.mark.parametrize("lines", [[7, 9], None])
def test_who_and_why_are_in_the_story_and_in_the_row_that_lists_read(
    harness: BatchHarness, lines: list[int] | None
) -> None:
    batch_id = a_batch(harness)
    harness.close(batch_id, "COMPLETED")
    command = a_command(batch_id, lines)
    harness.command(command)
    assert harness.said("QuarantineDismissed") == [QuarantineDismissed(**command.model_dump())]
    [row] = dismissals(harness)
    assert {name: row[name] for name in command.model_dump()} == command.model_dump()
    assert row["dismissed_at"] == to_rfc3339(harness.now)


def test_a_command_that_comes_twice_is_one_dismissal_and_two_commands_are_two(
    harness: BatchHarness,
) -> None:
    batch_id = a_batch(harness)
    body = a_message(harness, a_command(batch_id))
    for _ in range(2):
        assert harness.deliver(COMMANDS, body) == []
    assert len(dismissals(harness)) == len(harness.said("QuarantineDismissed")) == 1
    harness.command(a_command(batch_id, [3]))
    assert len(dismissals(harness)) == len(harness.said("QuarantineDismissed")) == 2


def test_the_batch_goes_on_as_if_nothing_had_been_said(harness: BatchHarness) -> None:
    batch_id = a_batch(harness)
    harness.command(a_command(batch_id))
    harness.close(batch_id, "FAILED")
    harness.command(a_command(batch_id, [3]))
    before = harness.row(batch_id)
    assert before["status"] == "FAILED"
    batch = batches.replay(batch_id, harness.store.read(batches.stream_of(batch_id)))
    assert batch is not None
    assert batch.status == "FAILED"
    harness.redrive(batch_id)
    assert harness.row(batch_id)["status"] == "SEALED"


def test_a_batch_that_never_was_is_refused_and_comes_again_until_it_is_a_dead_letter(
    harness: BatchHarness,
) -> None:
    body = a_message(harness, a_command("f" * 16))
    assert harness.deliver(COMMANDS, body) == [body]
    assert dismissals(harness) == []
