"""A batch as a job: a request that AWS takes, and a runner that hides no ending."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.validate import ParamValidator
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.emrserverless.models import emrserverless_backends

from contracts.errors import DataRejected, PipelineError, StaleWriter, Transient
from contracts.messages import ObjectRef, TransformBatch
from services.runtime.storage.documents import S3ObjectStore
from services.transformer.batch.transform import transform_batch
from services.transformer.emr import job as emr_job
from services.transformer.emr.runner import (
    JobRunner,
    answer_key,
    start_request,
    transform_where_it_fits,
)
from services.transformer.settings import Settings
from tests.support.moto_account import moto_account
from tests.support.transformer_cloud import settings_on
from tests.support.transforming import (
    DATA_BUCKET,
    Workbench,
    a_batch,
    line,
    local_workbench,
    order,
    product,
)
from tests.unit.transformer.conftest import NewStores

pytestmark = pytest.mark.medium

REGION = "us-east-1"
REASON = "900.0 MB of input is not under SPARK_THRESHOLD_MB=256"
ROOT = Path(__file__).parents[3]


def settings(name: str = "shop", application_id: str = "00f1abcd") -> Settings:
    return settings_on(
        name,
        spark_target="emr-serverless",
        emr_application_id=application_id,
        emr_job_role_arn=f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/spark-job",
        emr_entry_point="s3://code/emr_job.py",
        emr_log_uri="s3://logs/emr/",
        emr_environment_uri="s3://code/environment.tar.gz",
    )


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return local_workbench(tmp_path)


@pytest.fixture
def command(bench: Workbench) -> TransformBatch:
    return bench.stage(a_batch([order("1")], [line("1")], [product()]))


@dataclass
class Service:
    """EMR Serverless and S3 by moto; `at_work` is what the job does at the runner's first wait."""

    emr: Any
    s3: Any
    settings: Settings
    at_work: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        started = "after-call.emr-serverless.StartJobRun"
        self.emr.meta.events.register(started, lambda **_: self._set_state("RUNNING"))

    @property
    def jobs(self) -> list[Any]:
        backend = emrserverless_backends[DEFAULT_ACCOUNT_ID][REGION]
        found: list[Any] = backend.job_runs.get(self.settings.emr_application_id, [])
        return found

    def _set_state(self, state: str) -> None:
        """A job of moto's has succeeded as soon as it was started."""
        self.jobs[-1].state = state

    def ends(self, state: str, work: Callable[[], None] = lambda: None) -> "Service":
        def at_work() -> None:
            work()
            self._set_state(state)

        return replace(self, at_work=at_work)

    def runner(self) -> JobRunner:
        return JobRunner(self.emr, self.s3, self.settings, sleep=lambda _: self.at_work())

    def job(self, command: TransformBatch, bench: Workbench) -> None:
        """What the driver does; its fault is for the answer to tell."""
        try:
            emr_job.answer(command, REASON, bench.ports, S3ObjectStore(self.s3))
        except PipelineError:
            return


@pytest.fixture
def service() -> Iterator[Service]:
    with moto_account():
        emr, s3 = (boto3.client(name, region_name=REGION) for name in ("emr-serverless", "s3"))
        s3.create_bucket(Bucket=DATA_BUCKET)
        s3.put_bucket_versioning(Bucket=DATA_BUCKET, VersioningConfiguration={"Status": "Enabled"})
        made = emr.create_application(
            name="spark", releaseLabel="emr-7.10.0", type="SPARK", clientToken="application"
        )
        yield Service(emr, s3, settings(application_id=made["applicationId"]))


def faults_of(request: dict[str, Any]) -> str:
    model = botocore.session.get_session().get_service_model("emr-serverless")
    shape = model.operation_model("StartJobRun").input_shape
    return str(ParamValidator().validate(request, shape).generate_report())


def test_the_request_is_one_that_the_model_of_aws_takes(command: TransformBatch) -> None:
    request = start_request(command, 2_000_000_000, REASON, settings())

    assert faults_of(request) == ""
    assert "executionTimeoutMinutes" in faults_of({**request, "executionTimeoutMinutes": "60"})
    assert "applicationId" in faults_of({k: v for k, v in request.items() if k != "applicationId"})
    assert "entryPiont" in faults_of({**request, "jobDriver": {"sparkSubmit": {"entryPiont": "x"}}})


def test_one_command_is_one_job_and_another_attempt_or_fence_is_another(
    command: TransformBatch,
) -> None:
    tried = [command, command, *(command.model_copy(update={n: 7}) for n in ("attempt", "fence"))]

    tokens = [start_request(each, 0, REASON, settings())["clientToken"] for each in tried]

    assert tokens[0] == tokens[1]
    assert len(set(tokens)) == 3


def test_a_job_that_succeeds_answers_as_the_batch_would_here(
    service: Service, bench: Workbench, command: TransformBatch
) -> None:
    done = service.ends("SUCCESS", lambda: service.job(command, bench))

    answer = done.runner().run(command, 1, REASON)

    assert answer == transform_batch(command, bench.ports)
    assert answer["outcome"] == "PUBLISHED"
    document = bench.ports.objects.get_json(ObjectRef(**answer["result"]))
    assert (document["engine"], document["engine_reason"]) == ("spark", REASON)


def test_a_job_under_an_old_fence_fails_as_a_stale_writer(
    service: Service, bench: Workbench, command: TransformBatch
) -> None:
    bench.fence = 5
    bench.transform(a_batch([order("2")]))

    with pytest.raises(StaleWriter, match="lock fence 1 is stale"):
        service.ends("FAILED", lambda: service.job(command, bench)).runner().run(command, 1, REASON)


@pytest.mark.parametrize(
    ("name", "raised"),
    [("DataRejected", DataRejected), ("Transient", Transient), ("Py4JError", PipelineError)],
)
def test_a_jobs_fault_is_raised_as_its_own_class(
    service: Service, command: TransformBatch, name: str, raised: type[PipelineError]
) -> None:
    def fail() -> None:
        document = {"error": name, "text": "what went wrong"}
        S3ObjectStore(service.s3).put_json(DATA_BUCKET, answer_key(command), document)

    with pytest.raises(raised, match="what went wrong") as caught:
        service.ends("FAILED", fail).runner().run(command, 1, REASON)
    assert type(caught.value) is raised


@pytest.mark.parametrize("state", ["SUCCESS", "FAILED", "CANCELLED"])
def test_a_job_that_ends_without_a_word_may_be_tried_again(
    service: Service, command: TransformBatch, state: str
) -> None:
    with pytest.raises(Transient, match=f"ended as {state} without an answer"):
        service.ends(state).runner().run(command, 1, REASON)


def test_an_interrupted_wait_cancels_the_job(service: Service, command: TransformBatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace(service, at_work=interrupt).runner().run(command, 1, REASON)

    assert service.jobs[-1].state == "CANCELLED"


def test_a_job_that_never_ends_is_given_up_and_cancelled(
    service: Service, command: TransformBatch
) -> None:
    minutes = iter(range(0, 1000, 10))
    runner = JobRunner(
        service.emr, service.s3, service.settings, lambda _: None, lambda: 60.0 * next(minutes)
    )

    with pytest.raises(Transient, match="has not ended after 75 minutes"):
        runner.run(command, 1, REASON)
    assert service.jobs[-1].state == "CANCELLED"


@pytest.mark.parametrize(("threshold_mb", "jobs"), [(0, 1), (256, 0)])
def test_only_the_batches_that_auto_gives_to_spark_become_jobs(
    service: Service, bench: Workbench, command: TransformBatch, threshold_mb: int, jobs: int
) -> None:
    ports = replace(bench.ports, spark_threshold_mb=threshold_mb)
    done = service.ends("SUCCESS", lambda: service.job(command, bench))

    assert transform_where_it_fits(command, ports, done.runner())["outcome"] == "PUBLISHED"

    assert len(service.jobs) == jobs


@pytest.mark.thorough
@pytest.mark.spark
def test_the_driver_runs_as_a_process_with_no_more_than_the_request_gives_it(
    new_stores: NewStores, cloud: str
) -> None:
    bench = new_stores()("spark")
    name = bench.ports.tables.state.removesuffix("-TransformerState")
    command = bench.stage(a_batch([order("1")], [line("1")], [product()]))
    [spark] = start_request(command, 1, REASON, settings(name))["jobDriver"].values()
    given = re.findall(r"driverEnv\.(\w+)=(\S+)", spark["sparkSubmitParameters"])
    here = {"SPARK_SUBMITTED": "false", "SPARK_MEMORY_MB": "1024", "PYSPARK_PYTHON": sys.executable}

    subprocess.run(
        [sys.executable, "-m", "services.transformer.emr.job", *spark["entryPointArguments"]],
        env={**os.environ, **dict(given), **here, "PYTHONPATH": str(ROOT)},
        check=True,
        timeout=300,
    )

    found = boto3.client("s3").get_object(Bucket=DATA_BUCKET, Key=answer_key(command))
    assert b'"outcome":"PUBLISHED"' in found["Body"].read()
