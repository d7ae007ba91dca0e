"""Where logs go and how long they stay: the names that people know, and a parameter."""

from typing import Any

import pytest

from tests.contract.declared import PROJECT, Template, templates

KNOWN = {
    "/aws/ecs/validation-task",
    "/aws/ecs/transformation-task",
    "/aws/lambda/file-aggregator",
}
"""Names that the seed's users know (README, CloudWatch Logs Structure)."""
TAKEN_BY_CLOUDWATCH = {
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
}  # fmt: skip
"""Values of PutRetentionPolicy (CloudWatch Logs API reference)."""
WITH_LOGS = [one for one in templates() if one.of_type("AWS::Logs::LogGroup")]
each_template = pytest.mark.parametrize(
    "template", WITH_LOGS, ids=lambda one: f"{one.path.parent.name}/{one.path.name}"
)


def groups_of(template: Template) -> dict[str, dict[str, Any]]:
    """By logical id."""
    return template.of_type("AWS::Logs::LogGroup")


def group_of(template: Template) -> dict[str, Any]:
    [group] = groups_of(template).values()
    return group


def test_the_groups_that_people_know_are_there() -> None:
    groups = [group for template in WITH_LOGS for group in groups_of(template).values()]
    assert {group["LogGroupName"] for group in groups} >= KNOWN


@each_template
def test_how_long_lines_stay_is_a_parameter_that_cloudwatch_takes(template: Template) -> None:
    for group in groups_of(template).values():
        assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    parameter = template.document["Parameters"]["LogRetentionDays"]
    assert set(parameter["AllowedValues"]) == TAKEN_BY_CLOUDWATCH
    assert parameter["Default"] in TAKEN_BY_CLOUDWATCH


def test_every_function_logs_into_its_group_and_not_into_one_that_lambda_makes() -> None:
    """Lambda makes a group that keeps lines for ever, unless there is one of that name before."""
    with_functions = set()
    for template in templates():
        for name, function in template.of_type("AWS::Lambda::Function").items():
            with_functions.add(template.path.parent)
            group = groups_of(template)[template.document["Resources"][name]["DependsOn"]]
            assert group["LogGroupName"] == f"/aws/lambda/{function['FunctionName']}"
    assert with_functions == {path.parent for path in PROJECT.glob("services/*/handler.py")}


def test_every_container_logs_into_the_group_of_its_stack() -> None:
    containers = 0
    for template in templates():
        for task in template.of_type("AWS::ECS::TaskDefinition").values():
            for container in task["ContainerDefinitions"]:
                containers += 1
                logs = container["LogConfiguration"]
                assert logs["LogDriver"] == "awslogs"
                assert logs["Options"]["awslogs-group"] == {"Ref": "LogGroup"}
                assert group_of(template)["LogGroupName"] == f"/aws/ecs/{task['Family']}"
    assert containers == len(list(PROJECT.glob("services/*/worker.py")))


def test_the_saga_logs_every_step_but_no_data_which_holds_task_tokens() -> None:
    [template] = [one for one in WITH_LOGS if one.of_type("AWS::StepFunctions::StateMachine")]
    [machine] = template.of_type("AWS::StepFunctions::StateMachine").values()
    logging = machine["LoggingConfiguration"]
    assert (logging["Level"], logging["IncludeExecutionData"]) == ("ALL", False)
    [destination] = logging["Destinations"]
    group = destination["CloudWatchLogsLogGroup"]["LogGroupArn"]
    assert group == {"Fn::GetAtt": "LogGroup.Arn"}
