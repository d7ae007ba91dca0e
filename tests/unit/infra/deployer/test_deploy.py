"""A whole deployment: what is refused before anything happens, the order, artifacts, images."""

import base64
import io
import json
import threading
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.deployer import planning
from infra.deployer.deploy import deploy, roll_back
from infra.deployer.one_stack import Policy
from infra.deployer.package import sources_digest
from infra.deployer.releases import VERSIONS, ReleaseBook
from infra.deployer.stacks import ChangeSet
from infra.deployer.templates import ARTIFACT_BUCKET, STACKS_ROLE, discover
from infra.environments import PROJECT, Environment, aws_environment, local_environment
from infra.errors import DeploymentFailed, DeploymentInterrupted, RolledBack, UnknownName
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
        self.discarded: list[str] = []
        self.roles: dict[str, str | None] = {}
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
        self.roles[self.order[-1]] = arguments.get("RoleARN")
        self._stack(name).create_change_set(**arguments)
        return {"Id": name}

    def describe_change_set(self, ChangeSetName: str) -> dict[str, Any]:
        return self._stack(ChangeSetName).describe_change_set()

    def execute_change_set(self, ChangeSetName: str) -> None:
        self._stack(ChangeSetName).execute_change_set()

    def list_stack_resources(self, StackName: str) -> Iterator[dict[str, Any]]:
        resource = {"ResourceType": "AWS::Lambda::Function", "PhysicalResourceId": StackName}
        yield {"StackResourceSummaries": [resource] if StackName.endswith("lock") else []}

    def delete_change_set(self, ChangeSetName: str) -> None:
        self.discarded.append(ChangeSetName.removeprefix("ecommerce-pipeline-"))

    def get_paginator(self, operation: str) -> Any:
        if operation == "list_stack_resources":
            return SimpleNamespace(paginate=self.list_stack_resources)
        return ScriptedCloudFormation(failures=[("Queue", "exists")]).get_paginator(operation)


class FakeBucket:
    """An S3 with the artifact bucket, and an SSM that knows its name."""

    def __init__(self) -> None:
        self.uploads: dict[str, bytes] = {}
        self.metadata: dict[str, Mapping[str, str]] = {}
        self.puts = 0
        self.parameters = {ARTIFACT_BUCKET: "artifacts"}

    def get_parameter(self, Name: str) -> dict[str, Any]:
        if Name not in self.parameters:
            raise ClientError({"Error": {"Code": "ParameterNotFound"}}, "GetParameter")
        return {"Parameter": {"Value": self.parameters[Name]}}

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        assert Bucket == "artifacts"
        return {"Body": io.BytesIO(self.uploads[Key])}

    def put_parameter(self, Name: str, Value: str, **_: Any) -> None:
        self.parameters[Name] = Value

    def head_object(self, Bucket: str, Key: str) -> None:
        assert Bucket == "artifacts"
        if Key not in self.uploads:
            raise ClientError({"Error": {"Code": "404", "Message": "no"}}, "HeadObject")

    def put_object(self, Bucket: str, Key: str, Body: bytes, Metadata: Mapping[str, str]) -> None:
        assert Bucket == "artifacts"
        self.puts += 1
        self.uploads[Key] = Body
        self.metadata[Key] = Metadata


class FakeFunctions:
    """A Lambda whose only function runs what its stack names, and cannot start broken code."""

    def __init__(self, cloudformation: FakeCloudFormation, bucket: FakeBucket) -> None:
        self._cloudformation, self._bucket = cloudformation, bucket

    @property
    def _key(self) -> str:
        return self._cloudformation.parameters["lock"]["ArtifactKey"]

    def get_function_configuration(self, **_: str) -> dict[str, str]:
        sha256 = bytes.fromhex(Path(self._key).stem)
        return {"CodeSha256": base64.b64encode(sha256).decode()}

    def invoke(self, **_: Any) -> dict[str, Any]:
        archive = zipfile.ZipFile(io.BytesIO(self._bucket.uploads[self._key]))
        if b"raise" in archive.read("services/lock/handler.py"):
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b"broken on purpose")}
        return {"Payload": io.BytesIO(b'{"batchItemFailures": []}')}


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
            watch_seconds=0.0,
            image_uris=image_uris,
            parameters=parameters or {},
            clients={
                "cloudformation": self.cloudformation,
                "s3": self.bucket,
                "ssm": self.bucket,
                "lambda": FakeFunctions(self.cloudformation, self.bucket),
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
    [key] = [key for key in account.bucket.uploads if key.endswith(".zip")]
    assert account.cloudformation.parameters["lock"] == {
        "ArtifactBucket": "artifacts",
        "ArtifactKey": key,
    }
    puts = account.bucket.puts
    deploy(Account(bucket=account.bucket).environment(), project=project)
    assert account.bucket.puts == puts


def a_container_project(folder: Path) -> Path:
    project = a_function_project(folder)
    template = a_template(parameters="  ImageUri: {Type: String}\n")
    container = "{Name: validator, Command: [python, -m, services.validator.worker]}"
    task = f"Type: AWS::ECS::TaskDefinition, Properties: {{ContainerDefinitions: [{container}]}}"
    (project / "services/validator/__init__.py").touch()
    return a_project(project, {"validator": f"{template}  T: {{{task}}}\n"})


def test_a_container_stack_on_aws_needs_its_image(tmp_path: Path) -> None:
    account = Account()
    environment = account.environment(image_uris={"transformer": "x@sha256:1"})
    project = a_container_project(tmp_path)
    a_project(project, {"infra/platform": a_template(publishes=[ARTIFACT_BUCKET])})
    with pytest.raises(
        DeploymentFailed,
        match=r"no image of these sources is in any repository: build .* by digest",
    ):
        deploy(environment, ["validator"], project=project)


@pytest.mark.parametrize(
    ("image_uris", "given"),
    [({"validator": "x@sha256:1"}, "x@sha256:1"), (None, "s3://artifacts/validator/")],
)
def test_the_image_is_the_given_one_and_on_one_machine_the_code_in_the_bucket(
    tmp_path: Path, image_uris: Mapping[str, str] | None, given: str
) -> None:
    account = Account()
    project = a_container_project(tmp_path)
    a_project(project, {"infra/platform": a_template(publishes=[ARTIFACT_BUCKET])})
    environment = account.environment(image_uris=image_uris)
    deploy(environment, ["validator"], project=project)
    assert account.cloudformation.parameters["validator"]["ImageUri"].startswith(given)


def test_an_image_that_nobody_names_is_the_one_of_these_sources(tmp_path: Path) -> None:
    account = Account()
    project = a_container_project(tmp_path)
    a_project(project, {"infra/platform": a_template(publishes=[ARTIFACT_BUCKET])})
    repository = "/ecommerce-pipeline/bootstrap/validator-repository-uri"
    account.bucket.parameters[repository] = "registry.example/validation/ecr"
    asked: list[tuple[str, str]] = []

    def describe_images(repositoryName: str, imageIds: list[dict[str, str]]) -> dict[str, Any]:
        asked.append((repositoryName, imageIds[0]["imageTag"]))
        return {"imageDetails": [{"imageDigest": "sha256:7"}]}

    environment = account.environment(image_uris={})
    ecr = SimpleNamespace(describe_images=describe_images)
    environment = replace(environment, clients={**environment.clients, "ecr": ecr})
    deploy(environment, ["validator"], project=project)
    [template] = [one for one in discover(project) if one.name == "validator"]
    assert asked == [("validation/ecr", sources_digest(template, project))]
    image = account.cloudformation.parameters["validator"]["ImageUri"]
    assert image == "registry.example/validation/ecr@sha256:7"
    [plan] = planning.plan(environment, ["validator"], project=project)
    assert plan.image_tag == asked[0][1]


def test_cloudformation_makes_the_changes_in_the_role_that_is_there_for_it(tmp_path: Path) -> None:
    account, project = Account(), three_stacks(tmp_path)
    deploy(account.environment(), ["lock"], project=project)
    account.bucket.parameters[STACKS_ROLE] = "arn:stacks"
    deploy(account.environment(), ["saga"], project=project)
    deploy(account.environment(), ["platform"], project=project, policy=Policy(in_role=False))
    assert account.cloudformation.roles == {"lock": None, "saga": "arn:stacks", "platform": None}


def test_nothing_is_changed_before_there_is_a_bucket_that_keeps_it(tmp_path: Path) -> None:
    account = Account()
    del account.bucket.parameters[ARTIFACT_BUCKET]
    with pytest.raises(DeploymentFailed, match=r"run `ecp bootstrap` first\. Nothing was deployed"):
        deploy(account.environment(), ["platform"], project=three_stacks(tmp_path))
    assert account.cloudformation.order == []


def test_what_was_deployed_is_recorded_with_what_was_before(tmp_path: Path) -> None:
    account, project = Account(), with_artifacts(tmp_path)
    policy = Policy(deployed_by="ada@shop")
    deploy(account.environment(), project=project, policy=policy)
    first = ReleaseBook(account.bucket).read("lock").current
    (project / "services/lock/handler.py").write_text("handler = None")
    deploy(Account(bucket=account.bucket).environment(), project=project, policy=policy)
    recorded = ReleaseBook(account.bucket).read("lock")
    assert first is not None
    assert recorded.current is not None
    assert recorded.previous == first
    assert (first.deployed_by, first.revision) == ("ada@shop", None)
    assert recorded.current.version != first.version
    assert {first.code, first.template, recorded.current.code} <= set(account.bucket.uploads)


def test_a_release_and_its_artifact_say_the_version_of_the_project(tmp_path: Path) -> None:
    account, project = Account(), with_artifacts(tmp_path)
    pyproject = project / "pyproject.toml"
    pyproject.write_text('[project]\nversion = "1.2.3"\n')
    deploy(account.environment(), project=project)
    first = ReleaseBook(account.bucket).read("lock").current
    assert first is not None
    assert first.project_version == "1.2.3"
    assert account.bucket.metadata[first.code] == {"project-version": "1.2.3"}
    pyproject.write_text('[project]\nversion = "1.3.0"\n')
    deploy(account.environment(), ["lock"], project=project)
    again = ReleaseBook(account.bucket).read("lock").current
    assert again is not None
    assert again.code == first.code, "a release changes no stack whose code is as before"


def test_the_version_of_the_project_is_read_once_for_all_stacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, project = Account(), with_artifacts(tmp_path)
    (project / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    read: list[str] = []
    loads = tomllib.loads
    monkeypatch.setattr(tomllib, "loads", lambda text: loads(read.append(text) or text))
    deploy(account.environment(), project=project)
    assert len(read) == 1


def test_a_record_of_before_names_no_version_of_the_project(tmp_path: Path) -> None:
    account, project = Account(), with_artifacts(tmp_path)
    deploy(account.environment(), project=project)
    name = VERSIONS + "lock"
    recorded = json.loads(account.bucket.get_parameter(name)["Parameter"]["Value"])
    del recorded["current"]["project_version"]
    account.bucket.put_parameter(Name=name, Value=json.dumps(recorded))
    current = ReleaseBook(account.bucket).read("lock").current
    assert current is not None
    assert current.project_version is None


def test_who_is_asked_and_says_no_leaves_that_stack_as_it_is_and_goes_on(tmp_path: Path) -> None:
    account = Account()
    asked: list[str] = []

    def ask(change_set: ChangeSet) -> bool:
        asked.append(change_set.template.name)
        return change_set.template.name != "lock"

    project = three_stacks(tmp_path)
    results = deploy(account.environment(), project=project, policy=Policy(ask=ask))
    assert asked == ["platform", "lock", "saga"]
    assert [result.outcome for result in results] == ["CREATED", "LEFT", "CREATED"]
    assert account.cloudformation.discarded == ["lock"]
    assert ReleaseBook(account.bucket).read("lock").current is None


def test_a_version_that_does_not_work_is_put_back_and_not_recorded(tmp_path: Path) -> None:
    account, project = Account(), with_artifacts(tmp_path)
    proving = Policy(proves=True)
    deploy(account.environment(), project=project, policy=proving)
    good = ReleaseBook(account.bucket).read("lock")
    assert good.current is not None
    (project / "services/lock/handler.py").write_text("raise SystemExit")
    second = Account(bucket=account.bucket)
    with pytest.raises(
        RolledBack, match=f"broken on purpose; rolled back to {good.current.version}"
    ):
        deploy(second.environment(), ["lock"], project=project, policy=proving)
    assert second.cloudformation.order == ["lock", "lock"]
    assert second.cloudformation.parameters["lock"]["ArtifactKey"] == good.current.code
    assert ReleaseBook(account.bucket).read("lock") == good


def test_a_first_version_that_does_not_work_stays_for_there_is_no_other(tmp_path: Path) -> None:
    account, project = Account(), with_artifacts(tmp_path)
    (project / "services/lock/handler.py").write_text("raise SystemExit")
    with pytest.raises(DeploymentFailed, match="no version that worked is known, so it stays"):
        deploy(account.environment(), project=project, policy=Policy(proves=True))
    assert account.cloudformation.order == ["platform", "lock"]
    assert ReleaseBook(account.bucket).read("lock").current is None


def test_going_back_by_hand_needs_a_version_before(tmp_path: Path) -> None:
    account, project = Account(), with_artifacts(tmp_path)
    deploy(account.environment(), project=project)
    with pytest.raises(DeploymentFailed, match="no version before the current one of lock"):
        roll_back(account.environment(), "lock", project=project, policy=Policy())


def test_ctrl_c_says_where_each_stack_stands_and_forgets_the_change_set(tmp_path: Path) -> None:
    account = Account()

    def ask(_: ChangeSet) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(DeploymentInterrupted, match="platform waits for its change set, nothing"):
        deploy(account.environment(), project=three_stacks(tmp_path), policy=Policy(ask=ask))
    assert account.cloudformation.discarded == ["platform"]


def test_a_place_has_parameters_of_its_own_which_those_that_are_given_override(
    tmp_path: Path,
) -> None:
    account = Account()
    at_home = replace(account.environment(), own_parameters={"TUNABLE": "0", "NOBODYS": "1"})
    deploy(at_home, ["lock"], project=three_stacks(tmp_path))
    deploy(replace(at_home, parameters={"Tunable": "9"}), ["saga"], project=three_stacks(tmp_path))
    assert account.cloudformation.parameters == {"lock": {"Tunable": "0"}, "saga": {"Tunable": "9"}}


def test_a_secret_is_given_to_the_stack_and_recorded_nowhere(tmp_path: Path) -> None:
    account, project = Account(), three_stacks(tmp_path)
    template = project / "services/lock/template.yaml"
    declared = "Parameters:\n  ApiKey: {Type: String, Default: '', NoEcho: true}\n"
    template.write_text(template.read_text().replace("Parameters:\n", declared))
    given = {"API_KEY": "s3cret", "TUNABLE": "9"}
    deploy(replace(account.environment(), parameters=given), ["lock"], project=project)
    assert account.cloudformation.parameters["lock"] == {"ApiKey": "s3cret", "Tunable": "9"}
    current = ReleaseBook(account.bucket).read("lock").current
    assert current is not None
    assert current.parameters == {"Tunable": "9"}


def test_on_one_machine_an_idle_worker_stays_and_nobody_else_scales() -> None:
    local = local_environment("http://127.0.0.1:1", {})
    assert local.own_parameters == {
        "MIN_WORKERS": "1",
        "AUTO_SCALING": "no",
        "METRIC_MATH": "no",
        "API_AUTHORIZATION": "NONE",
    }
    for name in ("MinWorkers", "AutoScaling"):
        assert name in (PROJECT / "services/validator/template.yaml").read_text()
    assert aws_environment({}, {}).own_parameters == {}
