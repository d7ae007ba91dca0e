"""IAM as MiniStack enforces it, told what AWS knows and it does not.

It checks signatures and evaluates the policies of roles, queues, buckets and the topic, as they
are in the templates. Here it is told which resources and keys a request asks for
(asked_resources.py), and that loopback is as closed as TLS. Beside ministack_state.py the only
place that reaches into MiniStack's modules.
"""

import json
import logging
from collections import Counter
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qsl

from infra.local.asked_resources import as_aws_asks

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
            asked = READERS[service](_body.get()) if service in READERS else {}
            right, resources, more = as_aws_asks(
                service, action, resource_arn, asked, partition_key
            )
            context = {**(service_context or {}), **more}
            refusal = None
            for one in resources:
                refusal = refusal or evaluate(access_key, right, service, region, one, context)
            self._note(iam_evaluator.resolve_caller_identity(access_key), right, refusal)
            if refusal is not None:
                logger.warning("denied: %s on %s: %s", right, ", ".join(resources), refusal)
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


def _json(body: bytes) -> Mapping[str, Any]:
    """MiniStack itself says what is wrong with a body that is no object."""
    try:
        asked = json.loads(body or b"{}")
    except ValueError:
        return {}
    return asked if isinstance(asked, dict) else {}


def _form(body: bytes) -> Mapping[str, Any]:
    """With the stack of the change set that it names."""
    from ministack.services import cloudformation

    asked = dict(parse_qsl(body.decode("utf-8", errors="replace")))
    change_set = cloudformation._change_sets.get(asked.get("ChangeSetName", ""))
    return {**asked, "StackId": change_set["StackId"]} if change_set else asked


READERS = {"cloudformation": _form, "dynamodb": _json, "ecs": _json, "glue": _json}
