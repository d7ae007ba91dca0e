"""What can be wrong between a service's declaration, its template and its code, as sentences."""

import re
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from contracts import schemas
from contracts.errors import ContractViolation
from tests.contract.builders import an_envelope, on_the_bus
from tests.contract.declared import EVENTS, Service, Template

AWS_EVENTS: Mapping[str, Mapping[str, Any]] = {
    "Step Functions Execution Status Change": {
        "source": "aws.states",
        "detail": {
            "executionArn": "", "stateMachineArn": "", "name": "", "input": "", "output": "",
            "status": ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"),
        },
    },
    "Object Created": {
        "source": "aws.s3",
        "detail": {
            "bucket": {"name": ""},
            "object": {"key": "", "size": 0, "etag": "", "version-id": "", "sequencer": ""},
            "reason": ("PutObject", "POST Object", "CopyObject", "CompleteMultipartUpload"),
        },
    },
}  # fmt: skip
"""What AWS puts on the default bus (AWS event references); a tuple lists all possible values."""
SCALING_POLICY = "AWS::ApplicationAutoScaling::ScalingPolicy"


def declaration_faults(service: Service) -> Iterator[str]:
    """Lists that differ from what the template makes."""
    template = service.template
    yield from _difference("queues", service.owned("queues"), _work_queues(template))
    tables = {table["TableName"] for table in template.of_type("AWS::DynamoDB::Table").values()}
    yield from _difference("tables", service.owned("tables"), tables)
    yield from _difference("alarms", set(service.declaration["alarms"]), set(template.alarms))
    yield from _difference("streams", service.owned("streams"), _streams(template))
    yield from _prefix_faults(service)


def code_faults(service: Service) -> Iterator[str]:
    """Lists that differ from what the code takes and makes, and types that have no schema."""
    consumed = service.types("consumes", "commands", "events")
    yield from _difference("consumes", consumed, service.registered)
    yield from _difference("emits", service.types("emits", "commands", "events"), service.made)
    for section in ("consumes", "emits"):
        for kind in ("commands", "events"):
            for entry in service.lists(section, kind):
                name, version = entry.split(" v")
                try:
                    schemas.find(kind, name, int(version))  # type: ignore[arg-type]
                except ContractViolation as fault:
                    yield f"{section} {entry}: {fault}"


def queue_faults(template: Template) -> Iterator[str]:
    """Queues without a dead-letter queue, and dead-letter queues without an alarm."""
    queues = template.of_type("AWS::SQS::Queue")
    for logical, name in template.queues.items():
        if name.endswith("-dlq"):
            if logical not in _watched(template):
                yield f"{name} has no alarm on ApproximateNumberOfMessagesVisible"
            continue
        target = queues[logical].get("RedrivePolicy", {}).get("deadLetterTargetArn", {})
        if _logical(target) not in template.queues:
            yield f"{name} has no dead-letter queue"
        elif template.queues[_logical(target)] != f"{name}-dlq":
            yield f"{name}: its dead-letter queue must be called {name}-dlq"


def alarm_faults(template: Template) -> Iterator[str]:
    """Alarms that nobody hears, neither people nor a scaling policy, or that say nothing."""
    heard_by = [
        {"Ref": name} for name in ("NotificationTopicArn", *template.of_type(SCALING_POLICY))
    ]
    for alarm in template.of_type("AWS::CloudWatch::Alarm").values():
        if not any(one in heard_by for one in alarm.get("AlarmActions", [])):
            yield f"{alarm['AlarmName']} tells nobody"
        if not alarm.get("AlarmDescription"):
            yield f"{alarm['AlarmName']} says nothing"


def rule_faults(service: Service, emitters: Mapping[str, str]) -> Iterator[str]:
    """Rules that can never match, that reach no queue, or that are not declared.

    `emitters`: the service that emits an event, by event type.
    """
    rules = service.template.of_type("AWS::Events::Rule")
    patterns = [
        rule["EventPattern"]
        for rule in rules.values()
        if "EventPattern" in rule and not all("EcsParameters" in one for one in rule["Targets"])
    ]  # what only starts a container is heard by nobody
    subscribed = {name for pattern in patterns for name in pattern["detail-type"]}
    ours = service.types("consumes", "events")
    declared = ours | set(service.declaration["consumes"].get("aws_events", []))
    yield from _difference("subscriptions", declared, subscribed)
    for logical, rule in rules.items():
        for event_type in rule.get("EventPattern", {}).get("detail-type", []):
            on_our_bus = "EventBusName" in rule
            if on_our_bus != (event_type in EVENTS):
                yield f"{logical}: {event_type} is never on that bus"
            elif not on_our_bus:
                yield from _aws_pattern_faults(logical, event_type, rule["EventPattern"])
            elif event_type not in emitters:
                yield f"{logical}: nobody emits {event_type}"
            else:
                source = f"ecommerce-pipeline/{emitters[event_type]}"
                yield from _pattern_faults(logical, event_type, source, rule["EventPattern"])
        for target in rule["Targets"]:
            yield from _target_faults(service.template, logical, target)


def _pattern_faults(rule: str, event_type: str, source: str, pattern: Any) -> Iterator[str]:
    event = on_the_bus(an_envelope(event_type, source=source))
    for path, choices in _conditions(pattern):
        if path == ("detail-type",):
            continue
        possible = [choice for choice in choices if _can_be(event, path, choice)]
        if not possible:
            yield f"{rule}: {'.'.join(path)} of {event_type} is never one of {choices}"


def _can_be(event: Any, path: tuple[str, ...], choice: Any) -> bool:
    """Whether the event could have that value there, by its schema; its source is fixed."""
    changed = deepcopy(event)
    place = changed
    for name in path[:-1]:
        place = place.get(name)
        if not isinstance(place, dict):
            return False
    if path[-1] not in place:
        return False
    if isinstance(choice, dict):
        return (
            "prefix" not in choice
            or path[0] == "detail"
            or (str(place[path[-1]]).startswith(choice["prefix"]))
        )
    if path[0] != "detail" or path[:2] == ("detail", "source"):
        return bool(place[path[-1]] == choice)
    place[path[-1]] = choice
    detail = changed["detail"]
    try:
        schemas.check("events", detail["event_type"], 1, detail["data"], closed=True)
        schemas.check("parts", "Envelope", 1, detail, closed=False)
    except ContractViolation:
        return False
    return True


def _aws_pattern_faults(rule: str, event_type: str, pattern: Any) -> Iterator[str]:
    known = AWS_EVENTS.get(event_type)
    if known is None:
        yield f"{rule}: add {event_type} to AWS_EVENTS, from AWS's event reference"
        return
    for path, choices in _conditions(pattern):
        if path == ("detail-type",):
            continue
        value: Any = known
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        fixed = (value,) if path == ("source",) else value
        if value is None:
            yield f"{rule}: {event_type} has no {'.'.join(path)}"
        elif isinstance(fixed, tuple) and not set(map(str, choices)) <= set(fixed):
            yield f"{rule}: {'.'.join(path)} of {event_type} is never {choices}"


def _conditions(pattern: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in pattern.items():
        if isinstance(value, dict):
            yield from _conditions(value, (*path, name))
        else:
            yield (*path, name), value


def _target_faults(template: Template, rule: str, target: Any) -> Iterator[str]:
    kept_in = _logical(target.get("DeadLetterConfig", {}).get("Arn", ""))
    if kept_in not in template.queues or not template.queues[kept_in].endswith("-dlq"):
        yield f"{rule}: what cannot be delivered to {target['Id']} is lost: no dead-letter queue"
    elif not _may_send(template, rule, kept_in):
        yield f"{rule}: the policy of {template.queues[kept_in]} does not let it send"
    queue = _logical(target["Arn"])
    if queue not in template.queues:
        yield f"{rule}: its target is no queue of this stack"
    elif not _may_send(template, rule, queue):
        yield f"{rule}: the policy of {template.queues[queue]} does not let it send"


def _may_send(template: Template, rule: str, queue: str) -> bool:
    """Whether a queue's policy lets a rule of EventBridge send to it."""
    return any(
        statement["Principal"] == {"Service": "events.amazonaws.com"}
        and {"Fn::GetAtt": f"{rule}.Arn"} in _normal(statement["Condition"])
        for policy in template.of_type("AWS::SQS::QueuePolicy").values()
        if {"Ref": queue} in policy["Queues"]
        for statement in policy["PolicyDocument"]["Statement"]
    )


def _normal(condition: Any) -> list[Any]:
    """The source ARNs of a queue policy's condition, `!GetAtt X.Arn` spelled one way."""
    arns = condition["ArnEquals"]["aws:SourceArn"]
    listed = arns if isinstance(arns, list) else [arns]
    return [{"Fn::GetAtt": f"{_logical(arn)}.Arn"} for arn in listed]


def _work_queues(template: Template) -> set[str]:
    return {name for name in template.queues.values() if not name.endswith("-dlq")}


def _watched(template: Template) -> set[str]:
    """Logical names of queues whose visible messages ring an alarm above 0."""
    return {
        _logical(dimension["Value"])
        for alarm in template.of_type("AWS::CloudWatch::Alarm").values()
        if alarm.get("MetricName") == "ApproximateNumberOfMessagesVisible"
        and alarm["Threshold"] == 0
        for dimension in alarm["Dimensions"]
        if dimension["Name"] == "QueueName"
    }


def _streams(template: Template) -> set[str]:
    """Stream prefixes that the role may touch; a statement without LeadingKeys counts as `*`."""
    found: set[str] = set()
    for statement in template.statements:
        if {"Ref": "EventStoreTableArn"} in _listed(statement["Resource"]):
            condition = statement.get("Condition", {}).get("ForAllValues:StringLike", {})
            found |= set(condition.get("dynamodb:LeadingKeys", ["*"]))
    return found


def _prefix_faults(service: Service) -> Iterator[str]:
    """Reading what is written is no fault; writing outside the declared prefixes is."""
    declared = service.declaration["owns"]["prefixes"]
    read, write = set(declared["read"]), set(declared["write"])
    may_read = _prefixes(service.template, "s3:GetObject", "s3:GetObjectVersion")
    may_write = _prefixes(service.template, "s3:PutObject")
    yield from _difference("prefixes.write", write, may_write)
    if missing := read - may_read:
        yield f"prefixes.read: {sorted(missing)} declared, not granted"
    if extra := may_read - read - write:
        yield f"prefixes.read: {sorted(extra)} granted, not declared"


def _prefixes(template: Template, *actions: str) -> set[str]:
    """What stands in the S3 resources of those actions between the bucket and the first `*`."""
    found = set()
    for statement in template.statements:
        granted = statement["Effect"] == "Allow" and set(actions) & set(
            _listed(statement["Action"])
        )
        for resource in _listed(statement["Resource"]) if granted else ():
            text = resource.get("Fn::Sub", "") if isinstance(resource, dict) else resource
            inside = re.search(r"\$\{\w+Bucket\w*(?:\.Arn)?\}/([^*]*)", str(text))
            found.add(inside.group(1) if inside else f"{resource}")
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _logical(reference: Any) -> str:
    """The logical name behind `!Ref X`, `!GetAtt X.Arn` or its list form."""
    if not isinstance(reference, dict):
        return ""
    name = reference.get("Ref") or reference.get("Fn::GetAtt") or ""
    return str(name[0] if isinstance(name, list) else name).split(".")[0]


def _difference(what: str, declared: Iterable[str], actual: Iterable[str]) -> Iterator[str]:
    if missing := sorted(set(declared) - set(actual)):
        yield f"{what}: {missing} declared, not there"
    if extra := sorted(set(actual) - set(declared)):
        yield f"{what}: {extra} there, not declared"
