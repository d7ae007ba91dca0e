"""A batch as a job on EMR Serverless: its request, and the runner that waits for its answer.

The job runs the same use case against the same stores, so fence and epoch guard it as they guard
the worker. One message is one job however often it is delivered, and whatever is asked anew is
another: its event_id is the client token. Fence and attempt would not do, for the saga counts its
attempts from 0 again when it goes through the step a second time.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from contracts import errors
from contracts.envelope import Message
from contracts.errors import PipelineError, Transient
from contracts.layout import PROCESSING_PREFIX
from contracts.messages import TransformBatch
from services.runtime.observability.logs import logger
from services.runtime.storage.aws import error_code, translated
from services.runtime.storage.documents import ObjectStore
from services.transformer.batch import transform
from services.transformer.batch.state import Answer, Ports
from services.transformer.emr.entry_point import ARCHIVE
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
COME_AGAIN = frozenset(
    {
        "ConflictException",
        "InternalServerException",
        "ServiceQuotaExceededException",
        "TooManyRequestsException",
    }
)
"""With these EMR Serverless refuses what it may take later: it is busy, a quota is used up, or the
application is being changed. Throttling and the like every client knows."""
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


def job_prefix(message: Message) -> str:
    """Where one job keeps its answer, in the data bucket."""
    return f"{PROCESSING_PREFIX}{message.data.batch_id}/emr/{message.event_id}/"


def answer_key(prefix: str) -> str:
    """The job's answer, or its fault."""
    return f"{prefix}answer.json"


def start_request(
    message: Message, size_bytes: int, reason: str, settings: Settings
) -> dict[str, Any]:
    """The parameters of StartJobRun; `reason` is why Spark was chosen, for the batch's record."""
    command: TransformBatch = message.data
    return {
        "applicationId": settings.emr_application_id,
        "clientToken": message.event_id,
        "executionRoleArn": settings.emr_job_role_arn,
        "name": f"transform-{command.batch_id}",
        "executionTimeoutMinutes": settings.emr_timeout_minutes,
        "jobDriver": {
            "sparkSubmit": {
                "entryPoint": f"{settings.emr_code_uri}.py",
                "entryPointArguments": [command.model_dump_json(), reason, job_prefix(message)],
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
    """`--conf name=value ...`: the cluster, the jars, the code, and the driver's environment."""
    environment = {name.upper(): str(getattr(settings, name)) for name in DRIVER_SETTINGS}
    environment |= {
        "AWS_REGION": settings.aws_region,
        "SPARK_SUBMITTED": "true",
        "SPARK_JARS": settings.emr_jars,
        "PYSPARK_PYTHON": settings.emr_python,
        "PYSPARK_DRIVER_PYTHON": settings.emr_python,
    }
    conf = {
        **cluster_for(size_bytes, settings.emr_max_executors).as_spark(),
        "spark.jars": settings.emr_jars,
        "spark.archives": f"{settings.emr_code_uri}.zip#{ARCHIVE}",
        **{f"spark.emr-serverless.driverEnv.{name}": text for name, text in environment.items()},
        "spark.executorEnv.PYSPARK_PYTHON": settings.emr_python,
    }
    return " ".join(f"--conf {name}={value}" for name, value in conf.items())


def ending(job: Mapping[str, Any], settings: Settings) -> str:
    """What became of a job that left no answer, in words, with where to read more."""
    job_id, state = job["jobRunId"], job["state"]
    limit_seconds = 60 * job.get("executionTimeoutMinutes", settings.emr_timeout_minutes)
    match state:
        case "CANCELLED" if job.get("totalExecutionDurationSeconds", 0) >= limit_seconds:
            became = f"took longer than EMR_TIMEOUT_MINUTES={limit_seconds // 60} and was ended"
        case "CANCELLED" if not job.get("startedAt"):
            became = "was cancelled before it began"
        case "CANCELLED":
            became = "was cancelled"
        case "FAILED":
            became = "failed"
        case _:
            became = f"ended as {state}"
    details = job.get("stateDetails") or "EMR gives no details"
    folder = f"applications/{settings.emr_application_id}/jobs/{job_id}/SPARK_DRIVER/"
    logs = f"{settings.emr_log_uri.rstrip('/')}/{folder}"
    return f"EMR job {job_id} {became}, without an answer: {details}; its log: {logs}"


def comes_again(error: PipelineError) -> bool:
    """Whether EMR Serverless may take later what it refuses now."""
    return isinstance(error, Transient) or error_code(error) in COME_AGAIN


class JobRunner:
    """Starts a job and waits for its end, on a boto3 client of `emr-serverless`."""

    def __init__(
        self,
        emr: Any,
        objects: ObjectStore,
        settings: Settings,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._emr, self._objects, self._settings = emr, objects, settings
        self._sleep, self._now = sleep, now

    def run(self, message: Message, size_bytes: int, reason: str) -> Answer:
        """The job's answer; raises what the job raised, Transient when it ended without an answer.

        Whatever interrupts the wait cancels the job; one that goes on regardless, as after a kill
        of this process, is found again by its client token.
        """
        job_id = self._started(start_request(message, size_bytes, reason, self._settings))
        logger.info("job submitted", job_run_id=job_id, batch_id=message.data.batch_id)
        try:
            job = self._ended(job_id)
        except BaseException:
            self._cancel(job_id)
            raise
        return self._answer(message, job)

    def _started(self, request: Mapping[str, Any]) -> str:
        """The job's id; asked again while EMR refuses what it may take later."""
        give_up_at = self._now() + 60 * MINUTES_TO_START
        while True:
            try:
                with translated(f"EMR Serverless application {self._settings.emr_application_id}"):
                    return str(self._emr.start_job_run(**request)["jobRunId"])
            except PipelineError as error:
                if not comes_again(error):
                    raise
                if self._now() >= give_up_at:
                    raise Transient(
                        f"EMR Serverless takes no job since {MINUTES_TO_START} minutes: {error}"
                    ) from error
                logger.warning("job is not taken yet; asked again", reason=str(error))
            self._sleep(POLL_SECONDS)

    def _ended(self, job_id: str) -> Mapping[str, Any]:
        minutes = self._settings.emr_timeout_minutes + MINUTES_TO_START
        give_up_at = self._now() + 60 * minutes
        while self._now() < give_up_at:
            try:
                job = self._job(job_id)
            except PipelineError as error:
                if not comes_again(error):
                    raise
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

    def _answer(self, message: Message, job: Mapping[str, Any]) -> Answer:
        """Who may not list the bucket is told that an answer that is not there is forbidden."""
        bucket, key = message.data.manifest.bucket, answer_key(job_prefix(message))
        document = self._objects.newest_json(bucket, key)
        if document is None:
            raise Transient(ending(job, self._settings))
        if "error" in document:
            name, text = document["error"], document["text"]
            if name in ERRORS:
                raise ERRORS[name](text)
            raise PipelineError(f"EMR job {job['jobRunId']} failed by {name}: {text}")
        return cast(Answer, document["answer"])


def transform_where_it_fits(message: Message, ports: Ports, runner: JobRunner) -> Answer:
    """Spark's batches go to EMR Serverless, the others stay here; decided once for both."""
    command: TransformBatch = message.data
    size_bytes = transform.input_bytes(transform.manifest_of(command, ports))
    decided = transform.decide_engine(size_bytes, replace(ports, spark_is_here=lambda: True))
    engine, reason = decided
    if engine != "spark":
        return transform.transform_batch(command, replace(ports, decided=decided))
    try:
        return runner.run(message, size_bytes, reason)
    finally:
        # The job has moved the tables that this process may have in hand.
        ports.facts.forget()
