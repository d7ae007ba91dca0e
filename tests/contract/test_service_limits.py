"""Each limit of AWS against the most that templates, messages and code of ours come to.

Sets and names as large as may be run through the aggregator in
tests/unit/aggregator/test_largest_sets.py, what stores refuse is in event_store_suite.py.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts import envelope, foreign, layout
from contracts.identities import FileIdentity, execution_name
from contracts.messages import FileDetected
from infra.deployer import package
from services.aggregator import notifications, read_model
from services.aggregator.open_set import carry_over, detection, use_cases
from services.aggregator.open_set.domain import MAX_BATCH_FILES
from services.api.http import formats
from services.relay import handler as relay
from services.runtime.event_store import dynamodb, port
from services.runtime.messaging import dead_letters, task_callbacks
from tests.contract import saga_history
from tests.contract.aws_limits import LIMITS
from tests.contract.builders import an_example
from tests.contract.declared import SAGA, states_in, templates
from tests.security.account import of_type, resources
from tests.security.policies import roles

BATCH = "f" * 16
LONGEST_SUFFIX = 30
"""Of BucketSuffix (infra/stacks/platform.yaml): `-<account>-<region>` has 28 at most."""
LONGEST_VERSION_ID = "v" * 1_024
"""S3 user guide, Version IDs."""
ENVELOPE_OF_AWS = 2_000
"""More than EventBridge puts around a detail, and Step Functions around an answer."""
DEFINITION = json.loads(SAGA.read_text())

Measured = Iterator[tuple[str, int]]
MEASURES: dict[str, Callable[[], Measured]] = {}


def measures(limit: str) -> Callable[[Callable[[], Measured]], Callable[[], Measured]]:
    """Gives what comes nearest to a limit: names and sizes."""

    def register(measure: Callable[[], Measured]) -> Callable[[], Measured]:
        MEASURES[limit] = measure
        return measure

    return register


def constant(limit: str, *sizes: int) -> None:
    """The code holds itself to these."""
    MEASURES[limit] = lambda: (("constant", size) for size in sizes)


def text(value: Any) -> int:
    """Characters of JSON without white space, as IAM and EventBridge count."""
    return len(json.dumps(value, separators=(",", ":"), default=str))


def of_template(limit: str, measure: Callable[[Any], int]) -> None:
    MEASURES[limit] = lambda: ((str(one.path), measure(one)) for one in templates())


def of_property(limit: str, kind: str, measure: Callable[[dict[str, Any]], int]) -> None:
    MEASURES[limit] = lambda: ((str(one), measure(one.properties)) for one in of_type(kind))


of_template("template: bytes sent directly", lambda one: len(one.path.read_bytes()))
of_template("template: resources", lambda one: len(one.document["Resources"]))
of_template("template: parameters", lambda one: len(one.document.get("Parameters", ())))
of_template("template: outputs", lambda one: len(one.document.get("Outputs", ())))
of_template("template: description bytes", lambda one: len(one.document["Description"].encode()))

MEASURES["role: characters of inline policies"] = lambda: (
    (
        name,
        sum(text(one["PolicyDocument"]) for one in role.policies if "ManagedPolicyName" not in one),
    )
    for name, role in roles().items()
)
of_property(
    "role: characters of the trust policy",
    "AWS::IAM::Role",
    lambda role: text(role["AssumeRolePolicyDocument"]),
)
for _limit, _kind, _name in (
    ("name: function", "AWS::Lambda::Function", "FunctionName"),
    ("name: queue", "AWS::SQS::Queue", "QueueName"),
    ("name: state machine", "AWS::StepFunctions::StateMachine", "StateMachineName"),
    ("name: table", "AWS::DynamoDB::Table", "TableName"),
    ("name: rule", "AWS::Events::Rule", "Name"),
    ("name: log group", "AWS::Logs::LogGroup", "LogGroupName"),
    ("name: alarm", "AWS::CloudWatch::Alarm", "AlarmName"),
    ("name: topic", "AWS::SNS::Topic", "TopicName"),
    ("name: parameter", "AWS::SSM::Parameter", "Name"),
):
    of_property(_limit, _kind, lambda one, name=_name: len(one[name]))  # type: ignore[misc]
of_property("name: bucket", "AWS::S3::Bucket", lambda one: len(one["BucketName"]) + LONGEST_SUFFIX)
of_property("rule: targets", "AWS::Events::Rule", lambda one: len(one["Targets"]))
of_property(
    "rule: characters of the pattern",
    "AWS::Events::Rule",
    lambda one: text(one.get("EventPattern", {})),
)
of_property(
    "rule: characters of an input",
    "AWS::Events::Rule",
    lambda one: max(text(target) for target in one["Targets"]),
)
of_property(
    "parameter: SSM standard characters", "AWS::SSM::Parameter", lambda one: text(one["Value"])
)
of_property(
    "function: bytes of the environment",
    "AWS::Lambda::Function",
    lambda one: text(one["Environment"]["Variables"]),
)
of_property("function: seconds", "AWS::Lambda::Function", lambda one: one["Timeout"])
of_property("task: bytes of the definition", "AWS::ECS::TaskDefinition", text)
of_property(
    "alarm: actions", "AWS::CloudWatch::Alarm", lambda one: len(one.get("AlarmActions", ()))
)

constant("item: DynamoDB bytes", port.MAX_ITEM_BYTES, envelope.MAX_MESSAGE_BYTES + 4_096)
constant("transaction: DynamoDB items", port.MAX_TRANSACTION_ITEMS)
constant("transaction: DynamoDB bytes", port.MAX_TRANSACTION_BYTES)
constant("batch get: DynamoDB keys", dynamodb.MAX_BATCH_KEYS)
constant("message: PutEvents entries", relay.MAX_ENTRIES)
constant(
    "message: PutEvents bytes",
    relay.MAX_REQUEST_BYTES,
    envelope.MAX_MESSAGE_BYTES + ENVELOPE_OF_AWS,
    detection.MAX_EVENT_BYTES + ENVELOPE_OF_AWS,
    carry_over.MAX_EVENT_BYTES + ENVELOPE_OF_AWS,
)
constant("message: SQS bytes", foreign.MAX_BODY_BYTES, envelope.MAX_MESSAGE_BYTES + ENVELOPE_OF_AWS)
constant("message: SQS delay seconds", use_cases.MAX_DELAY_SECONDS)
constant("message: SNS bytes", 4 * notifications.MAX_MESSAGE_CHARACTERS)
constant("message: SNS subject characters", notifications.MAX_SUBJECT_CHARACTERS)
constant(
    "saga: bytes of a payload",
    # Each character of a notification as JSON: `\ud83d\ude00` at worst.
    12 * (notifications.MAX_MESSAGE_CHARACTERS + notifications.MAX_SUBJECT_CHARACTERS)
    + ENVELOPE_OF_AWS,
)
constant("saga: characters of a cause", task_callbacks.MAX_CAUSE_CHARACTERS)
constant("saga: characters of an error", task_callbacks.MAX_ERROR_CHARACTERS)
constant("function: bytes unzipped", package.LAMBDA_UNZIPPED_LIMIT_BYTES)
constant("api: bytes of an answer", formats.MAX_ANSWER_BYTES)


@measures("name: role")
def names_of_roles() -> Measured:
    """A role without a name gets one from CloudFormation, which cuts it."""
    for role in of_type("AWS::IAM::Role"):
        if "RoleName" in role.properties:
            yield str(role), len(role.properties["RoleName"])


@measures("name: execution")
def names_of_executions() -> Measured:
    yield "the thousandth redrive", len(execution_name(BATCH, 1_000))


@measures("name: state")
def names_of_states() -> Measured:
    for name, _ in states_in(DEFINITION):
        yield name, len(name)


@measures("key: S3 bytes")
def keys_in_s3() -> Measured:
    longest = "orders/" + "x" * (layout.MAX_INPUT_NAME_BYTES - 11) + ".csv"
    assert layout.is_input(longest)
    assert not layout.is_input(longest.replace("x", "xx", 1))
    yield "archive", len(layout.archive_prefix(BATCH) + longest)
    yield "quarantine", len(layout.quarantined_file_key(BATCH, longest))
    yield "dropped letter", len(layout.dropped_letter_key("q" * 80, "i" * 100))


def _rows_of_longest_file() -> list[dict[str, Any]]:
    identity = FileIdentity("b" * 63, "k" * 1_024, LONGEST_VERSION_ID)
    event = FileDetected(**an_example("FileDetected"))
    at = "2025-07-07T12:00:00.000Z"
    return [
        read_model.seen_row(identity, event, at, 1),
        read_model.source_key(identity.bucket, identity.key),
        read_model.without_source_key(identity.bucket, "s" * 40, identity.key, LONGEST_VERSION_ID),
        read_model.content_key(event, "d" * 200),
        read_model.execution_key("arn:aws:states:" + "e" * 400),
    ]


@measures("key: DynamoDB partition bytes")
def partitions() -> Measured:
    yield "stream or token", envelope.MAX_NAME_BYTES
    for row in _rows_of_longest_file():
        yield row["pk"][:20], len(row["pk"].encode())


@measures("key: DynamoDB sort bytes")
def sort_keys() -> Measured:
    for row in _rows_of_longest_file():
        yield row["pk"][:20], len(row["sk"].encode())


@measures("message: SQS batch without a window")
def batches_of_queues() -> Measured:
    for mapping in of_type("AWS::Lambda::EventSourceMapping"):
        waits = mapping.properties.get("MaximumBatchingWindowInSeconds", 0)
        if ":sqs:" in mapping.properties["EventSourceArn"] and not waits:
            yield str(mapping), mapping.properties.get("BatchSize", 10)


@measures("saga: bytes of the definition")
def definition() -> Measured:
    yield SAGA.name, len(SAGA.read_bytes())


@measures("saga: events of an execution")
def history() -> Measured:
    """A largest batch with the worst luck: nothing that may be tried again works at once."""
    yield f"{MAX_BATCH_FILES} files", saga_history.most_events(DEFINITION, MAX_BATCH_FILES)


def test_no_set_is_sealed_that_a_history_may_be_too_short_for() -> None:
    """What the aggregator takes at most, against what the saga can carry at worst."""
    assert saga_history.largest_set(DEFINITION) >= MAX_BATCH_FILES
    assert LIMITS["saga: events of an execution"].most == saga_history.MAX_EVENTS


@measures("api: seconds of an integration")
def integrations() -> Measured:
    for function in of_type("AWS::Lambda::Function"):
        if function.stack == "api" and "views" not in function.name:
            yield str(function), function.properties["Timeout"]


@measures("metrics: dimensions")
def dimensions() -> Measured:
    for alarm in of_type("AWS::CloudWatch::Alarm"):
        yield str(alarm), len(alarm.properties.get("Dimensions", ()))


@measures("resource: tags")
def tags() -> Measured:
    for resource in resources():
        yield str(resource), len(resource.properties.get("Tags", ()))


@pytest.mark.parametrize("name", LIMITS)
def test_nothing_of_ours_is_over_a_limit_of_aws(name: str) -> None:
    found = list(MEASURES[name]())
    assert found, "a limit that is compared with nothing says nothing"
    over = {what: size for what, size in found if size > LIMITS[name].most}
    assert over == {}, LIMITS[name].source


def test_each_measure_has_its_limit() -> None:
    assert set(MEASURES) == set(LIMITS)


def test_the_letters_of_a_queue_fit_into_what_sqs_takes() -> None:
    """1 MiB since 2025 (SQS developer guide): what is dead was taken, so it fits there too."""
    assert dead_letters.MAX_MESSAGE_BYTES == 1024 * 1024


def test_templates_are_sent_as_they_are() -> None:
    """The deployer hands their text to CloudFormation, so the smaller limit holds."""
    source = Path(package.__file__).with_name("stacks.py").read_text()
    assert "TemplateBody=" in source
    assert "TemplateURL=" not in source
