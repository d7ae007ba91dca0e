"""A whole deployment: what is refused before anything happens, the order, artifacts, images."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.deployer.deploy import deploy
from infra.deployer.templates import ARTIFACT_BUCKET
from infra.environments import PROJECT, Environment, aws_environment, local_environment
from infra.errors import DeploymentFailed, UnknownName
from tests.unit.infra.projects import (
    ScriptedCloudFormation,
    a_function_project,
    a_project,
    a_template,
)


class FakeCloudFormation:
    """One scripted stack per name; `order` tells which were created, first to last."""

    def __init__(self, failing: str = "") -> None:
        self._stacks: dict[str, ScriptedCloudFormation] = {}
        self._failing, self._lock = failing, threading.Lock()
        self.order: list[str] = []
        self.parameters: dict[str, dict[str, str]] = {}

    def _stack(self, name: str) -> ScriptedCloudFormation:
        with self._lock:
            after = ["ROLLBACK_COMPLETE"] if name.endswith(self._failing or "-none") else None
            made = ScriptedCloudFormation(after=after) if after else ScriptedCloudFormation()
            return self._stacks.setdefault(name, made)

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        return self._stack(StackName).describe_stacks(StackName)

    def create_change_set(self, **arguments: Any) -> dict[str, str]:
        name = arguments["StackName"]
        self.order.append(name.removeprefix("ecommerce-pipeline-"))
        self.parameters[self.order[-1]] = {
            one["ParameterKey"]: one["ParameterValue"] for one in arguments["Parameters"]
        }
        self._stack(name).create_change_set(**arguments)
        return {"Id": name}

    def describe_change_set(self, ChangeSetName: str) -> dict[str, Any]:
        return self._stack(ChangeSetName).describe_change_set()

    def execute_change_set(self, ChangeSetName: str) -> None:
        self._stack(ChangeSetName).execute_change_set()

    def get_paginator(self, operation: str) -> Any:
        return ScriptedCloudFormation(failures=[("Queue", "exists")]).get_paginator(operation)


class FakeBucket:
    """An S3 and an SSM that know the artifact bucket alone."""

    def __init__(self) -> None:
        self.uploads: dict[str, bytes] = {}
        self.puts = 0

    def get_parameter(self, Name: str) -> dict[str, Any]:
        assert Name == ARTIFACT_BUCKET
        return {"Parameter": {"Value": "artifacts"}}

    def head_object(self, Bucket: str, Key: str) -> None:
        assert Bucket == "artifacts"
        if Key not in self.uploads:
            raise ClientError({"Error": {"Code": "404", "Message": "no"}}, "HeadObject")

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:
        assert Bucket == "artifacts"
        self.puts += 1
        self.uploads[Key] = Body


@dataclass(frozen=True)
class FakeEnvironment(Environment):
    """An environment whose clients are the fakes above."""

    clients: Mapping[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        return self.clients[service]


class Account:
    """A fake account, and what is deployed there."""

    def __init__(self, failing: str = "", bucket: FakeBucket | None = None) -> None:
        self.cloudformation = FakeCloudFormation(failing)
        self.bucket = bucket or FakeBucket()

    def environment(
        self,
        parameters: Mapping[str, str] | None = None,
        image_uris: Mapping[str, str] | None = None,
    ) -> FakeEnvironment:
        return FakeEnvironment(
            name="test",
            vendor_dependencies=False,
            poll_seconds=0.0,
            image_uris=image_uris,
            parameters=parameters or {},
            clients={
                "cloudformation": self.cloudformation,
                "s3": self.bucket,
                "ssm": self.bucket,
            },
        )


def three_stacks(folder: Path) -> Path:
    return a_project(
        folder,
        {
            "infra/platform": a_template(publishes=["/p/bus"]),
            "infra/saga": a_template(resolves=["/lock/queue"]),
            "lock": a_template(publishes=["/lock/queue"], resolves=["/p/bus"]),
        },
    )


def test_stacks_are_deployed_in_order_and_each_is_announced_when_done(tmp_path: Path) -> None:
    account = Account()
    announced: list[str] = []
    lines: list[str] = []
    results = deploy(
        account.environment(),
        project=three_stacks(tmp_path),
        on_progress=lines.append,
        on_deployed=lambda result: announced.append(result.name),
    )
    assert [result.name for result in results] == ["platform", "lock", "saga"]
    assert announced == account.cloudformation.order == ["platform", "lock", "saga"]
    assert lines[1].startswith("platform: created in ")


def test_a_named_stack_is_deployed_alone(tmp_path: Path) -> None:
    account = Account()
    deploy(account.environment(), ["lock"], project=three_stacks(tmp_path))
    assert account.cloudformation.order == ["lock"]


def test_an_unknown_stack_is_refused_and_those_that_exist_are_named(tmp_path: Path) -> None:
    account = Account()
    with pytest.raises(UnknownName, match="no stack archive, lok; there are lock, platform, saga"):
        deploy(account.environment(), ["lok", "archive"], project=three_stacks(tmp_path))
    assert account.cloudformation.order == []


def test_an_unknown_parameter_is_refused_before_anything_is_deployed(tmp_path: Path) -> None:
    account = Account()
    environment = account.environment({"TUNABLE": "2", "SETTEL_SECONDS": "5"})
    with pytest.raises(UnknownName, match="no template has a parameter for SETTEL_SECONDS"):
        deploy(environment, project=three_stacks(tmp_path))
    assert account.cloudformation.order == []


def test_a_parameter_may_be_spelled_like_an_environment_variable(tmp_path: Path) -> None:
    account = Account()
    deploy(account.environment({"TUNABLE": "2"}), ["lock"], project=three_stacks(tmp_path))
    assert account.cloudformation.parameters["lock"] == {"Tunable": "2"}


def test_what_depends_on_a_failed_stack_is_not_begun(tmp_path: Path) -> None:
    account = Account(failing="-lock")
    with pytest.raises(DeploymentFailed, match="ecommerce-pipeline-lock is ROLLBACK_COMPLETE"):
        deploy(account.environment(), project=three_stacks(tmp_path))
    assert account.cloudformation.order == ["platform", "lock"]


def with_artifacts(folder: Path) -> Path:
    project = a_function_project(folder)
    return a_project(project, {"infra/platform": a_template(publishes=[ARTIFACT_BUCKET])})


def test_an_artifact_goes_up_once_and_the_stack_is_told_its_key(tmp_path: Path) -> None:
    account = Account()
    project = with_artifacts(tmp_path)
    deploy(account.environment(), project=project)
    [key] = account.bucket.uploads
    assert account.cloudformation.parameters["lock"] == {
        "ArtifactBucket": "artifacts",
        "ArtifactKey": key,
    }
    deploy(Account(bucket=account.bucket).environment(), project=project)
    assert account.bucket.puts == 1


def a_container_project(folder: Path) -> Path:
    return a_project(folder, {"validator": a_template(parameters="  ImageUri: {Type: String}\n")})


def test_a_container_stack_on_aws_needs_its_image(tmp_path: Path) -> None:
    account = Account()
    environment = account.environment(image_uris={"transformer": "x@sha256:1"})
    with pytest.raises(
        DeploymentFailed, match=r"stack validator runs a container: give the image .* by digest"
    ):
        deploy(environment, project=a_container_project(tmp_path))


@pytest.mark.parametrize(
    ("image_uris", "given"),
    [({"validator": "x@sha256:1"}, "x@sha256:1"), (None, "validator:not-used-locally")],
)
def test_the_image_is_the_given_one_and_on_one_machine_none(
    tmp_path: Path, image_uris: Mapping[str, str] | None, given: str
) -> None:
    account = Account()
    deploy(account.environment(image_uris=image_uris), project=a_container_project(tmp_path))
    assert account.cloudformation.parameters["validator"] == {"ImageUri": given}


def test_a_place_has_parameters_of_its_own_which_those_that_are_given_override(
    tmp_path: Path,
) -> None:
    account = Account()
    at_home = replace(account.environment(), own_parameters={"TUNABLE": "0", "NOBODYS": "1"})
    deploy(at_home, ["lock"], project=three_stacks(tmp_path))
    deploy(replace(at_home, parameters={"Tunable": "9"}), ["saga"], project=three_stacks(tmp_path))
    assert account.cloudformation.parameters == {"lock": {"Tunable": "0"}, "saga": {"Tunable": "9"}}


def test_on_one_machine_an_idle_worker_stays() -> None:
    local = local_environment("http://127.0.0.1:1", {})
    assert local.own_parameters == {"IDLE_EXIT_SECONDS": "0"}
    assert "IdleExitSeconds" in (PROJECT / "services/validator/template.yaml").read_text()
    assert aws_environment({}, {}).own_parameters == {}
