"""A batch as a job on EMR Serverless: its request, and the runner that waits for its answer.

The job runs the same use case against the same stores, so fence and epoch guard it as they guard
the worker. One command (batch, fence, attempt) is one job however often it is delivered.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from botocore.exceptions import ClientError

from contracts import errors
from contracts.errors import PipelineError, Transient
from contracts.layout import PROCESSING_PREFIX
from contracts.messages import TransformBatch
from services.runtime.observability.logs import logger
from services.runtime.storage.aws import translated
from services.transformer.batch import transform
from services.transformer.batch.state import Answer, Ports
from services.transformer.engines.spark_session import PACKAGES
from services.transformer.engines.spark_settings import cluster_for
from services.transformer.settings import Settings

POLL_SECONDS = 5.0
MINUTES_TO_START = 15
"""Beyond the job's own limit: a queued job has not begun to count."""
DRIVER_SETTINGS = (
    "event_store_table",
    "warehouse_bucket",
    "command_queue_url",
    "lock_queue_url",
    "state_table",
    "category_kpis_table",
    "order_kpis_table",
    "glue_database",
)
ENDED = ("SUCCESS", "FAILED", "CANCELLED")
ERRORS: Mapping[str, type[PipelineError]] = {
    error.__name__: error
    for error in (
        errors.ConcurrencyConflict,
        errors.ContractViolation,
        errors.DataRejected,
        errors.PipelineError,
        errors.StaleWriter,
        errors.Transient,
    )
}


def job_prefix(command: TransformBatch) -> str:
    """Where one job keeps its shared inputs and its answer, in the data bucket."""
    return f"{PROCESSING_PREFIX}{command.batch_id}/emr/{command.fence}-{command.attempt}/"


def answer_key(command: TransformBatch) -> str:
    """The job's answer, or its fault."""
    return f"{job_prefix(command)}answer.json"


def start_request(
    command: TransformBatch, size_bytes: int, reason: str, settings: Settings
) -> dict[str, Any]:
    """The parameters of StartJobRun; `reason` is why Spark was chosen, for the batch's record."""
    return {
        "applicationId": settings.emr_application_id,
        "clientToken": f"{command.batch_id}-{command.fence}-{command.attempt}",
        "executionRoleArn": settings.emr_job_role_arn,
        "name": f"transform-{command.batch_id}",
        "executionTimeoutMinutes": settings.emr_timeout_minutes,
        "jobDriver": {
            "sparkSubmit": {
                "entryPoint": settings.emr_entry_point,
                "entryPointArguments": [command.model_dump_json(), reason],
                "sparkSubmitParameters": submit_parameters(size_bytes, settings),
            }
        },
        "configurationOverrides": {
            "monitoringConfiguration": {
                "s3MonitoringConfiguration": {"logUri": settings.emr_log_uri}
            }
        },
        "tags": {
            "batch_id": command.batch_id,
            "fence": str(command.fence),
            "attempt": str(command.attempt),
        },
    }


def submit_parameters(size_bytes: int, settings: Settings) -> str:
    """`--conf name=value ...`: the cluster, the jars, and the driver's environment."""
    environment = {name.upper(): str(getattr(settings, name)) for name in DRIVER_SETTINGS}
    environment |= {"AWS_REGION": settings.aws_region, "SPARK_SUBMITTED": "true"}
    if settings.emr_environment_uri:
        environment["PYSPARK_PYTHON"] = "./environment/bin/python"
    jars = {"spark.jars.packages": ",".join(PACKAGES)}
    if settings.spark_jars:
        jars = {"spark.jars": settings.spark_jars}
        environment["SPARK_JARS"] = settings.spark_jars
    conf = {
        **cluster_for(size_bytes, settings.emr_max_executors).as_spark(),
        **jars,
        **{f"spark.emr-serverless.driverEnv.{name}": text for name, text in environment.items()},
    }
    if settings.emr_environment_uri:
        conf["spark.archives"] = f"{settings.emr_environment_uri}#environment"
        conf["spark.executorEnv.PYSPARK_PYTHON"] = "./environment/bin/python"
    return " ".join(f"--conf {name}={value}" for name, value in conf.items())


class JobRunner:
    """Starts a job and waits for its end, on boto3 clients of `emr-serverless` and `s3`."""

    def __init__(
        self,
        emr: Any,
        s3: Any,
        settings: Settings,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._emr, self._s3, self._settings = emr, s3, settings
        self._sleep, self._now = sleep, now

    def run(self, command: TransformBatch, size_bytes: int, reason: str) -> Answer:
        """The job's answer; raises what the job raised, Transient when it ended without an answer.

        Whatever interrupts the wait cancels the job; one that goes on regardless, as after a kill
        of this process, is found again by its client token.
        """
        with translated(f"EMR Serverless application {self._settings.emr_application_id}"):
            started = self._emr.start_job_run(
                **start_request(command, size_bytes, reason, self._settings)
            )
        job_id = started["jobRunId"]
        logger.info("job submitted", job_run_id=job_id, batch_id=command.batch_id)
        try:
            job = self._ended(job_id)
        except BaseException:
            self._cancel(job_id)
            raise
        return self._answer(command, job_id, job)

    def _ended(self, job_id: str) -> Mapping[str, Any]:
        minutes = self._settings.emr_timeout_minutes + MINUTES_TO_START
        give_up_at = self._now() + 60 * minutes
        while self._now() < give_up_at:
            try:
                job = self._job(job_id)
            except Transient:
                logger.exception("job cannot be seen; the next poll tries again", job_run_id=job_id)
            else:
                if job["state"] in ENDED:
                    return job
            self._sleep(POLL_SECONDS)
        raise Transient(f"EMR job {job_id} has not ended after {minutes} minutes; it is cancelled")

    def _job(self, job_id: str) -> Mapping[str, Any]:
        with translated(f"EMR job {job_id}"):
            answer = self._emr.get_job_run(
                applicationId=self._settings.emr_application_id, jobRunId=job_id
            )
        return cast(Mapping[str, Any], answer["jobRun"])

    def _cancel(self, job_id: str) -> None:
        """The interruption is raised, not this: a job that goes on loses at the stores."""
        try:
            with translated(f"EMR job {job_id}"):
                self._emr.cancel_job_run(
                    applicationId=self._settings.emr_application_id, jobRunId=job_id
                )
        except PipelineError:
            logger.exception("job cannot be cancelled", job_run_id=job_id)

    def _answer(self, command: TransformBatch, job_id: str, job: Mapping[str, Any]) -> Answer:
        document = self._document(command)
        if document is None:
            raise Transient(
                f"EMR job {job_id} ended as {job['state']} without an answer: "
                f"{job.get('stateDetails') or 'no details'}; see its logs under "
                f"{self._settings.emr_log_uri}"
            )
        if "error" in document:
            name, text = document["error"], document["text"]
            if name in ERRORS:
                raise ERRORS[name](text)
            raise PipelineError(f"EMR job {job_id} failed by {name}: {text}")
        return cast(Answer, document["answer"])

    def _document(self, command: TransformBatch) -> Mapping[str, Any] | None:
        key = answer_key(command)
        with translated(f"s3://{command.manifest.bucket}/{key}"):
            try:
                found = self._s3.get_object(Bucket=command.manifest.bucket, Key=key)
            except ClientError as error:
                if error.response["Error"]["Code"] != "NoSuchKey":
                    raise
                return None
            return cast(Mapping[str, Any], json.loads(found["Body"].read()))


def transform_where_it_fits(command: TransformBatch, ports: Ports, runner: JobRunner) -> Answer:
    """Spark's batches go to EMR Serverless, the others stay here; decided once for both."""
    size_bytes = transform.input_bytes(transform.manifest_of(command, ports))
    decided = transform.decide_engine(size_bytes, replace(ports, spark_is_here=lambda: True))
    engine, reason = decided
    if engine != "spark":
        return transform.transform_batch(command, replace(ports, decided=decided))
    try:
        return runner.run(command, size_bytes, reason)
    finally:
        # The job has moved the tables that this process may have in hand.
        ports.facts.forget()
