"""A batch as a job: a request that AWS takes, and a runner that hides no ending."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.stub import Stubber
from botocore.validate import ParamValidator
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.emrserverless.models import emrserverless_backends

from contracts.clock import new_event_id
from contracts.envelope import Message
from contracts.errors import DataRejected, PipelineError, StaleWriter, Transient
from contracts.messages import ObjectRef
from services.runtime.storage.documents import InMemoryObjectStore, S3ObjectStore
from services.transformer.batch.transform import transform_batch
from services.transformer.emr import entry_point
from services.transformer.emr import job as emr_job
from services.transformer.emr.entry_point import ARCHIVE
from services.transformer.emr.runner import (
    JobRunner,
    answer_key,
    job_prefix,
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
BEGAN = datetime(2025, 7, 8, tzinfo=UTC)
NO_KEYS = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}


def settings(name: str = "shop", application_id: str = "00f1abcd") -> Settings:
    return settings_on(
        name,
        spark_target="emr-serverless",
        emr_application_id=application_id,
        emr_job_role_arn=f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/spark-job",
        emr_code_uri="s3://code/transformer/spark-job-0f1e",
        emr_log_uri="s3://logs/emr/",
    )


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return local_workbench(tmp_path)


@pytest.fixture
def asked(bench: Workbench) -> Message:
    return as_asked(bench)


def as_asked(bench: Workbench, **more: Any) -> Message:
    """The saga's command for a batch that is staged."""
    command = bench.stage(a_batch([order("1")], [line("1")], [product()])).model_copy(update=more)
    return replace(an_example("TransformBatch", event_id=new_event_id()), data=command)


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
        return JobRunner(
            self.emr, S3ObjectStore(self.s3), self.settings, sleep=lambda _: self.at_work()
        )

    def job(self, asked: Message, bench: Workbench) -> None:
        """What the driver does; its fault is for the answer to tell."""
        try:
            emr_job.answer(
                asked.data, REASON, job_prefix(asked), bench.ports, S3ObjectStore(self.s3)
            )
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


def test_the_request_is_one_that_the_model_of_aws_takes(asked: Message) -> None:
    request = start_request(asked, 2_000_000_000, REASON, settings())

    assert faults_of(request) == ""
    assert "executionTimeoutMinutes" in faults_of({**request, "executionTimeoutMinutes": "60"})
    assert "applicationId" in faults_of({k: v for k, v in request.items() if k != "applicationId"})
    assert "entryPiont" in faults_of({**request, "jobDriver": {"sparkSubmit": {"entryPiont": "x"}}})


def test_a_message_is_one_job_however_often_delivered_and_what_is_asked_anew_is_another(
    asked: Message,
) -> None:
    """The saga counts attempts from 0 again when it goes through the step once more."""
    anew = replace(asked, event_id=new_event_id())

    tokens = [start_request(each, 0, REASON, settings())["clientToken"] for each in (asked, anew)]

    assert tokens == [asked.event_id, anew.event_id]
    assert asked.data.attempt == anew.data.attempt
    assert answer_key(job_prefix(asked)) != answer_key(job_prefix(anew))


def test_a_job_reaches_no_maven_and_no_file_of_the_worker(asked: Message) -> None:
    here = settings().model_copy(update={"spark_jars": "/opt/iceberg/*.jar"})

    [spark] = start_request(asked, 1, REASON, here)["jobDriver"].values()

    assert spark["entryPoint"] == "s3://code/transformer/spark-job-0f1e.py"
    assert "spark.archives=s3://code/transformer/spark-job-0f1e.zip#job" in (
        spark["sparkSubmitParameters"]
    )
    assert "spark.jars=/usr/share/aws/iceberg/lib/" in spark["sparkSubmitParameters"]
    assert "/opt/iceberg" not in spark["sparkSubmitParameters"]
    assert "spark.jars.packages" not in spark["sparkSubmitParameters"]


def test_a_job_that_succeeds_answers_as_the_batch_would_here(
    service: Service, bench: Workbench, asked: Message
) -> None:
    done = service.ends("SUCCESS", lambda: service.job(asked, bench))

    answer = done.runner().run(asked, 1, REASON)

    assert answer == transform_batch(asked.data, bench.ports)
    assert answer["outcome"] == "PUBLISHED"
    document = bench.ports.objects.get_json(ObjectRef(**answer["result"]))
    assert (document["engine"], document["engine_reason"]) == ("spark", REASON)


def test_a_job_under_an_old_fence_fails_as_a_stale_writer(
    service: Service, bench: Workbench, asked: Message
) -> None:
    bench.fence = 5
    bench.transform(a_batch([order("2")]))

    with pytest.raises(StaleWriter, match="lock fence 1 is stale"):
        service.ends("FAILED", lambda: service.job(asked, bench)).runner().run(asked, 1, REASON)


@pytest.mark.parametrize(
    ("name", "raised"),
    [("DataRejected", DataRejected), ("Transient", Transient), ("Py4JError", PipelineError)],
)
def test_a_jobs_fault_is_raised_as_its_own_class(
    service: Service, asked: Message, name: str, raised: type[PipelineError]
) -> None:
    def fail() -> None:
        document = {"error": name, "text": "what went wrong"}
        S3ObjectStore(service.s3).put_json(DATA_BUCKET, answer_key(job_prefix(asked)), document)

    with pytest.raises(raised, match="what went wrong") as caught:
        service.ends("FAILED", fail).runner().run(asked, 1, REASON)
    assert type(caught.value) is raised


@pytest.mark.parametrize(
    ("state", "told", "words"),
    [
        ("SUCCESS", {}, "ended as SUCCESS, without an answer"),
        ("FAILED", {}, "failed, without an answer: The driver was killed; its log"),
        ("CANCELLED", {}, "was cancelled before it began, without"),
        ("CANCELLED", {"startedAt": BEGAN}, "was cancelled, without"),
        (
            "CANCELLED",
            {"startedAt": BEGAN, "totalExecutionDurationSeconds": 3600},
            "took longer than EMR_TIMEOUT_MINUTES=60 and was ended, without",
        ),
    ],
)
def test_a_job_without_an_answer_is_told_as_what_became_of_it_and_may_be_tried_again(
    service: Service, asked: Message, state: str, told: dict[str, Any], words: str
) -> None:
    """Details and logs are what a person looks for."""
    with Stubber(service.emr) as emr:
        emr.add_response("start_job_run", {"applicationId": "a", "jobRunId": "00j1", "arn": "b"})
        job = a_job(state, executionTimeoutMinutes=60, stateDetails="The driver was killed", **told)
        emr.add_response("get_job_run", {"jobRun": job})
        with pytest.raises(Transient, match=words) as caught:
            service.runner().run(asked, 1, REASON)

    application = service.settings.emr_application_id
    assert "The driver was killed" in str(caught.value)
    assert f"s3://logs/emr/applications/{application}/jobs/00j1/SPARK_DRIVER/" in str(caught.value)


def a_job(state: str, **more: Any) -> dict[str, Any]:
    """What GetJobRun says, with all that its model wants."""
    texts = ("applicationId", "arn", "createdBy", "executionRole", "releaseLabel", "stateDetails")
    return {
        **dict.fromkeys(texts, "a"),
        **{"jobRunId": "00j1", "state": state, "createdAt": BEGAN, "updatedAt": BEGAN},
        "jobDriver": {"sparkSubmit": {"entryPoint": "a"}},
        **more,
    }


@pytest.mark.parametrize(("code", "status"), [("NoSuchKey", 404), ("AccessDenied", 403)])
def test_an_answer_that_is_not_there_never_hides_what_became_of_the_job(
    service: Service, asked: Message, code: str, status: int
) -> None:
    """Who may not list the bucket, as the worker, is told 403 of what is not there."""
    with Stubber(service.s3) as s3:
        s3.add_client_error("get_object", code, http_status_code=status)
        with pytest.raises(Transient, match="failed, without an answer"):
            service.ends("FAILED").runner().run(asked, 1, REASON)


@pytest.mark.parametrize(
    "code",
    ["ThrottlingException", "ServiceQuotaExceededException", "ConflictException",
     "TooManyRequestsException", "InternalServerException"],
)  # fmt: skip
def test_what_emr_may_take_later_is_asked_again(asked: Message, code: str) -> None:
    emr = boto3.client("emr-serverless", region_name=REGION, **NO_KEYS)
    waits: list[float] = []
    runner = JobRunner(emr, NoAnswers(), settings(), waits.append)
    with Stubber(emr) as stub:
        for _ in range(2):
            stub.add_client_error("start_job_run", code, "come again")
        stub.add_response("start_job_run", {"applicationId": "a", "jobRunId": "00j1", "arn": "b"})
        stub.add_client_error("get_job_run", code, "come again")
        stub.add_response("get_job_run", {"jobRun": a_job("FAILED")})

        with pytest.raises(Transient, match="00j1 failed"):
            runner.run(asked, 1, REASON)
        stub.assert_no_pending_responses()
    assert len(waits) == 3


def test_what_emr_never_takes_is_told_at_once_and_a_quota_that_stays_after_a_while(
    asked: Message,
) -> None:
    emr = boto3.client("emr-serverless", region_name=REGION, **NO_KEYS)
    minutes = iter(range(0, 1000, 8))
    runner = JobRunner(
        emr, NoAnswers(), settings(), lambda _: None, lambda: 60.0 * next(minutes)
    )
    with Stubber(emr) as stub:
        stub.add_client_error("start_job_run", "ValidationException", "no such role")
        with pytest.raises(PipelineError, match="no such role"):
            runner.run(asked, 1, REASON)
        for _ in range(2):
            stub.add_client_error("start_job_run", "ServiceQuotaExceededException", "64 vCPU")
        with pytest.raises(Transient, match="takes no job since 15 minutes.*64 vCPU"):
            runner.run(asked, 1, REASON)


class NoAnswers(InMemoryObjectStore):
    """A bucket in which no job has left anything."""


def test_an_interrupted_wait_cancels_the_job(service: Service, asked: Message) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace(service, at_work=interrupt).runner().run(asked, 1, REASON)

    assert service.jobs[-1].state == "CANCELLED"


def test_a_job_that_never_ends_is_given_up_and_cancelled(
    service: Service, asked: Message
) -> None:
    minutes = iter(range(0, 1000, 10))
    runner = JobRunner(
        service.emr,
        S3ObjectStore(service.s3),
        service.settings,
        lambda _: None,
        lambda: 60.0 * next(minutes),
    )

    with pytest.raises(Transient, match="has not ended after 75 minutes"):
        runner.run(asked, 1, REASON)
    assert service.jobs[-1].state == "CANCELLED"


@pytest.mark.parametrize(("threshold_mb", "jobs"), [(0, 1), (256, 0)])
def test_only_the_batches_that_auto_gives_to_spark_become_jobs(
    service: Service, bench: Workbench, asked: Message, threshold_mb: int, jobs: int
) -> None:
    ports = replace(bench.ports, spark_threshold_mb=threshold_mb)
    done = service.ends("SUCCESS", lambda: service.job(asked, bench))

    assert transform_where_it_fits(asked, ports, done.runner())["outcome"] == "PUBLISHED"

    assert len(service.jobs) == jobs


@pytest.mark.thorough
@pytest.mark.spark
def test_the_driver_runs_as_a_process_with_no_more_than_the_request_gives_it(
    new_stores: NewStores, cloud: str, tmp_path: Path
) -> None:
    bench = new_stores()("spark")
    name = bench.ports.tables.state.removesuffix("-TransformerState")
    asked = as_asked(bench)
    [spark] = start_request(asked, 1, REASON, settings(name))["jobDriver"].values()
    given = re.findall(r"driverEnv\.(\w+)=(\S+)", spark["sparkSubmitParameters"])
    (tmp_path / ARCHIVE).symlink_to(ROOT)
    here = {
        **{"SPARK_SUBMITTED": "false", "SPARK_MEMORY_MB": "1024", "SPARK_JARS": ""},
        **dict.fromkeys(("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON"), sys.executable),
    }

    subprocess.run(
        [sys.executable, "-P", entry_point.__file__, *spark["entryPointArguments"]],
        env={**os.environ, **dict(given), **here},
        cwd=tmp_path,
        check=True,
        timeout=300,
    )

    found = boto3.client("s3").get_object(Bucket=DATA_BUCKET, Key=answer_key(job_prefix(asked)))
    assert b'"outcome":"PUBLISHED"' in found["Body"].read()
