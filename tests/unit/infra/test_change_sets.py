"""A stack is brought to the state of its template, and a failure says which resource and why."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.deployer.stacks import StackDeployer, StackResult
from infra.deployer.templates import discover
from infra.errors import DeploymentFailed
from tests.unit.infra.projects import ScriptedCloudFormation, a_project, a_template

NO_CHANGES = (
    "FAILED",
    "The submitted information didn't contain changes. Submit different information.",
)


def apply(
    folder: Path,
    cloudformation: ScriptedCloudFormation,
    parameters: Mapping[str, str] | None = None,
) -> StackResult:
    project = a_project(folder, {"lock": a_template(resolves=["/p/bus"])})
    deployer = StackDeployer(cloudformation, poll_seconds=0.0)
    return deployer.apply(discover(project)[0], parameters or {}, lambda _: None)


def test_a_new_stack_is_created_and_its_changes_are_told(tmp_path: Path) -> None:
    cloudformation = ScriptedCloudFormation()
    result = apply(tmp_path, cloudformation)
    assert (result.outcome, result.changes) == ("CREATED", ("Add Topic (AWS::SNS::T)",))
    assert cloudformation.created["ChangeSetType"] == "CREATE"


def test_a_stack_that_is_there_is_updated(tmp_path: Path) -> None:
    cloudformation = ScriptedCloudFormation("CREATE_COMPLETE", after=["UPDATE_COMPLETE"])
    assert apply(tmp_path, cloudformation).outcome == "UPDATED"
    assert cloudformation.created["ChangeSetType"] == "UPDATE"


def test_nothing_to_change_is_a_success_and_nothing_is_executed(tmp_path: Path) -> None:
    cloudformation = ScriptedCloudFormation("CREATE_COMPLETE", change_set=NO_CHANGES)
    assert apply(tmp_path, cloudformation).outcome == "UNCHANGED"
    assert cloudformation.calls == ["forget"]


def test_a_change_set_that_failed_for_another_reason_is_a_failure(tmp_path: Path) -> None:
    cloudformation = ScriptedCloudFormation(change_set=("FAILED", "/p/bus does not exist"))
    with pytest.raises(DeploymentFailed, match="ecommerce-pipeline-lock: /p/bus does not exist"):
        apply(tmp_path, cloudformation)


def test_a_failure_tells_the_resource_that_failed_first_not_the_cancelled_ones(
    tmp_path: Path,
) -> None:
    newest_first = [
        ("Table", "Resource creation cancelled"),
        ("Rule", "Rule is wrong"),
        ("Queue", "Queue exists already"),
    ]
    cloudformation = ScriptedCloudFormation(after=["ROLLBACK_COMPLETE"], failures=newest_first)
    with pytest.raises(
        DeploymentFailed,
        match=r"is ROLLBACK_COMPLETE: Queue \(AWS::SNS::Topic\) CREATE_FAILED: Queue exists",
    ):
        apply(tmp_path, cloudformation)


def test_what_a_failed_creation_left_is_removed_first(tmp_path: Path) -> None:
    cloudformation = ScriptedCloudFormation("ROLLBACK_COMPLETE")
    assert apply(tmp_path, cloudformation).outcome == "CREATED"
    assert cloudformation.calls == ["delete", "execute"]


def test_a_stack_that_someone_else_is_changing_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(DeploymentFailed, match="is UPDATE_IN_PROGRESS; wait until it is done"):
        apply(tmp_path, ScriptedCloudFormation("UPDATE_IN_PROGRESS"))


def test_a_parameter_that_is_not_given_keeps_its_value_unless_it_names_an_ssm_parameter(
    tmp_path: Path,
) -> None:
    cloudformation = ScriptedCloudFormation(
        "CREATE_COMPLETE", after=["UPDATE_COMPLETE"], had_parameters=["Tunable", "R0", "Gone"]
    )
    apply(tmp_path, cloudformation)
    assert cloudformation.created["Parameters"] == [
        {"ParameterKey": "Tunable", "UsePreviousValue": True}
    ]


def test_a_parameter_that_is_given_takes_its_new_value(tmp_path: Path) -> None:
    cloudformation = ScriptedCloudFormation(
        "CREATE_COMPLETE", after=["UPDATE_COMPLETE"], had_parameters=["Tunable"]
    )
    apply(tmp_path, cloudformation, {"Tunable": "9"})
    assert cloudformation.created["Parameters"] == [
        {"ParameterKey": "Tunable", "ParameterValue": "9"}
    ]


def test_a_failed_stack_without_a_reason_says_where_to_look(tmp_path: Path) -> None:
    cloudformation = ScriptedCloudFormation(after=["UPDATE_ROLLBACK_COMPLETE"])
    with pytest.raises(DeploymentFailed, match="look at its events in stack ecommerce-pipeline-"):
        apply(tmp_path, cloudformation)
