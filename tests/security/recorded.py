"""What a recorded call asks of IAM: actions on ARNs, as AWS documents them per operation."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.security.account import ACCOUNT, REGION
from tests.security.calls import TRANSFORMER, VALIDATOR
from tests.security.policies import Request
from tests.security.targets import BUS, PSEUDONYM_KEY, ROTATION_KEY, glue, table

LOCAL_ACCOUNT = "000000000000"
ROLE_OF_WORKER = {
    "services.validator.worker": VALIDATOR,
    "services.transformer.worker": TRANSFORMER,
}
_PARTS = {
    "Put": "dynamodb:PutItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}


def recorded_requests(calls_file: Path) -> Iterator[tuple[str, Request]]:
    """The role, and what it asked for, of each call; raises KeyError for an unknown operation."""
    for line in calls_file.read_text().splitlines():
        name, service, operation, parameters = json.loads(line)
        for request in requests_of(service, operation, parameters):
            yield ROLE_OF_WORKER.get(name, name), request


def requests_of(service: str, operation: str, parameters: Mapping[str, Any]) -> Iterator[Request]:
    """What one call asks for, its service and operation as botocore calls them."""
    yield from _OF_SERVICE[service](operation, parameters)


def _s3(operation: str, asked: Mapping[str, Any]) -> Iterator[Request]:
    if operation in ("ListObjectVersions", "ListObjectsV2"):
        action = "s3:ListBucket" + ("Versions" if operation == "ListObjectVersions" else "")
        whole = f"arn:aws:s3:::{asked['Bucket']}"
        yield Request(action, whole, {"s3:prefix": [asked["Prefix"]]})
        return
    target = f"arn:aws:s3:::{asked['Bucket']}/{asked['Key']}"
    version = "Version" if "VersionId" in asked else ""
    match operation:
        case "HeadObject" | "GetObject":
            yield Request(f"s3:GetObject{version}", target)
        case "DeleteObject":
            yield Request(f"s3:DeleteObject{version}", target)
        case "PutObject":
            yield Request("s3:PutObject", target)
        case "CopyObject":
            source = asked["CopySource"]
            copied = f"arn:aws:s3:::{source['Bucket']}/{source['Key']}"
            yield Request("s3:GetObjectVersion", copied)
            yield Request("s3:GetObjectVersionTagging", copied)
            yield Request("s3:PutObject", target)
            yield Request("s3:PutObjectTagging", target)
        case _:
            raise KeyError(operation)


def _dynamodb(operation: str, asked: Mapping[str, Any]) -> Iterator[Request]:
    if operation == "TransactWriteItems":
        for item in asked["TransactItems"]:
            [(part, of)] = item.items()
            yield _on_table(_PARTS[part], of["TableName"], of.get("Item") or of["Key"])
        return
    if operation == "BatchGetItem":
        for name, of in asked["RequestItems"].items():
            for key in of["Keys"]:
                yield _on_table("dynamodb:BatchGetItem", name, key)
        return
    keys = asked.get("Key") or {}
    if operation == "Query":
        keys = dict([next(iter(asked["ExpressionAttributeValues"].items()))])
    request = _on_table(f"dynamodb:{operation}", asked["TableName"], keys)
    if "IndexName" in asked:
        whole = f"{request.resource}/index/{asked['IndexName']}"
        request = Request(request.action, whole, request.context)
    yield request


def _on_table(action: str, name: str, item: Mapping[str, Mapping[str, str]]) -> Request:
    key = item.get("stream_id") or next(iter(item.values()), None)
    context = {} if key is None else {"dynamodb:LeadingKeys": [key["S"]]}
    return Request(action, table(name).resource, context)


def _glue(operation: str, asked: Mapping[str, Any]) -> Iterator[Request]:
    """Glue asks for the right on the catalog, on the database and on the table."""
    database = asked["Name"] if operation == "GetDatabase" else asked["DatabaseName"]
    parts = ["catalog", f"database/{database}"]
    if operation != "GetDatabase":
        name = asked["TableInput"]["Name"] if "TableInput" in asked else asked["Name"]
        parts.append(f"table/{database}/{name}")
    for part in parts:
        yield Request(f"glue:{operation}", glue(part).resource)


def _sqs(operation: str, asked: Mapping[str, Any]) -> Iterator[Request]:
    if operation == "ListQueues":
        yield Request(f"sqs:{operation}", "*")
        return
    name = asked["QueueName"] if "QueueName" in asked else asked["QueueUrl"].rsplit("/", 1)[-1]
    right = operation.removesuffix("Batch")
    yield Request(f"sqs:{right}", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")


def _states(operation: str, asked: Mapping[str, Any]) -> Iterator[Request]:
    arn = asked.get("stateMachineArn") or asked.get("executionArn") or "*"
    yield Request(f"states:{operation}", arn.replace(LOCAL_ACCOUNT, ACCOUNT))


def _events(operation: str, asked: Mapping[str, Any]) -> Iterator[Request]:
    own_bus = BUS.resource.rsplit("/", 1)[0]
    for entry in asked["Entries"]:
        yield Request(f"events:{operation}", f"{own_bus}/{entry['EventBusName']}")


def _sns(operation: str, asked: Mapping[str, Any]) -> Iterator[Request]:
    yield Request(f"sns:{operation}", asked["TopicArn"].replace(LOCAL_ACCOUNT, ACCOUNT))


def _secretsmanager(operation: str, asked: Mapping[str, Any]) -> Iterator[Request]:
    """The name of a secret is generated at deployment; only ours hold their logical ids."""
    other = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{asked['SecretId']}"
    ours = {"PseudonymKey": PSEUDONYM_KEY, "RotationKey": ROTATION_KEY}
    found = [secret.resource for name, secret in ours.items() if name in asked["SecretId"]]
    yield Request(f"secretsmanager:{operation}", found[0] if found else other)


def _ssm(operation: str, asked: Mapping[str, Any]) -> Iterator[Request]:
    name = asked["Name"]
    yield Request(f"ssm:{operation}", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{name}")


def _logs(operation: str, asked: Mapping[str, Any]) -> Iterator[Request]:
    name = asked["logGroupName"]
    yield Request(f"logs:{operation}", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}:*")


_OF_SERVICE = {
    "s3": _s3,
    "dynamodb": _dynamodb,
    "glue": _glue,
    "sqs": _sqs,
    "stepfunctions": _states,
    "events": _events,
    "sns": _sns,
    "secretsmanager": _secretsmanager,
    "ssm": _ssm,
    "logs": _logs,
}
