"""A batch on a cluster: executors in processes of their own, S3 alone between them, one killed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from services.transformer.engines.spark_engine import SparkBatch
from services.transformer.engines.spark_session import session_settings
from services.transformer.settings import Settings
from tests.model import ShopModel
from tests.support.spark_cluster import SparkCluster, events_in, spark_cluster, wait_for
from tests.support.transformer_cloud import settings_on
from tests.support.transforming import (
    DATA_BUCKET,
    Batch,
    Workbench,
    a_batch,
    line,
    order,
    product,
)
from tests.unit.transformer.conftest import NewStores
from tests.unit.transformer.test_spark_settings import NEEDED

ROOT = Path(__file__).parents[3]
ANSWER = "processing/on-a-cluster/"
JOB_SECONDS = 420


@pytest.fixture(scope="module")
def cluster(cloud: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkCluster]:
    with spark_cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started


def a_shop(first: int, last: int) -> Batch:
    """Orders of five days, a fifth of them returned, two lines each; the last has no product."""
    numbers = range(first, last)
    return a_batch(
        [
            order(
                f"o{n}",
                f"2025-07-0{1 + n % 5}",
                user_id=f"u{n % 37}",
                total_amount=f"{n}.{n % 100:02}",
                status="returned" if n % 5 == 3 else "completed",
            )
            for n in numbers
        ],
        [
            line(f"o{n}", f"p{(n + at) % 11}", 1 + n % 3, f"{1 + at}.{n % 100:02}")
            for n in numbers
            for at in (0, 1)
        ],
        [product(f"p{n}", f"c{n % 4}") for n in range(10)],
    )


@pytest.fixture
def bench(new_stores: NewStores) -> Workbench:
    return new_stores()("duckdb")


class Driver:
    """The driver of a job as a process of its own, as EMR Serverless or a person starts one."""

    def __init__(self, bench: Workbench, cluster: SparkCluster, cloud: str, folder: Path) -> None:
        self._bench, self._cluster, self._cloud, self._folder = bench, cluster, cloud, folder
        name = bench.ports.tables.state.removesuffix("-TransformerState")
        settings = settings_on(name).model_dump(
            include={
                *("event_store_table", "warehouse_bucket", "command_queue_url", "lock_queue_url"),
                *("state_table", "category_kpis_table", "order_kpis_table", "glue_database"),
            }
        )
        self._environment = {
            **os.environ,
            **{name.upper(): str(value) for name, value in settings.items()},
            "SPARK_MASTER": cluster.url,
            "SPARK_MEMORY_MB": "1024",
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_EVENT_LOG_DIR": str(folder),
            "SPARK_CONF": json.dumps(
                {"spark.driver.host": "127.0.0.1", "spark.eventLog.compress": "false"}
            ),
            "PYTHONPATH": str(ROOT),
        }

    def start(self, batch: Batch) -> subprocess.Popen[str]:
        command = self._bench.stage(batch)
        arguments = [command.model_dump_json(), "for a cluster", f"{ANSWER}{batch.batch_id}/"]
        return subprocess.Popen(
            [sys.executable, "-m", "services.transformer.emr.job", *arguments],
            env=self._environment,
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def answer(self, batch: Batch, running: subprocess.Popen[str]) -> dict[str, Any]:
        """What the job left; its output is told where it failed."""
        try:
            said, _ = running.communicate(timeout=JOB_SECONDS)
        finally:
            running.kill()
        assert running.returncode == 0, said[-6000:]
        found = boto3.client("s3").get_object(
            Bucket=DATA_BUCKET, Key=f"{ANSWER}{batch.batch_id}/answer.json"
        )
        return dict(json.loads(found["Body"].read())["answer"])


def holds(bench: Workbench, model: ShopModel) -> None:
    assert bench.order_kpis() == model.order_kpis()
    assert bench.category_kpis() == model.category_kpis()


@pytest.mark.thorough
@pytest.mark.spark
@pytest.mark.timeout(900)
def test_kpis_are_exact_also_when_an_executor_is_killed_in_the_middle(
    bench: Workbench, cluster: SparkCluster, cloud: str, tmp_path: Path
) -> None:
    """The second batch restates what the first one said, and loses one executor of two."""
    first, second = a_shop(0, 60), a_shop(40, 120)
    whole, maimed = tmp_path / "whole", tmp_path / "maimed"
    for folder in (whole, maimed):
        folder.mkdir()

    driver = Driver(bench, cluster, cloud, whole)
    answer = driver.answer(first, driver.start(first))
    model = first.told_to(ShopModel())
    assert bench.result(answer)["engine"] == "spark"
    holds(bench, model)
    executors = events_in(whole).count("SparkListenerExecutorAdded")
    assert executors == 2
    stages = events_in(whole).count("SparkListenerStageCompleted")

    driver = Driver(bench, cluster, cloud, maimed)
    running = driver.start(second)
    wait_for(lambda: _is_in_the_middle(events_in(maimed), stages // 2), "a stage", JOB_SECONDS)
    victim, *_ = cluster.executors()
    victim.kill()
    answer = driver.answer(second, running)

    assert "SparkListenerExecutorRemoved" in events_in(maimed)
    holds(bench, second.told_to(model))


def _is_in_the_middle(events: list[str], stages: int) -> bool:
    """So many stages are done, and a job runs; of what begins, the log tells these at once."""
    is_far = events.count("SparkListenerStageCompleted") >= stages
    return is_far and events.count("SparkListenerJobStart") > events.count("SparkListenerJobEnd")


def test_a_session_on_a_cluster_reads_s3_and_binds_no_loopback() -> None:
    settings = Settings(
        **NEEDED,
        spark_master="spark://10.0.0.7:7077",
        aws_endpoint_url="http://127.0.0.1:4566",
        spark_conf={"spark.executor.memory": "4g", "spark.sql.ansi.enabled": "false"},
    )
    found = session_settings(settings)

    assert found["spark.hadoop.fs.s3.impl"] == "org.apache.hadoop.fs.s3a.S3AFileSystem"
    assert found["spark.hadoop.fs.s3a.connection.ssl.enabled"] == "false"
    assert "hadoop-aws" in found["spark.jars.packages"]
    assert "software.amazon.awssdk:bundle" in found["spark.jars.excludes"]
    assert not {"spark.driver.host", "spark.driver.bindAddress", "spark.local.dir"} & set(found)
    assert found["spark.executor.memory"] == "4g"
    assert found["spark.sql.ansi.enabled"] == "false"  # what a person says stands over ours


def test_on_this_machine_nothing_of_a_cluster_is_set() -> None:
    found = session_settings(Settings(**NEEDED))

    assert "hadoop" not in found["spark.jars.packages"]
    assert not [name for name in found if name.startswith("spark.hadoop.fs")]


class Frame:
    """Remembers how it was to be kept."""

    def __init__(self) -> None:
        self.level: Any = None

    def localCheckpoint(self, storageLevel: Any = None) -> "Frame":
        self.level = storageLevel
        return self

    def createOrReplaceTempView(self, _name: str) -> None:
        return None


def test_what_is_kept_is_kept_by_two_executors_where_one_may_die_alone() -> None:
    """Tried: of what one of two had kept alone, nothing can be read when it was killed."""
    frames = Frame(), Frame()
    for frame, kept_twice in zip(frames, (False, True), strict=True):
        SparkBatch(None, None, "facts", kept_twice=kept_twice)._keep(  # type: ignore[arg-type]
            "lines", frame
        )

    here, on_a_cluster = frames
    assert here.level is None
    assert on_a_cluster.level.replication == 2
    assert Settings(**NEEDED, spark_submitted=True).spark_is_elsewhere
    assert not Settings(**NEEDED).spark_is_elsewhere
