"""A stack is brought to the state of its template, and a failure says which resource and why."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.deployer.stacks import ChangeSet, ResourceChange, StackDeployer, endangered
from infra.deployer.templates import discover, read_template
from infra.deployer.waiting import Waiting
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
) -> ChangeSet | None:
    project = a_project(folder, {"lock": a_template(resolves=["/p/bus"])})
    deployer = StackDeployer(cloudformation, Waiting(0.0))
    change_set = deployer.prepare(discover(project)[0], parameters or {}, lambda _: None)
    if change_set:
        deployer.execute(change_set)
    return change_set


def test_a_new_stack_is_created_and_its_changes_are_told(tmp_path: Path) -> None:
    cloudformation = ScriptedCloudFormation()
    made = apply(tmp_path, cloudformation)
    assert made is not None
    assert made.creates
    assert made.changes == (ResourceChange("Add", "Topic", "AWS::SNS::T", ""),)
    assert cloudformation.created["ChangeSetType"] == "CREATE"


def test_a_stack_that_is_there_is_updated(tmp_path: Path) -> None:
    cloudformation = ScriptedCloudFormation("CREATE_COMPLETE", after=["UPDATE_COMPLETE"])
    made = apply(tmp_path, cloudformation)
    assert made is not None
    assert not made.creates
    assert cloudformation.created["ChangeSetType"] == "UPDATE"


def test_nothing_to_change_is_a_success_and_nothing_is_executed(tmp_path: Path) -> None:
    cloudformation = ScriptedCloudFormation("CREATE_COMPLETE", change_set=NO_CHANGES)
    assert apply(tmp_path, cloudformation) is None
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
    made = apply(tmp_path, cloudformation)
    assert made is not None
    assert made.creates
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


def test_a_stack_whose_own_rollback_failed_is_not_touched_and_the_way_out_is_named(
    tmp_path: Path,
) -> None:
    with pytest.raises(DeploymentFailed, match="continue-update-rollback --stack-name ecommerce-"):
        apply(tmp_path, ScriptedCloudFormation("UPDATE_ROLLBACK_FAILED"))


STATEFUL = """
Resources:
  Kept: {Type: AWS::S3::Bucket, UpdateReplacePolicy: Retain}
  Queue: {Type: AWS::SQS::Queue}
  Role: {Type: AWS::IAM::Role}
"""


@pytest.mark.parametrize(
    ("change", "is_endangered"),
    [
        (ResourceChange("Modify", "Kept", "AWS::S3::Bucket", "True"), True),
        (ResourceChange("Modify", "Kept", "AWS::S3::Bucket", "Conditional"), True),
        (ResourceChange("Modify", "Kept", "AWS::S3::Bucket", "False"), False),
        (ResourceChange("Modify", "Queue", "AWS::SQS::Queue", "True"), True),
        (ResourceChange("Modify", "Role", "AWS::IAM::Role", "True"), False),
        (ResourceChange("Add", "Kept", "AWS::S3::Bucket", ""), False),
        (ResourceChange("Remove", "Gone", "AWS::DynamoDB::Table", ""), True),
        (ResourceChange("Remove", "Gone", "AWS::DynamoDB::Table", "", "Delete"), True),
        (ResourceChange("Remove", "Gone", "AWS::DynamoDB::Table", "", "Snapshot"), True),
        (ResourceChange("Remove", "Gone", "AWS::DynamoDB::Table", "", "Retain"), False),
        (ResourceChange("Remove", "Gone", "AWS::IAM::Role", ""), False),
    ],
)
def test_a_change_endangers_what_holds_data_when_it_replaces_or_removes_it(
    change: ResourceChange, is_endangered: bool
) -> None:
    template = read_template("lock", Path("template.yaml"), STATEFUL, "lock")
    assert bool(endangered(ChangeSet("id", template, False, (change,)))) is is_endangered
