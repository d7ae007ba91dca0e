"""Which resources a right is wanted on, where MiniStack asks for less than AWS does.

Pure: it reads requests, and evaluates nothing.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from infra.environments import LOCAL_REGION
from infra.local.ministack import ACCOUNT

ANY_ALARM = f"arn:aws:cloudwatch:{LOCAL_REGION}:{ACCOUNT}:alarm:*"
LEADING_KEYS = "dynamodb:LeadingKeys"
_TABLE = re.compile(r":table/([^/]+)(?:/index/([^/]+))?$")
_EQUALS = re.compile(r"(#?[\w.]+)\s*=\s*(:\w+)")

Item = Mapping[str, Mapping[str, Any]]
PartitionKey = Callable[[str, str | None], str | None]
"""The name of the partition key of a table, or of one of its indexes; None for no such table."""


def as_aws_asks(
    service: str,
    action: str,
    resource_arn: str,
    asked: Mapping[str, Any],
    partition_key: PartitionKey,
) -> tuple[str, list[str], dict[str, Any]]:
    """The right that is wanted, on what, and condition keys that MiniStack leaves out."""
    match service:
        case "dynamodb":
            found = leading_keys(asked, partition_key).get(_table_of(resource_arn) or "")
            return action, [resource_arn], {LEADING_KEYS: found} if found else {}
        case "cloudformation":
            role = asked.get("RoleARN")
            stack = str(asked.get("StackId", resource_arn))
            return action, [stack], {"cloudformation:RoleArn": role} if role else {}
        case "monitoring" if resource_arn == "*":
            return action, [ANY_ALARM], {}
        case "glue":
            return action, glue_resources(asked, resource_arn), {}
        case "ecs":
            return action, *ecs_resources(action, asked, resource_arn)
        case "sqs":
            # For many messages the right is that for one (Amazon SQS, API permissions).
            return action.removesuffix("Batch"), [resource_arn], {}
        case _:
            return action, [resource_arn], {}


def ecs_resources(
    action: str, asked: Mapping[str, Any], resource_arn: str
) -> tuple[list[str], dict[str, Any]]:
    """The task definition or the tasks, in their cluster (Amazon ECS, actions and resources)."""
    here = ":".join(resource_arn.split(":")[:5])
    cluster = str(asked.get("cluster", "default"))

    def arn(kind: str, name: str) -> str:
        return name if name.startswith("arn:") else f"{here}:{kind}/{name}"

    within = {"ecs:cluster": arn("cluster", cluster)}
    inside = f"task/{cluster.rpartition('/')[2]}"
    match action:
        case "ecs:RunTask":
            return [arn("task-definition", asked["taskDefinition"])], within
        case "ecs:StopTask":
            return [arn(inside, asked["task"])], within
        case "ecs:DescribeTasks":
            return [arn(inside, one) for one in asked["tasks"]], within
        case "ecs:UpdateService":
            return [arn(f"service/{cluster.rpartition('/')[2]}", asked["service"])], within
        case "ecs:DescribeServices":
            inside = f"service/{cluster.rpartition('/')[2]}"
            return [arn(inside, one) for one in asked["services"]], within
        case "ecs:ListTasks":
            return ["*"], within
        case _:
            return [resource_arn], {}


def glue_resources(asked: Mapping[str, Any], resource_arn: str) -> list[str]:
    """What the right is wanted on, from the catalog down (AWS Glue, resource ARNs)."""
    here = resource_arn.rsplit(":", 1)[0]
    named, made = asked.get("Name"), asked.get("TableInput") or asked.get("DatabaseInput") or {}
    database = asked.get("DatabaseName")
    parts = ["catalog"]
    if database is None:
        database, table = named or made.get("Name"), None
    else:
        table = asked.get("TableName") or named or made.get("Name") or "*"
    parts += [f"database/{database}"] if database else []
    parts += [f"table/{database}/{table}"] if table else []
    return [f"{here}:{part}" for part in parts]


def leading_keys(asked: Mapping[str, Any], partition_key: PartitionKey) -> dict[str, list[str]]:
    """The values of partition keys that a request to DynamoDB names, by table."""
    found: dict[str, list[str]] = {}
    for table, index, item in _items(asked):
        name = partition_key(table, index)
        if name is not None and name in item:
            found.setdefault(table, []).extend(str(value) for value in item[name].values())
    return found


def _items(asked: Mapping[str, Any]) -> Iterator[tuple[str, str | None, Item]]:
    """Each table, index and key or item that a request names."""
    table, index = asked.get("TableName"), asked.get("IndexName")
    if isinstance(table, str):
        yield table, None, asked.get("Key") or asked.get("Item") or {}
        if "KeyConditionExpression" in asked:
            yield table, index, _equals(asked)
    for one in asked.get("TransactItems") or ():
        for part in one.values():
            yield part["TableName"], None, part.get("Key") or part.get("Item") or {}
    for name, of_table in (asked.get("RequestItems") or {}).items():
        if isinstance(of_table, Mapping):
            yield from ((name, None, key) for key in of_table.get("Keys", ()))
            continue
        for one in of_table:
            for request in one.values():
                yield name, None, request.get("Key") or request.get("Item") or {}


def _equals(asked: Mapping[str, Any]) -> Item:
    """What a query says is equal to what; the partition key is always among it."""
    names = asked.get("ExpressionAttributeNames") or {}
    values = asked.get("ExpressionAttributeValues") or {}
    return {
        names.get(name, name): values[value]
        for name, value in _EQUALS.findall(asked["KeyConditionExpression"])
        if value in values
    }


def _table_of(resource_arn: str) -> str | None:
    found = _TABLE.search(resource_arn)
    return found[1] if found else None
