"""What starts a container without the saga: the daily schedule, and commands that wait."""

import pytest

from contracts.envelope import parse
from tests.contract.declared import PROJECT, Template

TEMPLATE = Template(PROJECT / "services/transformer/template.yaml")
EVENT_ID = "17793124-05d4-b198-2fde-7ededc63b103"
"""Of the form that EventBridge gives to a scheduled event."""


def targets() -> dict[str, dict[str, object]]:
    rule = TEMPLATE.of_type("AWS::Events::Rule")["UpkeepRule"]
    return {target["Id"]: target for target in rule["Targets"]}


def test_the_schedule_sends_a_whole_command_that_is_new_each_day() -> None:
    transformer = targets()["transformer-commands"]["InputTransformer"]
    assert isinstance(transformer, dict)
    event = {"$.id": EVENT_ID, "$.time": "2025-07-07T03:00:00Z"}
    text = transformer["InputTemplate"]
    for name, path in transformer["InputPathsMap"].items():
        text = text.replace(f"<{name}>", event[path])

    command = parse(text)

    assert command.event_type == "MaintainFacts"
    assert command.data.request_id == command.correlation_id == f"upkeep-{EVENT_ID}"
    assert command.stream_id == f"transformation/{command.data.request_id}"
    assert command.task_token is None


def test_the_container_is_woken_with_the_command() -> None:
    wake = targets()["transformation-task"]["EcsParameters"]
    assert isinstance(wake, dict)
    assert wake["TaskDefinitionArn"] == {"Ref": "TaskDefinition"}
    [definition] = TEMPLATE.of_type("AWS::ECS::TaskDefinition")
    assert definition == "TaskDefinition"


@pytest.mark.parametrize("service", ["validator", "transformer"])
def test_commands_that_nobody_takes_start_a_container(service: str) -> None:
    template = Template(PROJECT / f"services/{service}/template.yaml")
    alarm = template.of_type("AWS::CloudWatch::Alarm")["CommandsWaitAlarm"]
    [dimension] = alarm["Dimensions"]
    assert dimension["Value"] == {"Fn::GetAtt": "CommandQueue.QueueName"}
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Threshold"]) == (
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        0,
    )
    rule = template.of_type("AWS::Events::Rule")["WakeRule"]
    assert "EventBusName" not in rule  # AWS speaks on the default bus
    assert rule["EventPattern"]["detail"] == {
        "alarmName": [alarm["AlarmName"]],
        "state": {"value": ["ALARM"]},
    }
    [target] = rule["Targets"]
    assert target["EcsParameters"]["TaskDefinitionArn"] == {"Ref": "TaskDefinition"}
    [definition] = template.of_type("AWS::ECS::TaskDefinition")
    assert definition == "TaskDefinition"
