"""Does a version that was just deployed work? Checks that send no data and change none."""

import base64
import json
from collections.abc import Collection, Mapping
from typing import Any

from infra.errors import CheckFailed

NO_RECORDS = b'{"Records": []}'
"""What every function takes as a batch of nothing: it is loaded, reads its settings, makes its
clients, and has nothing to do."""
NOTHING_FAILED: Mapping[str, Any] = {"batchItemFailures": []}


def check_function(functions: Any, name: str, sha256: str) -> None:
    """Let the function handle no records; raises CheckFailed when it cannot, or is not this code.

    `sha256`: of its zip, in hexadecimal.
    """
    running = functions.get_function_configuration(FunctionName=name)["CodeSha256"]
    if base64.b64decode(running).hex() != sha256:
        raise CheckFailed(f"function {name} runs other code than was deployed")
    answer = functions.invoke(FunctionName=name, Payload=NO_RECORDS)
    said = answer["Payload"].read().decode(errors="replace")
    if "FunctionError" in answer:
        raise CheckFailed(f"function {name} cannot start: {_error_in(said)}")
    if json.loads(said) != NOTHING_FAILED:
        raise CheckFailed(f"function {name} answered {said[:200]} to a batch of nothing")


def check_state_machine(stepfunctions: Any, arn: str) -> None:
    """Raises CheckFailed when the machine cannot be started or a name in it was not filled in."""
    machine = stepfunctions.describe_state_machine(stateMachineArn=arn)
    if machine["status"] != "ACTIVE":
        raise CheckFailed(f"state machine {machine['name']} is {machine['status']}")
    if "${" in machine["definition"]:
        raise CheckFailed(f"state machine {machine['name']} has names that nobody filled in")


def ringing(cloudwatch: Any, alarms: Collection[str]) -> dict[str, str]:
    """Those of these alarms that ring, with the reason; one that only scales says of no fault."""
    if not alarms:
        return {}
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNames=list(alarms), StateValue="ALARM"
    )
    return {
        alarm["AlarmName"]: alarm.get("StateReason") or "no reason given"
        for page in pages
        for alarm in page["MetricAlarms"]
        if not _only_scales(alarm.get("AlarmActions", []))
    }


def _only_scales(actions: Collection[str]) -> bool:
    return bool(actions) and all(":scalingPolicy:" in action for action in actions)


def new_alarm(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """What to say of an alarm that rings now and did not before; None when there is none."""
    rang = sorted(set(now) - set(before))
    return f"alarm {rang[0]} rang: {now[rang[0]]}" if rang else None


def _error_in(payload: str) -> str:
    try:
        error = json.loads(payload)
        return f"{error.get('errorType', 'error')}: {error['errorMessage']}"
    except (ValueError, KeyError, AttributeError):
        return payload[:500]
