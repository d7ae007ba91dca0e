"""What Spark gets for a batch's volume, its event log, and settings that cannot work."""

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.transformer.engines.spark_session import make_room_for_event_log, session_settings
from services.transformer.engines.spark_settings import cluster_for, shuffle_partitions
from services.transformer.settings import Settings

MB, GB = 1_000_000, 1_000_000_000
NEEDED: dict[str, Any] = {
    "event_store_table": "EventStore",
    "warehouse_bucket": "warehouse",
    "command_queue_url": "none",
    "lock_queue_url": "none",
    "state_table": "State",
    "category_kpis_table": "CategoryKPIs",
    "order_kpis_table": "OrderKPIs",
}


@pytest.mark.parametrize(
    ("staged_bytes", "partitions"),
    [(0, 4), (1, 4), (64 * MB, 4), (64 * MB + 1, 5), (1600 * MB, 100), (90 * GB, 200)],
)
def test_partitions_follow_the_volume_between_the_cores_and_a_bound(
    staged_bytes: int, partitions: int
) -> None:
    assert shuffle_partitions(staged_bytes, cores=4) == partitions


@pytest.mark.parametrize(
    ("input_bytes", "executors", "driver_gb"),
    [
        (0, 1, 8),
        (512 * MB, 1, 8),
        (512 * MB + 1, 2, 8),
        (2 * GB, 4, 10),
        (5 * GB, 8, 13),
        (100 * GB, 8, 20),
    ],
)
def test_the_cluster_follows_the_volume_up_to_its_bounds(
    input_bytes: int, executors: int, driver_gb: int
) -> None:
    cluster = cluster_for(input_bytes, max_executors=8)

    assert (cluster.executors, cluster.driver_memory_gb) == (executors, driver_gb)
    assert cluster.as_spark()["spark.executor.instances"] == str(executors)
    assert cluster.as_spark()["spark.driver.memory"] == f"{driver_gb}g"


def test_no_event_log_is_kept_unless_a_folder_is_named(tmp_path: Path) -> None:
    off = session_settings(Settings(**NEEDED))
    logged = session_settings(Settings(**NEEDED, spark_event_log_dir=str(tmp_path)))

    assert not [name for name in off if name.startswith("spark.eventLog")]
    assert logged["spark.eventLog.enabled"] == "true"
    assert logged["spark.eventLog.dir"] == tmp_path.as_uri()


def test_the_oldest_event_logs_go_and_nothing_else_does(tmp_path: Path) -> None:
    for age in range(5):
        log = tmp_path / f"eventlog_v2_local-{age}"
        log.mkdir()
        os.utime(log, (1000 - age, 1000 - age))
    (tmp_path / "notes").mkdir()

    make_room_for_event_log(tmp_path, kept=2)

    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["eventlog_v2_local-0", "eventlog_v2_local-1", "notes"]


def test_a_submitted_driver_leaves_master_memory_and_addresses_to_spark_submit() -> None:
    submitted = session_settings(Settings(**NEEDED, spark_submitted=True))

    assert not {"spark.driver.memory", "spark.driver.host", "spark.local.dir"} & set(submitted)


def test_emr_serverless_without_its_settings_is_refused_by_their_names() -> None:
    with pytest.raises(
        ValidationError, match="needs EMR_JOB_ROLE_ARN, EMR_ENTRY_POINT, EMR_LOG_URI; set them"
    ):
        Settings(**NEEDED, spark_target="emr-serverless", emr_application_id="00f1")
