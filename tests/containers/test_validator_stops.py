"""A validator that is told to stop while it reads a file; nobody else serves its queue."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from contracts.clock import system_clock, to_rfc3339
from tests.containers.cloud import WorkerlessCloud
from tests.support.standing import Row

if TYPE_CHECKING:
    from testcontainers.core.image import DockerImage

pytestmark = [pytest.mark.docker, pytest.mark.integration, pytest.mark.timeout(900)]
ROWS = 500_000
"""Read and checked in a second or more: long enough to be told to stop meanwhile."""


def large_rows() -> dict[str, list[Row]]:
    """Two large files, so that whichever is taken first takes long."""
    return {
        "orders": [
            {
                "order_id": f"s{n}",
                "user_id": f"u{n % 1000}",
                "order_date": f"2024-03-{n % 28 + 1:02}",
                "total_amount": "10.00",
                "status": "completed",
            }
            for n in range(ROWS)
        ],
        "order_items": [
            {"order_id": f"s{n}", "product_id": "p1", "quantity": "1", "unit_price": "10.00"}
            for n in range(ROWS)
        ],
    }


def test_a_sigterm_in_the_middle_of_a_file_finishes_it_and_leaves_the_rest_to_the_next(
    images: Mapping[str, "DockerImage"], cloud: WorkerlessCloud
) -> None:
    from tests.containers.workers import running_worker

    validator = cloud.environment_of("validator")
    with running_worker(images["validator"], "validator", validator) as first:
        first.await_ready()
        cloud.submit("stopped", large_rows())
        cloud.await_taken("validator")
        told_at = to_rfc3339(system_clock())
        code, seconds = first.stop()
        assert code == 0, first.logs()
    [batch] = [one for one in cloud.pipeline.batches() if one["status"] == "RUNNING"]
    events = cloud.pipeline.events(batch["batch_id"])
    [checked] = [event for event in events if event["event_type"] == "FileValidated"]
    assert checked["occurred_at"] > told_at, (checked["occurred_at"], seconds)

    transformer = cloud.environment_of("transformer", TRANSFORM_ENGINE="duckdb")
    with (
        running_worker(images["validator"], "validator", validator),
        running_worker(images["transformer"], "transformer", transformer),
    ):
        cloud.assert_completed("stopped")
