"""What no role may do: touch another service's things, undo history, or take rights."""

from collections.abc import Iterator

import pytest

from tests.security.calls import (
    AGGREGATOR,
    API,
    API_OPERATIONS,
    API_VIEWS,
    ARCHIVER,
    GUARD,
    LINEAGE,
    LOCK,
    RELAY,
    SAGA,
    SPARK_JOB,
    TRANSFORMER,
    TRANSFORMER_START,
    VALIDATOR,
    VALIDATOR_START,
)
from tests.security.deployment_calls import BUILDS, DEPLOYS, PLANS, STACKS
from tests.security.people_calls import PEOPLE
from tests.security.policies import roles
from tests.security.targets import (
    ANSWER_OF_A_JOB,
    ANSWERED,
    ARCHIVE,
    ARCHIVED,
    ARCHIVED_DIFFERENCE,
    ARTIFACTS,
    BATCH,
    BUS,
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
    RECEIPT,
    REPLAY_INPUTS,
    REPLAY_MANIFEST,
    REPLAYED,
    REPORT,
    RESULT,
    ROTATION_KEY,
    STATE_MACHINE,
    WAREHOUSE,
    WHICH_PSEUDONYM,
    WHOM_TO_ERASE,
    Target,
    archived,
    bucket,
    glue,
    inputs,
    listed,
    queue,
    repository,
    role,
    rows_of,
    service,
    staged,
    stored,
    stream,
    table,
    task,
)

DEPLOYING_ROLES = {PLANS, BUILDS, DEPLOYS, STACKS}
EVERY_ROLE = (
    AGGREGATOR,
    API,
    API_OPERATIONS,
    API_VIEWS,
    ARCHIVER,
    LOCK,
    RELAY,
    SAGA,
    SPARK_JOB,
    TRANSFORMER,
    TRANSFORMER_START,
    VALIDATOR,
    GUARD,
    LINEAGE,
    VALIDATOR_START,
)
SERVICES = (AGGREGATOR, LOCK, VALIDATOR, TRANSFORMER, ARCHIVER)
STREAMS = {
    AGGREGATOR: ("file-set/ecommerce-data-bucket/1", "batch/4f0c2a9b7d1e8365"),
    LOCK: ("lock/ecommerce-pipeline-lock",),
    VALIDATOR: ("validation/4f0c2a9b7d1e8365/0000",),
    TRANSFORMER: ("transformation/4f0c2a9b7d1e8365",),
    ARCHIVER: ("archive/4f0c2a9b7d1e8365",),
    GUARD: ("kpi-anomaly/2025-07-07",),
}
TABLES = {
    "AggregatorState": AGGREGATOR,
    "ProcessingLockTable": LOCK,
    "TransformerState": TRANSFORMER,
    "OrderKPIs": TRANSFORMER,
    "CategoryKPIs": TRANSFORMER,
    "PipelineViews": API_VIEWS,
}
FOR = {TRANSFORMER: (SPARK_JOB,)}
"""Who does the owner's work in another place."""
NOT_A_JOBS = {
    *(("OrderKPIs", action) for action in ("GetItem", "Query")),
    *(("CategoryKPIs", action) for action in ("GetItem", "Query")),
    *(("TransformerState", action) for action in ("DeleteItem", "Query")),
}
ALSO_READ = {("CategoryKPIs", "Query"), ("PipelineViews", "GetItem"), ("PipelineViews", "Query")}
"""What the api's answers are made of; it writes none of it."""
QUEUES = {
    "aggregator-files": AGGREGATOR,
    "aggregator-commands": AGGREGATOR,
    "aggregator-events": AGGREGATOR,
    "lock-commands": LOCK,
    "lock-events": LOCK,
    "validator-commands": VALIDATOR,
    "transformer-commands": TRANSFORMER,
    "archiver-commands": ARCHIVER,
    "lineage-events": LINEAGE,
    "guard-events": GUARD,
    "api-events": API_VIEWS,
}
COMMANDERS = {SAGA} | {VALIDATOR, TRANSFORMER}
"""The saga commands; the two workers ask the lock to extend the lease. The api asks why and for
replays, and its operations send dead letters back."""
PAPER = stored(ARCHIVE, f"archive/{BATCH}/_audit/manifest.json")
"""What is kept beside archived inputs, and names no user."""
Row = tuple[str, str, Target]


def others(*owners: str) -> Iterator[str]:
    return (name for name in EVERY_ROLE if name not in owners)


def another_service() -> Iterator[Row]:
    for owner, streams in STREAMS.items():
        for one in streams:
            for action in ("Query", "PutItem"):
                for name in others(owner, *FOR.get(owner, ())):
                    yield name, f"dynamodb:{action}", stream(one)
    for name, owner in TABLES.items():
        for action in ("GetItem", "PutItem", "DeleteItem", "Query"):
            is_view = name == "PipelineViews"
            readers = [API, *[API_OPERATIONS] * is_view] if (name, action) in ALSO_READ else []
            readers += [GUARD] if (name, action) == ("CategoryKPIs", "Query") else []
            at_work = FOR.get(owner, ()) if (name, action) not in NOT_A_JOBS else ()
            for other in others(owner, *readers, *at_work):
                yield other, f"dynamodb:{action}", table(name)
    for name, owner in QUEUES.items():
        for other in others(owner):
            yield other, "sqs:ReceiveMessage", queue(name)
            yield other, "sqs:DeleteMessage", queue(name)
        asked_by_api = name in ("transformer-commands", "validator-commands")
        asking = [API_OPERATIONS, *[API] * asked_by_api]
        for other in others(owner, *COMMANDERS, *asking):
            yield other, "sqs:SendMessage", queue(name)
    for name in ("validator-commands", "transformer-commands", "archiver-commands"):
        yield VALIDATOR, "sqs:SendMessage", queue(name)
        yield TRANSFORMER, "sqs:SendMessage", queue(name)


def event_store() -> Iterator[Row]:
    """History is appended to: nobody rewrites it, reads all of it, or goes around the keys."""
    whole = table("EventStore")
    for name in EVERY_ROLE:
        for action in ("Query", "PutItem", "ConditionCheckItem", "Scan", "DeleteTable"):
            yield name, f"dynamodb:{action}", whole
        own = STREAMS.get(name, ("batch/4f0c2a9b7d1e8365",))[0]
        for action in ("UpdateItem", "DeleteItem", "BatchWriteItem", "PartiQLUpdate"):
            yield name, f"dynamodb:{action}", stream(own)
    mixed = {"dynamodb:LeadingKeys": [STREAMS[LOCK][0], STREAMS[AGGREGATOR][0]]}
    yield LOCK, "dynamodb:Query", Target(whole.resource, "two owners' streams", mixed)
    for prefix in ("lock", "locksmith/one", "xlock/one", "LOCK/one", ""):
        yield LOCK, "dynamodb:PutItem", stream(prefix)
    for name in others(RELAY):
        yield name, "dynamodb:GetRecords", EVENT_STREAM
        yield name, "events:PutEvents", BUS


def objects() -> Iterator[Row]:
    for name in EVERY_ROLE:
        for one in (*inputs(), MANIFEST, REPORT, RESULT, DIFFERENCE):
            yield name, "s3:DeleteObject", one
        for one in (*staged()[1:], MANIFEST, REPORT, RESULT, PAPER, RECEIPT, FACTS_FILE):
            yield name, "s3:DeleteObjectVersion", one
        yield name, "s3:PutObject", RECEIPT
        yield name, "s3:GetObject", RECEIPT
        for one in (WHOM_TO_ERASE, WHICH_PSEUDONYM):
            for action in ("PutObject", "DeleteObject", "DeleteObjectVersion"):
                yield name, f"s3:{action}", one
        for one in inputs():
            yield name, "s3:PutObject", one
        yield name, "s3:DeleteObject", ARCHIVED
        yield name, "s3:PutObject", stored(ARCHIVE, "elsewhere.csv")
        yield name, "s3:GetObject", stored(ARTIFACTS, "lock/code.zip")
        yield name, "s3:PutObject", stored(ARTIFACTS, "lock/code.zip")
        yield name, "s3:GetObject", Target("arn:aws:s3:::somebody-elses/orders/a.csv", "elsewhere")
        yield name, "s3:PutObject", stored(DATA, "quarantine/answers/july.json")
        yield name, "s3:DeleteObject", stored(DATA, "quarantine/answers/july.json")
        for one in (DATA, ARCHIVE, ARTIFACTS, WAREHOUSE):
            for action in ("PutBucketPolicy", "DeleteBucket", "PutLifecycleConfiguration"):
                yield name, f"s3:{action}", bucket(one)
            yield name, "s3:PutBucketVersioning", bucket(one)
            yield name, "s3:BypassGovernanceRetention", stored(one, "any")
    for name in others(ARCHIVER):
        for one in archived():
            for action in ("PutObject", "GetObject", "GetObjectVersion", "DeleteObjectVersion"):
                yield name, f"s3:{action}", one
        for one in inputs():
            yield name, "s3:DeleteObjectVersion", one
    for name in others(ARCHIVER, VALIDATOR):
        yield name, "s3:GetObjectVersion", WHOM_TO_ERASE
    for name in others(TRANSFORMER):
        yield name, "s3:GetObjectVersion", WHICH_PSEUDONYM
    for name in others(VALIDATOR):
        for one in (QUARANTINED_ROWS, QUARANTINED_FILE, staged()[0]):
            yield name, "s3:DeleteObjectVersion", one
        for one in (QUARANTINED_ROWS, QUARANTINED_FILE):
            for action in ("GetObject", "GetObjectVersion", "PutObject", "DeleteObject"):
                if (name, action, one) != (API, "GetObject", QUARANTINED_ROWS):
                    yield name, f"s3:{action}", one
        yield name, "s3:PutObject", REPORT
        for one in staged():
            yield name, "s3:PutObject", one
    for name in others(TRANSFORMER):
        yield name, "s3:PutObject", EXPLANATION
    for name in others(TRANSFORMER, SPARK_JOB):
        yield name, "s3:PutObject", DIFFERENCE
    for name in others(ARCHIVER):
        yield name, "s3:PutObject", ARCHIVED_DIFFERENCE
    for name in others(ARCHIVER, TRANSFORMER):
        yield name, "s3:GetObject", ARCHIVED_DIFFERENCE
    for name in others(VALIDATOR):
        for one in (*REPLAY_INPUTS, REPLAY_MANIFEST, REPLAYED, ANSWERED):
            yield name, "s3:PutObject", one
        yield name, "s3:DeleteObjectVersion", CORRECTIONS
        yield name, "s3:GetObjectVersion", CORRECTIONS
    for name in others(API):
        yield name, "s3:PutObject", CORRECTIONS
    for name in EVERY_ROLE:
        yield name, "s3:GetObject", CORRECTIONS
    for name in others(AGGREGATOR):
        yield name, "dynamodb:Query", rows_of("files")
    for name in others(VALIDATOR, TRANSFORMER, SPARK_JOB):
        for one in staged():
            yield name, "s3:GetObject", one
            yield name, "s3:GetObjectVersion", one
    for name in others(AGGREGATOR):
        yield name, "s3:PutObject", MANIFEST
        yield name, "s3:GetObject", stored(DATA, "manifests/july.json")
    for name in EVERY_ROLE:
        for prefix in ("", "processing/", "quarantine/"):
            yield name, "s3:ListBucketVersions", listed(DATA, prefix)
    for name in others(AGGREGATOR):
        yield name, "s3:ListBucketVersions", listed(DATA, "orders/")
    for name in others(AGGREGATOR, VALIDATOR, ARCHIVER):
        yield name, "s3:ListBucket", bucket(DATA)
    for name in others(TRANSFORMER, SPARK_JOB):
        yield name, "s3:PutObject", RESULT
        yield name, "s3:ListBucket", bucket(WAREHOUSE)
        for action in ("GetObject", "PutObject", "DeleteObject"):
            if (name, action) != (VALIDATOR, "GetObject"):
                yield name, f"s3:{action}", FACTS_FILE
        yield name, "glue:UpdateTable", glue("table/ecommerce/orders")
    for one in inputs():
        yield TRANSFORMER, "s3:GetObject", one
        yield TRANSFORMER, "s3:GetObjectVersion", one
    for name in (TRANSFORMER, SPARK_JOB):
        yield name, "s3:PutObject", stored(WAREHOUSE, "elsewhere/part-0.parquet")
        yield name, "glue:DeleteTable", glue("table/ecommerce/orders")
        yield name, "glue:UpdateTable", glue("table/finance/orders")
    for name in others(SPARK_JOB):
        yield name, "s3:GetObject", stored(ARTIFACTS, "transformer/spark-job-0f1e.zip")
        yield name, "s3:PutObject", ANSWER_OF_A_JOB
    yield SPARK_JOB, "s3:PutObject", stored(ARTIFACTS, "transformer/spark-job-0f1e.zip")
    yield SPARK_JOB, "s3:GetObject", stored(ARTIFACTS, "lock/77aa.zip")


def running() -> Iterator[Row]:
    """Who starts what: one starter of sagas, one of workers, nobody who runs tasks of his own."""
    for name in others(AGGREGATOR):
        yield name, "states:StartExecution", STATE_MACHINE
    for name in EVERY_ROLE:
        for action in ("UpdateStateMachine", "DeleteStateMachine"):
            yield name, f"states:{action}", STATE_MACHINE
        yield name, "states:StopExecution", EXECUTION
        yield name, "lambda:UpdateFunctionCode", EVERYTHING
        yield name, "ecs:RegisterTaskDefinition", EVERYTHING
        yield name, "ecr:PutImage", repository("validation/ecr")
    yield (
        AGGREGATOR,
        "states:StartExecution",
        Target(STATE_MACHINE.resource.replace("ecsJob", "other"), "another state machine"),
    )
    for name in others(SAGA):
        for one in ("validator", "transformer"):
            yield name, "ecs:UpdateService", service(one)
    for name in EVERY_ROLE:
        for family, one in (
            ("validation-task", "validator"),
            ("transformation-task", "transformer"),
        ):
            yield name, "ecs:RunTask", task(family)
            yield name, "iam:PassRole", role(f"{one}-TaskRole")
        for action in ("ecs:CreateService", "ecs:DeleteService"):
            yield name, action, service("validator")
        yield name, "application-autoscaling:RegisterScalableTarget", EVERYTHING
        elsewhere = OWN_TASK.resource.replace("ecommerce-pipeline", "somebody-elses")
        yield name, "ecs:UpdateTaskProtection", Target(elsewhere, "a task of another cluster")
    for name in others(VALIDATOR, TRANSFORMER):
        yield name, "ecs:UpdateTaskProtection", OWN_TASK
    yield VALIDATOR_START, "ecr:BatchGetImage", repository("transformation/ecr")
    yield TRANSFORMER_START, "ecr:BatchGetImage", repository("validation/ecr")


def secrets_and_rights() -> Iterator[Row]:
    for name in others(VALIDATOR):
        yield name, "secretsmanager:GetSecretValue", PSEUDONYM_KEY
    for name in others(TRANSFORMER):
        yield name, "secretsmanager:GetSecretValue", ROTATION_KEY
    for name in EVERY_ROLE:
        for one in (PSEUDONYM_KEY, ROTATION_KEY):
            for action in ("PutSecretValue", "DeleteSecret", "RotateSecret"):
                yield name, f"secretsmanager:{action}", one
            yield name, "secretsmanager:UpdateSecretVersionStage", one
        for action in ("CreateUser", "CreateAccessKey", "PutRolePolicy", "AttachRolePolicy"):
            yield name, f"iam:{action}", EVERYTHING
        for action in ("sts:AssumeRole", "kms:Decrypt", "kms:ScheduleKeyDeletion"):
            yield name, action, EVERYTHING
        for action in ("logs:DeleteLogGroup", "cloudtrail:StopLogging", "ssm:PutParameter"):
            yield name, action, EVERYTHING
        for action in ("cloudformation:UpdateStack", "ec2:RunInstances", "sns:Subscribe"):
            yield name, action, EVERYTHING
    for one in TABLES:
        for name in EVERY_ROLE:
            yield name, "dynamodb:DeleteTable", table(one)
            yield name, "dynamodb:UpdateTimeToLive", table(one)
    for name in others(TRANSFORMER):
        yield name, "dynamodb:Scan", table("OrderKPIs")
    yield TRANSFORMER, "dynamodb:Scan", table("TransformerState")
    yield LOCK, "dynamodb:Scan", table("ProcessingLockTable")


AREAS = (another_service, event_store, objects, running, secrets_and_rights)


@pytest.mark.parametrize("area", AREAS, ids=lambda area: area.__name__)
def test_nobody_may_do_what_is_not_theirs(area: object) -> None:
    rows = list(area())  # type: ignore[operator]
    granted = [
        f"{name} may {action} on {target.shown}"
        for name, action, target in rows
        if roles()[name].may(target.request(action))
    ]
    assert len(rows) > 60
    assert not granted, "\n".join(granted)


def test_the_tables_above_know_every_role_that_runs_something() -> None:
    """Those in which somebody deploys are test_bootstrap.py's; those of people test_people.py's."""
    assert set(EVERY_ROLE) == set(roles()) - DEPLOYING_ROLES - set(PEOPLE)


def test_each_role_can_be_taken_on_by_one_aws_service_only() -> None:
    assert {name: roles()[name].trusted for name in EVERY_ROLE} == {
        AGGREGATOR: {"lambda.amazonaws.com"},
        ARCHIVER: {"lambda.amazonaws.com"},
        LOCK: {"lambda.amazonaws.com"},
        RELAY: {"lambda.amazonaws.com"},
        LINEAGE: {"lambda.amazonaws.com"},
        GUARD: {"lambda.amazonaws.com"},
        API: {"lambda.amazonaws.com"},
        API_OPERATIONS: {"lambda.amazonaws.com"},
        API_VIEWS: {"lambda.amazonaws.com"},
        SAGA: {"states.amazonaws.com"},
        SPARK_JOB: {"emr-serverless.amazonaws.com"},
        TRANSFORMER: {"ecs-tasks.amazonaws.com"},
        TRANSFORMER_START: {"ecs-tasks.amazonaws.com"},
        VALIDATOR: {"ecs-tasks.amazonaws.com"},
        VALIDATOR_START: {"ecs-tasks.amazonaws.com"},
    }
