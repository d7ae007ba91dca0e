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


@pytest.mark.parametrize("service", ["validator", "transformer"])
def test_commands_that_nobody_takes_start_a_container(service: str) -> None:
    """Those of the schedule, questions and corrections; infra/local/scaling.py has the numbers."""
    template = Template(PROJECT / f"services/{service}/template.yaml")
    alarm = template.of_type("AWS::CloudWatch::Alarm")["CommandsWaitAlarm"]
    [dimension] = alarm["Dimensions"]
    assert dimension["Value"] == {"Fn::GetAtt": "CommandQueue.QueueName"}
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Threshold"]) == (
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        0,
    )
    assert alarm["AlarmActions"] == [{"Ref": "MoreWorkers"}]
    policy = template.of_type("AWS::ApplicationAutoScaling::ScalingPolicy")["MoreWorkers"]
    assert policy["ScalingTargetId"] == {"Ref": "Scaling"}


@pytest.mark.parametrize("service", ["validator", "transformer"])
def test_a_deployment_says_not_how_many_are_wanted_and_gives_up_what_does_not_start(
    service: str,
) -> None:
    """CloudFormation would set DesiredCount at each one, in the middle of a batch too."""
    template = Template(PROJECT / f"services/{service}/template.yaml")
    [made] = template.of_type("AWS::ECS::Service").values()
    assert "DesiredCount" not in made
    assert made["TaskDefinition"] == {"Ref": "TaskDefinition"}
    assert made["DeploymentConfiguration"]["DeploymentCircuitBreaker"] == {
        "Enable": True,
        "Rollback": True,
    }


@pytest.mark.parametrize("service", ["validator", "transformer"])
def test_who_is_idle_is_seen_by_what_runs_and_by_both_counts_of_the_queue(service: str) -> None:
    """Without a container there is no value: an alarm that rang all night would undo each start."""
    template = Template(PROJECT / f"services/{service}/template.yaml")
    alarm = template.of_type("AWS::CloudWatch::Alarm")["IdleAlarm"]
    metrics = {one["Id"]: one.get("MetricStat", {}) for one in alarm["Metrics"]}
    assert {name: one["Metric"]["MetricName"] for name, one in metrics.items() if one} == {
        "waiting": "ApproximateNumberOfMessagesVisible",
        "in_hand": "ApproximateNumberOfMessagesNotVisible",
        "running": "CPUUtilization",
    }
    assert metrics["running"]["Stat"] == "SampleCount"
    [expression] = [one["Expression"] for one in alarm["Metrics"] if "Expression" in one]
    assert "FILL(running" not in expression
    assert alarm["TreatMissingData"] == "notBreaching"
    assert alarm["AlarmActions"] == [{"Ref": "NoWorkers"}]
