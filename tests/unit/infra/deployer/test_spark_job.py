"""The code of the Spark job goes to the bucket where Spark runs on EMR Serverless, and else not."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from infra.deployer import spark_job
from infra.deployer.spark_job import CODE, OF_THE_RELEASE, RUNTIME, job_archive
from infra.deployer.templates import StackTemplate, discover
from infra.environments import PROJECT, Environment, aws_environment, local_environment
from infra.errors import DeploymentFailed
from services.transformer.engines.spark_settings import DRIVER_CORES, EXECUTOR_CORES, cluster_for
from services.transformer.settings import Settings
from tests.security.account import of_type

ON_EMR = {"SparkTarget": "emr-serverless"}
AWS = aws_environment({}, {})


class Bucket:
    """Keeps in order what it is given."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def has(self, key: str) -> bool:
        return key in self.kept

    def keep(self, key: str, content: bytes) -> None:
        self.kept[key] = content


@pytest.fixture
def template() -> StackTemplate:
    return next(one for one in discover(PROJECT) if one.name == "transformer")


@pytest.fixture
def vendored(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    """What was asked of pip, which puts one module there."""
    asked: list[tuple[str, object]] = []

    def vendor(
        requirements: Path, constraints: Path, target: Path, runtime: tuple[Sequence[str], str]
    ) -> None:
        assert constraints == PROJECT / "constraints.txt"
        asked.append((requirements.read_text(), runtime))
        (target / "pyarrow").mkdir(parents=True)
        (target / "pyarrow/__init__.py").touch()

    monkeypatch.setattr(spark_job, "vendor", vendor)
    return asked


def parameters(
    template: StackTemplate, bucket: Bucket, chosen: dict[str, str], environment: Environment = AWS
) -> dict[str, str]:
    return spark_job.spark_job_parameters(
        template,
        PROJECT,
        environment,
        bucket,  # type: ignore[arg-type]
        chosen,
    )


def test_the_archive_holds_code_and_packages_and_leaves_spark_to_the_release(
    template: StackTemplate, vendored: list[tuple[str, object]]
) -> None:
    names = zipfile.ZipFile(io.BytesIO(job_archive(template, PROJECT))).namelist()

    assert {"services/transformer/emr/job.py", "contracts/messages.py"} <= set(names)
    assert {"services/transformer/sql/lines.sql", "pyarrow/__init__.py"} <= set(names)
    [(asked_for, runtime)] = vendored
    pinned = (PROJECT / "services/transformer/requirements.txt").read_text().splitlines()
    [spark] = set(pinned) - set(asked_for.splitlines())
    assert spark.split("==")[0] in OF_THE_RELEASE
    assert runtime == RUNTIME


@pytest.mark.medium
def test_entry_point_and_archive_are_kept_once_and_the_stack_is_told(
    template: StackTemplate, vendored: list[tuple[str, object]]
) -> None:
    bucket = Bucket()

    first, second = (parameters(template, bucket, ON_EMR) for _ in range(2))

    assert first == second
    assert list(bucket.kept) == [f"{first[CODE]}.zip", f"{first[CODE]}.py"]
    assert len(vendored) == 1
    assert first[CODE].startswith("transformer/spark-job-")  # as the job's role may read


@pytest.mark.medium
def test_an_archive_without_its_entry_point_is_one_that_was_cut_off(
    template: StackTemplate, vendored: list[tuple[str, object]]
) -> None:
    bucket = Bucket()
    key = parameters(template, bucket, ON_EMR)[CODE]
    del bucket.kept[f"{key}.py"]

    parameters(template, bucket, ON_EMR)

    assert f"{key}.py" in bucket.kept
    assert len(vendored) == 2


def test_where_spark_runs_in_the_container_nothing_is_built(template: StackTemplate) -> None:
    bucket = Bucket()
    assert parameters(template, bucket, template.defaults | {}) == {}
    without = replace(template, parameters={})
    assert parameters(without, bucket, ON_EMR) == {}
    assert bucket.kept == {}


@pytest.mark.medium
def test_the_local_cloud_says_that_it_has_no_emr(template: StackTemplate) -> None:
    here = local_environment("http://127.0.0.1:1", {})
    with pytest.raises(
        DeploymentFailed, match="SparkTarget=emr-serverless: the local cloud has no EMR Serverless"
    ):
        parameters(template, Bucket(), ON_EMR, here)


def test_the_application_has_room_for_the_largest_job() -> None:
    """EMR Serverless adds a tenth of memory; a worker has 20 GB of disk unless it asks for more."""
    [application] = of_type("AWS::EMRServerless::Application")
    room = {name: int(text.split()[0]) for name, text in _capacity(application.properties).items()}
    largest = cluster_for(10**12, Settings.model_fields["emr_max_executors"].default)
    spark = largest.as_spark()
    executor_gb, driver_gb = (
        -(-int(spark[f"spark.{worker}.memory"].removesuffix("g")) * 11 // 10)
        for worker in ("executor", "driver")
    )

    assert DRIVER_CORES + largest.executors * EXECUTOR_CORES <= room["Cpu"]
    assert driver_gb + largest.executors * executor_gb <= room["Memory"]
    assert 20 * (1 + largest.executors) <= room["Disk"]


def test_the_releases_spark_is_of_the_minor_version_that_is_pinned(
    template: StackTemplate,
) -> None:
    """emr-spark-8.1.0 has Spark 4.1.1 (EMR release guide); a new pin asks for a new release."""
    pinned = (PROJECT / "services/transformer/requirements.txt").read_text()
    assert template.defaults["SparkRelease"] == "emr-spark-8.1.0"
    assert "pyspark==4.1." in pinned


def _capacity(properties: dict[str, dict[str, str]]) -> dict[str, str]:
    return properties["MaximumCapacity"]
