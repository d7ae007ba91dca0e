"""What AWS takes at most, each with where it says so; what we make at worst is measured elsewhere.

Quotas that an account can have raised are not here (docs/first-hour.md), but for those that a
template or a message would break by itself.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """The most of something; `source` is the AWS page that gives the number."""

    most: int
    source: str


_CFN = "CloudFormation user guide, Understand CloudFormation quotas"
_IAM = "IAM user guide, IAM and AWS STS quotas"
_EVENTS = "EventBridge user guide, Amazon EventBridge quotas"
_LAMBDA = "Lambda developer guide, Lambda quotas"
_STATES = "Step Functions developer guide, Step Functions service quotas"
_DYNAMODB = "DynamoDB developer guide, Quotas in Amazon DynamoDB"
_SQS = "SQS developer guide, Amazon SQS message quotas"

LIMITS = {
    "template: bytes sent directly": Limit(51_200, _CFN),
    "template: resources": Limit(500, _CFN),
    "template: parameters": Limit(200, _CFN),
    "template: outputs": Limit(200, _CFN),
    "template: description bytes": Limit(1_024, _CFN),
    "role: characters of inline policies": Limit(10_240, _IAM),
    "role: characters of the trust policy": Limit(2_048, _IAM),
    "name: role": Limit(64, _IAM),
    "name: function": Limit(64, "Lambda API reference, CreateFunction"),
    "name: queue": Limit(80, "SQS developer guide, Amazon SQS queue quotas"),
    "name: state machine": Limit(80, "Step Functions API reference, CreateStateMachine"),
    "name: execution": Limit(80, "Step Functions API reference, StartExecution"),
    "name: state": Limit(80, "Amazon States Language, Structure of a state machine"),
    "name: table": Limit(255, _DYNAMODB),
    "name: bucket": Limit(63, "S3 user guide, General purpose bucket naming rules"),
    "name: rule": Limit(64, "EventBridge API reference, PutRule"),
    "name: log group": Limit(512, "CloudWatch Logs API reference, CreateLogGroup"),
    "name: alarm": Limit(255, "CloudWatch API reference, PutMetricAlarm"),
    "name: topic": Limit(256, "SNS API reference, CreateTopic"),
    "name: parameter": Limit(1_011, "Systems Manager user guide, parameter names"),
    "key: S3 bytes": Limit(1_024, "S3 user guide, Naming Amazon S3 objects"),
    "key: DynamoDB partition bytes": Limit(2_048, _DYNAMODB),
    "key: DynamoDB sort bytes": Limit(1_024, _DYNAMODB),
    "item: DynamoDB bytes": Limit(400 * 1024, _DYNAMODB),
    "transaction: DynamoDB items": Limit(100, "DynamoDB API reference, TransactWriteItems"),
    "transaction: DynamoDB bytes": Limit(4_000_000, "DynamoDB API reference, TransactWriteItems"),
    "batch get: DynamoDB keys": Limit(100, "DynamoDB API reference, BatchGetItem"),
    "parameter: SSM standard characters": Limit(4_096, "Systems Manager API, PutParameter"),
    "rule: targets": Limit(5, _EVENTS),
    "rule: characters of the pattern": Limit(2_048, _EVENTS),
    "rule: characters of an input": Limit(8_192, "EventBridge API reference, Target"),
    "message: PutEvents entries": Limit(10, "EventBridge API reference, PutEvents"),
    # 256 KB until 2025, and 1 MB since: what fits into the former fits in every region.
    "message: PutEvents bytes": Limit(256 * 1024, _EVENTS),
    "message: SQS bytes": Limit(256 * 1024, _SQS),
    "message: SQS delay seconds": Limit(900, _SQS),
    "message: SNS bytes": Limit(256 * 1024, "SNS API reference, Publish"),
    "message: SNS subject characters": Limit(100, "SNS API reference, Publish"),
    "message: SQS batch without a window": Limit(10, "Lambda API, CreateEventSourceMapping"),
    "saga: bytes of a payload": Limit(256 * 1024, _STATES),
    "saga: bytes of the definition": Limit(1024 * 1024, _STATES),
    "saga: events of an execution": Limit(25_000, _STATES),
    "saga: characters of a cause": Limit(32_768, "Step Functions API, SendTaskFailure"),
    "saga: characters of an error": Limit(256, "Step Functions API, SendTaskFailure"),
    "function: bytes of the environment": Limit(4_096, _LAMBDA),
    "function: seconds": Limit(900, _LAMBDA),
    "function: bytes unzipped": Limit(250 * 1024 * 1024, _LAMBDA),
    "api: seconds of an integration": Limit(30, "API Gateway, Quotas for HTTP APIs"),
    "api: bytes of an answer": Limit(6 * 1024 * 1024, _LAMBDA),
    "task: bytes of the definition": Limit(64 * 1024, "ECS developer guide, Service quotas"),
    "metrics: dimensions": Limit(30, "CloudWatch API reference, MetricDatum"),
    "alarm: actions": Limit(5, "CloudWatch API reference, PutMetricAlarm"),
    "resource: tags": Limit(50, "Tagging AWS resources, Tag naming limits"),
}
