"""IAM as MiniStack enforces it, told the three things that AWS knows and it does not.

It checks signatures and evaluates the policies of roles, queues, buckets and the topic, as they
are in the templates. Here it is told which keys of a table a request names (without them it would
refuse every query of the event store), that Glue wants each right on the catalog, the database and
the table, and that loopback is as closed as TLS. Beside ministack_state.py the only place that
reaches into MiniStack's modules.
"""

import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

LEADING_KEYS = "dynamodb:LeadingKeys"
_TABLE = re.compile(r":table/([^/]+)(?:/index/([^/]+))?$")
_EQUALS = re.compile(r"(#?[\w.]+)\s*=\s*(:\w+)")

Item = Mapping[str, Mapping[str, Any]]
PartitionKey = Callable[[str, str | None], str | None]
"""The name of the partition key of a table, or of one of its indexes; None for no such table."""

_body: ContextVar[bytes] = ContextVar("body of the request that is evaluated", default=b"")
logger = logging.getLogger("ecp.iam")


class Rights:
    """Whose calls MiniStack allowed and denied since it was started."""

    def __init__(self) -> None:
        self._asked: Counter[tuple[str, str, bool]] = Counter()

    def enforce(self) -> None:
        """Have MiniStack, once imported, evaluate requests with what it does not know itself."""
        from ministack import app
        from ministack.core import iam_actions, iam_evaluator

        pin, resource_of = app.pin_request_origin, iam_actions.extract_resource_arn
        evaluate = iam_evaluator.enforce

        def with_body(
            service: str, method: str, path: str, headers: Any, body: bytes, *rest: Any
        ) -> Any:
            _body.set(body)
            return resource_of(service, method, path, headers, body, *rest)

        def told(
            access_key: str, action: str, service: str, region: str,
            resource_arn: str = "*", service_context: dict[str, Any] | None = None,
        ) -> Any:  # fmt: skip
            context = dict(service_context or {})
            resources = [resource_arn]
            if service == "dynamodb":
                found = leading_keys(_read(_body.get()), partition_key)
                if keys := found.get(_table_of(resource_arn) or ""):
                    context[LEADING_KEYS] = keys
            if service == "glue":
                resources = glue_resources(_read(_body.get()), resource_arn)
            refusal = None
            for one in resources:
                refusal = refusal or evaluate(access_key, action, service, region, one, context)
            self._note(iam_evaluator.resolve_caller_identity(access_key), action, refusal)
            if refusal is not None:
                logger.warning("denied: %s on %s: %s", action, resource_arn, refusal)
            return refusal

        app.pin_request_origin = lambda source_ip, _secure: pin(source_ip, True)
        iam_actions.extract_resource_arn = with_body
        iam_evaluator.enforce = told

    def asked(self) -> list[dict[str, Any]]:
        """How often each role's calls of each action were allowed and denied, by name."""
        return [
            {"role": role, "action": action, "allowed": self._asked[role, action, True],
             "denied": self._asked[role, action, False]}
            for role, action in sorted({key[:2] for key in self._asked})
        ]  # fmt: skip

    def _note(self, caller: Mapping[str, Any] | None, action: str, refusal: Any) -> None:
        arn = str(caller["userArn"]) if caller else "unknown"
        _, is_role, assumed = arn.partition(":assumed-role/")
        role = assumed.split("/")[0] if is_role else arn.rpartition(":")[2]
        self._asked[role, action, refusal is None] += 1


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


def partition_key(table: str, index: str | None) -> str | None:
    """As MiniStack's own tables have it."""
    from ministack.services import dynamodb

    kept = dynamodb._tables.get(table)
    if kept is None:
        return None
    indexes = [
        *(kept.get("GlobalSecondaryIndexes") or ()),
        *(kept.get("LocalSecondaryIndexes") or ()),
    ]
    schemas = [one["KeySchema"] for one in indexes if one["IndexName"] == index]
    schema = schemas[0] if schemas else kept["KeySchema"]
    return next((str(one["AttributeName"]) for one in schema if one["KeyType"] == "HASH"), None)


def _table_of(resource_arn: str) -> str | None:
    found = _TABLE.search(resource_arn)
    return found[1] if found else None


def _read(body: bytes) -> Mapping[str, Any]:
    """MiniStack itself says what is wrong with a body that is no object."""
    try:
        asked = json.loads(body or b"{}")
    except ValueError:
        return {}
    return asked if isinstance(asked, dict) else {}
