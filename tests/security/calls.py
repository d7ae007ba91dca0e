"""Every call that a role makes: which file makes it, by which operation, on what.

`operation` is boto3's name of it, so that the code can be held against this list; None where
somebody else makes the call in the role's name: AWS itself, pyiceberg, Arrow or Iceberg's Java.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.security.targets import (
    ANSWER_OF_A_JOB,
    ANSWERED,
    ARCHIVE,
    ARCHIVED,
    ARCHIVED_DIFFERENCE,
    ARTIFACTS,
    BATCH,
    BUS,
    CARRIED_OVER,
    CORRECTIONS,
    DATA,
    DIFFERENCE,
    EVENT_STREAM,
    EVERYTHING,
    EXECUTION,
    EXPLANATION,
    FACTS_FILE,
    MANIFEST,
    OWN_TASK,
    PSEUDONYM_KEY,
    QUARANTINED_FILE,
    QUARANTINED_ROWS,
    REPLAY_INPUTS,
    REPLAY_MANIFEST,
    REPLAYED,
    REPORT,
    RESULT,
    ROTATION_KEY,
    STATE_MACHINE,
    TOPIC,
    WAREHOUSE,
    WHICH_PSEUDONYM,
    WHOM_TO_ERASE,
    Target,
    archived,
    asked,
    bucket,
    glue,
    index,
    inputs,
    listed,
    log_stream,
    queue,
    repository,
    role,
    rows_of,
    service,
    spark_jobs,
    staged,
    stored,
    stream,
    table,
)

AGGREGATOR, LOCK, ARCHIVER = "file-aggregator", "processing-lock", "batch-archiver"
VALIDATOR, TRANSFORMER = "validation-task", "transformation-task"
SPARK_JOB = "spark-job"
VALIDATOR_START, TRANSFORMER_START = "start-validation-task", "start-transformation-task"
API, API_VIEWS, API_OPERATIONS = "api", "api-views", "api-operations"
RELAY, SAGA = "event-relay", "ecsJob"
GUARD, LINEAGE = "guard", "lineage"

QUEUES = (
    *("aggregator-files", "aggregator-commands", "aggregator-events", "lock-commands"),
    *("lock-events", "validator-commands", "transformer-commands", "archiver-commands"),
    *("api-events", "guard-events", "lineage-events"),
)
DEAD = (*(f"{one}-dlq" for one in QUEUES), "event-relay-dlq")

EVENT_STORE = "services/runtime/event_store/dynamodb.py"
DOCUMENTS = "services/runtime/storage/documents.py"
NEWEST = "services/runtime/storage/expired_documents.py"
VERSIONS = "services/runtime/storage/object_versions.py"
WORKER = "services/runtime/messaging/worker.py"
ANSWERS = "services/runtime/messaging/task_callbacks.py"
PROTECTION = "services/runtime/messaging/task_protection.py"
DEAD_LETTERS = "services/runtime/messaging/dead_letters.py"
LEASES = "services/runtime/messaging/lease_heartbeat.py"
FENCE_QUESTIONS = "services/runtime/messaging/fence_questions.py"
EXECUTIONS = "services/runtime/messaging/executions.py"
BY_LAMBDA = "AWS Lambda, for an event source mapping"
BY_ECS = "AWS ECS, for the agent that starts a task"
BY_STEP_FUNCTIONS = "infra/stacks/saga.asl.json"
FACTS = "services/transformer/facts/catalog.py"
QUARANTINE = "services/validator/quarantine"

COPY_FROM = "s3:GetObject s3:GetObjectTagging s3:GetObjectVersion s3:GetObjectVersionTagging"
"""What S3 documents for the source of a copy, the last two for one that is a pinned version."""


@dataclass(frozen=True)
class Call:
    """One action that a role takes, and why."""

    role: str
    action: str
    target: Target
    where: str
    operation: str | None

    def __str__(self) -> str:
        return f"{self.role} {self.action} {self.target.shown}"


def _calls(
    role_name: str, where: str, operation: str | None, actions: str, *targets: Target
) -> Iterator[Call]:
    for action in actions.split():
        for target in targets:
            yield Call(role_name, action, target, where, operation)


def _appends(role_name: str, *streams: str) -> Iterator[Call]:
    """A transaction needs the right of each of its parts; the guards are condition checks."""
    targets = [stream(one) for one in streams]
    rights = "dynamodb:PutItem dynamodb:ConditionCheckItem"
    yield from _calls(role_name, EVENT_STORE, "query", "dynamodb:Query", *targets)
    yield from _calls(role_name, EVENT_STORE, "transact_write_items", rights, *targets)


def _takes(role_name: str, *queues: str) -> Iterator[Call]:
    """Lambda's own polling of a function's queues."""
    rights = (
        "sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes sqs:ChangeMessageVisibility"
    )
    yield from _calls(role_name, BY_LAMBDA, None, rights, *(queue(one) for one in queues))


def _works(role_name: str, commands: str) -> Iterator[Call]:
    """A worker's polling; ExtendLease and RaiseFence, which it sends to the lock."""
    for operation, action in (
        ("receive_message", "sqs:ReceiveMessage"),
        ("delete_message", "sqs:DeleteMessage"),
        ("change_message_visibility", "sqs:ChangeMessageVisibility"),
    ):
        yield from _calls(role_name, WORKER, operation, action, queue(commands))
    for where in (LEASES, FENCE_QUESTIONS):
        yield from _calls(
            role_name, where, "send_message", "sqs:SendMessage", queue("lock-commands")
        )
    yield from _calls(role_name, PROTECTION, None, "ecs:UpdateTaskProtection", OWN_TASK)
    heartbeat = ("send_task_heartbeat", "states:SendTaskHeartbeat")
    yield from _calls(role_name, ANSWERS, *heartbeat, EVERYTHING)


def _answers(role_name: str, *dead_letter_queues: str) -> Iterator[Call]:
    """What the common consumer does: answer the saga, keep what cannot be read."""
    for operation, action in (
        ("send_task_success", "states:SendTaskSuccess"),
        ("send_task_failure", "states:SendTaskFailure"),
    ):
        yield from _calls(role_name, ANSWERS, operation, action, EVERYTHING)
    letters = [queue(one) for one in dead_letter_queues]
    yield from _calls(role_name, DEAD_LETTERS, "get_queue_url", "sqs:GetQueueUrl", *letters)
    yield from _calls(role_name, DEAD_LETTERS, "send_message", "sqs:SendMessage", *letters)


def _erases(role_name: str, *targets: Target) -> Iterator[Call]:
    """Reading whom to erase; each version read, a new one put in parts, the old one deleted."""
    yield from _calls(role_name, DOCUMENTS, "get_object", "s3:GetObjectVersion", WHOM_TO_ERASE)
    for operation in ("get_object", "head_object"):
        yield from _calls(role_name, VERSIONS, operation, "s3:GetObjectVersion", *targets)
    rights = "s3:PutObject s3:AbortMultipartUpload"
    yield from _calls(role_name, VERSIONS, None, rights, *targets)
    delete = ("delete_object", "s3:DeleteObjectVersion")
    yield from _calls(role_name, VERSIONS, *delete, *targets)


def _logs(role_name: str, by: str, group: str) -> Iterator[Call]:
    rights = "logs:CreateLogStream logs:PutLogEvents"
    yield from _calls(role_name, by, None, rights, log_stream(group))


def _aggregator() -> Iterator[Call]:
    adapters = "services/aggregator/adapters.py"
    uploads = (
        *inputs(),
        stored(DATA, "manifests/july.json"),
        stored(DATA, "sources/my-shop/v1.yaml"),
    )
    state = table("AggregatorState")
    yield from _takes(AGGREGATOR, "aggregator-files", "aggregator-commands", "aggregator-events")
    yield from _appends(AGGREGATOR, f"file-set/{DATA}/1", "batch/4f0c2a9b7d1e8365")
    yield from _calls(AGGREGATOR, EVENT_STORE, "get_item", "dynamodb:GetItem", state)
    yield from _calls(AGGREGATOR, EVENT_STORE, "batch_get_item", "dynamodb:BatchGetItem", state)
    yield from _calls(AGGREGATOR, EVENT_STORE, "query", "dynamodb:Query", state)
    rights = "dynamodb:PutItem dynamodb:DeleteItem"
    yield from _calls(AGGREGATOR, EVENT_STORE, "transact_write_items", rights, state)
    rights = "s3:GetObject s3:GetObjectVersion"
    yield from _calls(AGGREGATOR, adapters, "head_object", rights, *uploads)
    yield from _calls(AGGREGATOR, adapters, "get_object", "s3:GetObjectVersion", *uploads)
    yield from _calls(AGGREGATOR, adapters, "get_object", "s3:GetObject", REPORT)
    # Without it, S3 says 403 instead of 404.
    yield from _calls(AGGREGATOR, adapters, "head_object", "s3:ListBucket", bucket(DATA))
    folders = ("orders/", "order_items/1.csv", "products/", "incoming/", "sources/", "manifests/")
    for prefix in folders:
        versions = ("list_object_versions", "s3:ListBucketVersions")
        yield from _calls(AGGREGATOR, adapters, *versions, listed(DATA, prefix))
    yield from _calls(AGGREGATOR, DOCUMENTS, "put_object", "s3:PutObject", MANIFEST, CARRIED_OVER)
    yield from _calls(
        AGGREGATOR, DOCUMENTS, "get_object", "s3:GetObjectVersion", MANIFEST, RESULT, CARRIED_OVER
    )
    start = ("start_execution", "states:StartExecution")
    yield from _calls(AGGREGATOR, adapters, *start, STATE_MACHINE)
    ask = ("describe_execution", "states:DescribeExecution")
    yield from _calls(AGGREGATOR, EXECUTIONS, *ask, EXECUTION)
    check = ("send_message", "sqs:SendMessage")
    yield from _calls(AGGREGATOR, adapters, *check, queue("aggregator-files"))
    yield from _calls(AGGREGATOR, adapters, "publish", "sns:Publish", TOPIC)
    yield from _answers(
        AGGREGATOR, "aggregator-files-dlq", "aggregator-commands-dlq", "aggregator-events-dlq"
    )
    yield from _logs(AGGREGATOR, BY_LAMBDA, "/aws/lambda/file-aggregator")


def _lock() -> Iterator[Call]:
    state = table("ProcessingLockTable")
    yield from _takes(LOCK, "lock-commands", "lock-events")
    yield from _appends(LOCK, "lock/ecommerce-pipeline-lock")
    yield from _calls(LOCK, EVENT_STORE, "get_item", "dynamodb:GetItem", state)
    rights = "dynamodb:PutItem dynamodb:DeleteItem"
    yield from _calls(LOCK, EVENT_STORE, "transact_write_items", rights, state)
    ask = ("describe_execution", "states:DescribeExecution")
    yield from _calls(LOCK, EXECUTIONS, *ask, EXECUTION)
    yield from _answers(LOCK, "lock-commands-dlq", "lock-events-dlq")
    yield from _logs(LOCK, BY_LAMBDA, "/aws/lambda/processing-lock")


def _validator() -> Iterator[Call]:
    adapters = "services/validator/adapters.py"
    rows = (*staged(), QUARANTINED_ROWS)
    written = (*rows, QUARANTINED_FILE)
    yield from _works(VALIDATOR, "validator-commands")
    yield from _appends(VALIDATOR, "validation/4f0c2a9b7d1e8365/0000")
    yield from _calls(VALIDATOR, DOCUMENTS, "get_object", "s3:GetObjectVersion", MANIFEST, REPORT)
    yield from _calls(VALIDATOR, DOCUMENTS, "put_object", "s3:PutObject", REPORT)
    source = stored(DATA, "sources/my-shop/v1.yaml")
    yield from _calls(VALIDATOR, adapters, "get_object", "s3:GetObjectVersion", *inputs(), source)
    # Without it, S3 says 403 instead of 404.
    yield from _calls(VALIDATOR, adapters, "get_object", "s3:ListBucket", bucket(DATA))
    yield from _calls(VALIDATOR, adapters, "put_object", "s3:PutObject", *rows)
    for operation in ("create_multipart_upload", "upload_part", "complete_multipart_upload"):
        yield from _calls(VALIDATOR, adapters, operation, "s3:PutObject", *rows)
    abort = ("abort_multipart_upload", "s3:AbortMultipartUpload")
    yield from _calls(VALIDATOR, adapters, *abort, *written)
    yield from _calls(VALIDATOR, adapters, "head_object", "s3:GetObject", *written, REPORT)
    yield from _calls(VALIDATOR, adapters, "delete_object", "s3:DeleteObject", *written)
    yield from _calls(VALIDATOR, adapters, "copy", COPY_FROM, *inputs(), *written, REPORT)
    rights = "s3:PutObject s3:PutObjectTagging"
    yield from _calls(VALIDATOR, adapters, "copy", rights, QUARANTINED_FILE)
    yield from _calls(VALIDATOR, adapters, "get_object", "s3:GetObjectVersion", QUARANTINED_FILE)
    yield from _erases(VALIDATOR, staged()[0], QUARANTINED_ROWS, QUARANTINED_FILE)
    key = ("get_secret_value", "secretsmanager:GetSecretValue")
    yield from _calls(VALIDATOR, adapters, *key, PSEUDONYM_KEY)
    yield from _replays()
    yield from _answers(VALIDATOR, "validator-commands-dlq")


def _replays() -> Iterator[Call]:
    """Corrected rows that the validator brings in: much is read, one upload is written."""
    uploads, stored_rows = f"{QUARANTINE}/uploads.py", f"{QUARANTINE}/stored.py"
    read, put = ("get_object", "s3:GetObjectVersion"), ("put_object", "s3:PutObject")
    yield from _calls(VALIDATOR, DOCUMENTS, *read, CORRECTIONS, ANSWERED)
    yield from _calls(VALIDATOR, DOCUMENTS, *put, REPLAYED, ANSWERED)
    yield from _calls(VALIDATOR, VERSIONS, "delete_object", "s3:DeleteObjectVersion", CORRECTIONS)
    yield from _calls(VALIDATOR, uploads, *put, *REPLAY_INPUTS, REPLAY_MANIFEST)
    yield from _calls(VALIDATOR, uploads, "get_object", "s3:GetObject", REPLAY_MANIFEST)
    yield from _calls(VALIDATOR, stored_rows, "get_object", "s3:GetObject", QUARANTINED_ROWS)
    quarantine = listed(DATA, "quarantine/")
    yield from _calls(VALIDATOR, stored_rows, "list_objects_v2", "s3:ListBucket", quarantine)
    partitions = [rows_of(one) for one in ("batches", "dismissals", "refused", "answered")]
    yield from _calls(VALIDATOR, stored_rows, None, "dynamodb:Query", *partitions)
    events = index("EventStore", "by-correlation")
    yield from _calls(VALIDATOR, EVENT_STORE, "query", "dynamodb:Query", events)
    facts = f"{QUARANTINE}/current_facts.py"
    for part in ("catalog", "database/ecommerce", "table/ecommerce/orders"):
        yield from _calls(VALIDATOR, facts, None, "glue:GetTable", glue(part))
    yield from _calls(VALIDATOR, facts, None, "s3:GetObject", FACTS_FILE)


def _transformer() -> Iterator[Call]:
    adapters = "services/transformer/adapters.py"
    state, kpis = table("TransformerState"), (table("OrderKPIs"), table("CategoryKPIs"))
    yield from _works(TRANSFORMER, "transformer-commands")
    yield from _appends(TRANSFORMER, "transformation/4f0c2a9b7d1e8365")
    yield from _calls(TRANSFORMER, EVENT_STORE, "get_item", "dynamodb:GetItem", state)
    rights = "dynamodb:PutItem dynamodb:ConditionCheckItem"
    yield from _calls(TRANSFORMER, EVENT_STORE, "transact_write_items", rights, state)
    rights = "dynamodb:PutItem dynamodb:DeleteItem"
    yield from _calls(TRANSFORMER, EVENT_STORE, "transact_write_items", rights, *kpis)
    yield from _calls(TRANSFORMER, EVENT_STORE, "scan", "dynamodb:Scan", *kpis)
    yield from _calls(TRANSFORMER, EVENT_STORE, "get_item", "dynamodb:GetItem", *kpis)
    pinned = ("get_object", "s3:GetObjectVersion")
    yield from _calls(TRANSFORMER, DOCUMENTS, *pinned, MANIFEST, RESULT, DIFFERENCE)
    yield from _calls(TRANSFORMER, DOCUMENTS, "get_object", "s3:GetObject", ARCHIVED_DIFFERENCE)
    put = ("put_object", "s3:PutObject")
    yield from _calls(TRANSFORMER, DOCUMENTS, *put, RESULT, DIFFERENCE, EXPLANATION)
    yield from _calls(TRANSFORMER, DOCUMENTS, "get_object", "s3:GetObjectVersion", WHICH_PSEUDONYM)
    yield from _calls(TRANSFORMER, adapters, "get_object", "s3:GetObject", REPORT)
    yield from _calls(TRANSFORMER, adapters, "get_object", "s3:GetObjectVersion", *staged())
    rights = "s3:GetObject s3:PutObject s3:DeleteObject s3:AbortMultipartUpload"
    yield from _calls(TRANSFORMER, FACTS, None, rights, FACTS_FILE)
    # After a delete, Arrow puts the marker of the folder.
    marker = stored(WAREHOUSE, "facts/orders/data/")
    yield from _calls(
        TRANSFORMER, "services/transformer/maintenance/upkeep.py", None, "s3:PutObject", marker
    )
    yield from _calls(TRANSFORMER, FACTS, None, "s3:ListBucket", bucket(WAREHOUSE))
    for part in ("catalog", "database/ecommerce", "table/ecommerce/orders"):
        rights = "glue:GetTable glue:CreateTable glue:UpdateTable"
        yield from _calls(TRANSFORMER, FACTS, None, rights, glue(part))
    for part in ("catalog", "database/ecommerce"):
        yield from _calls(TRANSFORMER, FACTS, None, "glue:GetDatabase", glue(part))
    key = ("get_secret_value", "secretsmanager:GetSecretValue")
    yield from _calls(TRANSFORMER, adapters, *key, ROTATION_KEY)
    yield from _answers(TRANSFORMER, "transformer-commands-dlq")
    jobs = "services/transformer/emr/runner.py"
    start, job = "emr-serverless:StartJobRun", spark_jobs("/jobruns/00f1")
    for action in (start, "emr-serverless:TagResource"):  # a job is started with its tags
        yield from _calls(TRANSFORMER, jobs, "start_job_run", action, spark_jobs())
    handed = role("transformer-SparkJobRole", "emr-serverless.amazonaws.com")
    yield from _calls(TRANSFORMER, jobs, "start_job_run", "iam:PassRole", handed)
    yield from _calls(TRANSFORMER, jobs, "get_job_run", "emr-serverless:GetJobRun", job)
    yield from _calls(TRANSFORMER, jobs, "cancel_job_run", "emr-serverless:CancelJobRun", job)
    yield from _calls(TRANSFORMER, DOCUMENTS, "get_object", "s3:GetObject", ANSWER_OF_A_JOB)


def _spark_job() -> Iterator[Call]:
    """The driver of a job does what the worker does for a batch; executors are in its role too."""
    adapters, driver = "services/transformer/adapters.py", "services/transformer/shared_inputs.py"
    state, kpis = table("TransformerState"), (table("OrderKPIs"), table("CategoryKPIs"))
    yield from _appends(SPARK_JOB, "transformation/4f0c2a9b7d1e8365")
    yield from _calls(SPARK_JOB, EVENT_STORE, "get_item", "dynamodb:GetItem", state)
    rights = "dynamodb:PutItem dynamodb:ConditionCheckItem"
    yield from _calls(SPARK_JOB, EVENT_STORE, "transact_write_items", rights, state)
    rights = "dynamodb:PutItem dynamodb:DeleteItem"
    yield from _calls(SPARK_JOB, EVENT_STORE, "transact_write_items", rights, *kpis)
    pinned = ("get_object", "s3:GetObjectVersion")
    yield from _calls(SPARK_JOB, DOCUMENTS, *pinned, MANIFEST, RESULT, DIFFERENCE)
    put = ("put_object", "s3:PutObject")
    yield from _calls(SPARK_JOB, DOCUMENTS, *put, RESULT, DIFFERENCE, ANSWER_OF_A_JOB)
    yield from _calls(SPARK_JOB, adapters, "get_object", "s3:GetObject", REPORT)
    yield from _calls(SPARK_JOB, adapters, *pinned, *staged())
    folder = f"processing/{BATCH}/shared/{'0' * 64}/"
    shared = stored(DATA, f"{folder}orders-0000.parquet")
    yield from _calls(SPARK_JOB, driver, None, "s3:PutObject s3:AbortMultipartUpload", shared)
    yield from _calls(SPARK_JOB, "Spark, reading", None, "s3:GetObject", shared)
    yield from _calls(SPARK_JOB, "Spark, reading", None, "s3:ListBucket", listed(DATA, folder))
    rights = "s3:GetObject s3:PutObject s3:DeleteObject s3:AbortMultipartUpload"
    yield from _calls(SPARK_JOB, FACTS, None, rights, FACTS_FILE)
    yield from _calls(SPARK_JOB, FACTS, None, "s3:ListBucket", bucket(WAREHOUSE))
    for part in ("catalog", "database/ecommerce", "table/ecommerce/orders"):
        rights = "glue:GetTable glue:CreateTable glue:UpdateTable"
        yield from _calls(SPARK_JOB, FACTS, None, rights, glue(part))
    for part in ("catalog", "database/ecommerce"):
        yield from _calls(SPARK_JOB, FACTS, None, "glue:GetDatabase", glue(part))
    for suffix in ("py", "zip"):
        code = stored(ARTIFACTS, f"transformer/spark-job-0f1e.{suffix}")
        yield from _calls(SPARK_JOB, "EMR, starting a job", None, "s3:GetObject", code)
    log = stored(WAREHOUSE, "spark-logs/applications/00f1/jobs/00j1/SPARK_DRIVER/stderr.gz")
    yield from _calls(SPARK_JOB, "EMR, for a job's log", None, "s3:PutObject", log)


def _archiver() -> Iterator[Call]:
    adapters = "services/archiver/adapters.py"
    papers = (MANIFEST, RESULT, DIFFERENCE, REPORT)
    yield from _takes(ARCHIVER, "archiver-commands")
    yield from _appends(ARCHIVER, "archive/4f0c2a9b7d1e8365")
    yield from _calls(ARCHIVER, DOCUMENTS, "get_object", "s3:GetObjectVersion", MANIFEST, RESULT)
    yield from _calls(ARCHIVER, adapters, "head_object", "s3:GetObject", REPORT, ARCHIVED)
    # Without it, S3 says 403 instead of 404.
    yield from _calls(ARCHIVER, adapters, "head_object", "s3:ListBucket", bucket(DATA))
    for operation in ("head_object", "get_object"):
        action = "s3:GetObjectVersion"
        yield from _calls(ARCHIVER, adapters, operation, action, *inputs(), *papers)
    yield from _calls(ARCHIVER, adapters, "get_object", "s3:GetObjectVersion", ARCHIVED)
    for operation in ("copy_object", "copy"):
        yield from _calls(ARCHIVER, adapters, operation, COPY_FROM, *inputs(), *papers)
        rights = "s3:PutObject s3:PutObjectTagging"
        yield from _calls(ARCHIVER, adapters, operation, rights, ARCHIVED)
    yield from _calls(ARCHIVER, adapters, "copy", "s3:AbortMultipartUpload", ARCHIVED)
    delete = ("delete_object", "s3:DeleteObjectVersion")
    yield from _calls(ARCHIVER, adapters, *delete, *inputs())
    yield from _erases(ARCHIVER, *archived())
    heartbeat = ("send_task_heartbeat", "states:SendTaskHeartbeat")
    yield from _calls(ARCHIVER, ANSWERS, *heartbeat, EVERYTHING)
    yield from _answers(ARCHIVER, "archiver-commands-dlq")
    yield from _logs(ARCHIVER, BY_LAMBDA, "/aws/lambda/batch-archiver")


def _relay() -> Iterator[Call]:
    rights = "dynamodb:DescribeStream dynamodb:GetRecords dynamodb:GetShardIterator"
    yield from _calls(RELAY, BY_LAMBDA, None, rights, EVENT_STREAM)
    yield from _calls(RELAY, BY_LAMBDA, None, "dynamodb:ListStreams", EVENT_STREAM)
    yield from _calls(RELAY, BY_LAMBDA, None, "sqs:SendMessage", queue("event-relay-dlq"))
    yield from _calls(RELAY, "services/relay/handler.py", "put_events", "events:PutEvents", BUS)
    yield from _logs(RELAY, BY_LAMBDA, "/aws/lambda/event-relay")


def _reads_kpis(role_name: str) -> Iterator[Call]:
    """Both KPI tables, by key."""
    kpis = "services/runtime/storage/published_kpis.py"
    days = ("batch_get_item", "dynamodb:BatchGetItem")
    yield from _calls(role_name, kpis, *days, table("OrderKPIs"))
    of_categories = (table("CategoryKPIs"), index("CategoryKPIs", "by-day"))
    yield from _calls(role_name, kpis, None, "dynamodb:Query", *of_categories)


def _api() -> Iterator[Call]:
    adapters = "services/api/adapters.py"
    views = table("PipelineViews")
    yield from _takes(API_VIEWS, "api-events")
    yield from _calls(API_VIEWS, adapters, "put_item", "dynamodb:PutItem", views)
    yield from _calls(API_VIEWS, adapters, "query", "dynamodb:Query", views)
    yield from _answers(API_VIEWS, "api-events-dlq")
    yield from _logs(API_VIEWS, BY_LAMBDA, "/aws/lambda/api-views")
    yield from _calls(API, adapters, None, "dynamodb:GetItem", views)
    lists = index("PipelineViews", "by-time")
    yield from _calls(API, adapters, "query", "dynamodb:Query", views, lists)
    yield from _reads_kpis(API)
    questions, kept = "services/api/questions/adapters.py", "services/api/questions/remembered.py"
    remembered = (asked("why-0199f0a27d6e"), asked("forms"))
    yield from _calls(API, kept, "put_item", "dynamodb:PutItem", *remembered)
    send = ("send_message", "sqs:SendMessage")
    yield from _calls(API, questions, *send, queue("transformer-commands"))
    read = ("get_object", "s3:GetObject")
    yield from _calls(API, NEWEST, *read, EXPLANATION, QUARANTINED_ROWS, REPLAYED)
    # Without it, S3 says 403 instead of 404.
    beginnings = ("processing/explanations/", "processing/replays/", "quarantine/")
    absent = [listed(DATA, one) for one in beginnings]
    yield from _calls(API, NEWEST, "get_object", "s3:ListBucket", *absent)
    corrections = "services/api/corrections/adapters.py"
    yield from _calls(API, DOCUMENTS, "put_object", "s3:PutObject", CORRECTIONS)
    yield from _calls(API, corrections, *send, queue("validator-commands"))
    yield from _calls(API, DOCUMENTS, "get_object", "s3:GetObjectVersion", ANSWERED)
    yield from _logs(API, BY_LAMBDA, "/aws/lambda/api")


def _operations() -> Iterator[Call]:
    adapters, letters = "services/api/adapters.py", "services/api/operations/letters.py"
    views, lists = table("PipelineViews"), index("PipelineViews", "by-time")
    yield from _calls(API_OPERATIONS, adapters, None, "dynamodb:GetItem", views)
    yield from _calls(API_OPERATIONS, adapters, "query", "dynamodb:Query", views, lists)
    yield from _calls(API_OPERATIONS, letters, "list_queues", "sqs:ListQueues", EVERYTHING)
    every = [queue(one) for one in (*QUEUES, *DEAD)]
    count = ("get_queue_attributes", "sqs:GetQueueAttributes")
    yield from _calls(API_OPERATIONS, letters, *count, *every)
    for where in (letters, "services/api/operations/adapters.py"):
        yield from _calls(API_OPERATIONS, where, "get_queue_url", "sqs:GetQueueUrl", *every)
    dead = [queue(one) for one in DEAD]
    for operation, action in (
        ("receive_message", "sqs:ReceiveMessage"),
        ("change_message_visibility", "sqs:ChangeMessageVisibility"),
        ("delete_message", "sqs:DeleteMessage"),
    ):
        yield from _calls(API_OPERATIONS, letters, operation, action, *dead)
    sources = [queue(one) for one in QUEUES]
    yield from _calls(API_OPERATIONS, letters, "send_message", "sqs:SendMessage", *sources)
    record = stored(ARCHIVE, "dropped-letters/lock-commands-dlq/5f3c.json")
    yield from _calls(API_OPERATIONS, letters, "put_object", "s3:PutObject", record)
    yield from _logs(API_OPERATIONS, BY_LAMBDA, "/aws/lambda/api-operations")


def _guard() -> Iterator[Call]:
    adapters = "services/guard/adapters.py"
    yield from _takes(GUARD, "guard-events")
    yield from _appends(GUARD, "kpi-anomaly/2025-07-07")
    yield from _reads_kpis(GUARD)
    yield from _calls(GUARD, adapters, "publish", "sns:Publish", TOPIC)
    yield from _answers(GUARD, "guard-events-dlq")
    yield from _logs(GUARD, BY_LAMBDA, "/aws/lambda/guard")


def _lineage() -> Iterator[Call]:
    yield from _takes(LINEAGE, "lineage-events")
    yield from _calls(LINEAGE, NEWEST, "get_object", "s3:GetObject", MANIFEST, REPORT)
    yield from _calls(LINEAGE, DOCUMENTS, "get_object", "s3:GetObjectVersion", RESULT)
    # Without it, S3 says 403 instead of 404.
    absent = listed(DATA, "processing/3f2a9c0d1e4b5a67/")
    yield from _calls(LINEAGE, NEWEST, "get_object", "s3:ListBucket", absent)
    yield from _answers(LINEAGE, "lineage-events-dlq")
    yield from _logs(LINEAGE, BY_LAMBDA, "/aws/lambda/lineage")


def _saga() -> Iterator[Call]:
    owners = ("aggregator", "lock", "validator", "transformer", "archiver")
    commands = [queue(f"{owner}-commands") for owner in owners]
    yield from _calls(SAGA, BY_STEP_FUNCTIONS, None, "sqs:SendMessage", *commands)
    validator, transformer = service("validator"), service("transformer")
    yield from _calls(SAGA, BY_STEP_FUNCTIONS, None, "ecs:DescribeServices", validator)
    yield from _calls(SAGA, BY_STEP_FUNCTIONS, None, "ecs:UpdateService", validator, transformer)
    yield from _calls(SAGA, BY_STEP_FUNCTIONS, None, "sns:Publish", TOPIC)
    # Documented as what a state machine needs to deliver its log.
    delivery = (
        "logs:CreateLogDelivery logs:GetLogDelivery logs:UpdateLogDelivery logs:DeleteLogDelivery "
        "logs:ListLogDeliveries logs:PutResourcePolicy logs:DescribeResourcePolicies "
        "logs:DescribeLogGroups"
    )
    yield from _calls(SAGA, BY_STEP_FUNCTIONS, None, delivery, EVERYTHING)


def _starts() -> Iterator[Call]:
    """What ECS does before a container runs."""
    pull = "ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer"
    for role_name, images, group in (
        (VALIDATOR_START, "validation/ecr", "/aws/ecs/validation-task"),
        (TRANSFORMER_START, "transformation/ecr", "/aws/ecs/transformation-task"),
    ):
        yield from _calls(role_name, BY_ECS, None, "ecr:GetAuthorizationToken", EVERYTHING)
        yield from _calls(role_name, BY_ECS, None, pull, repository(images))
        yield from _logs(role_name, BY_ECS, group)


CALLS = (
    *_aggregator(),
    *_lock(),
    *_validator(),
    *_transformer(),
    *_spark_job(),
    *_archiver(),
    *_relay(),
    *_lineage(),
    *_guard(),
    *_api(),
    *_operations(),
    *_saga(),
    *_starts(),
)
