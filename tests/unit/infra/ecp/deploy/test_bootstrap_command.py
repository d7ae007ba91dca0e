"""`ecp bootstrap`: what it gives its stack, and what it leaves to a person."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from infra.deployer import deploy as deployer
from infra.ecp import target
from infra.ecp.deploy import bootstrap
from infra.ecp.deploy.bootstrap import checklist
from infra.ecp.main import app
from infra.environments import Environment

SETTINGS = {
    "repository": "shop/pipeline",
    "AWS_REGION": "eu-west-1",
    "AWS_PLAN_ROLE": "arn:plan",
    "AWS_BUILD_ROLE": "arn:build",
    "AWS_DEPLOY_ROLE": "arn:deploy",
}
GITHUB = "https://token.actions.githubusercontent.com"


def test_every_setting_is_on_the_list_and_the_deploying_role_only_in_its_environment() -> None:
    lines = "\n".join(checklist(SETTINGS))
    for name in ("AWS_REGION", "AWS_PLAN_ROLE", "AWS_BUILD_ROLE"):
        assert f"gh variable set {name} --repo shop/pipeline --body {SETTINGS[name]}" in lines
    assert "gh variable set AWS_DEPLOY_ROLE --env production --repo shop/pipeline" in lines
    assert "required reviewers, and with main as the only branch" in " ".join(lines.split())


def test_without_github_the_next_step_is_the_deployment() -> None:
    assert checklist({}) == ["next: `ecp deploy`"]


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the deployer was asked for: stacks, parameters, policy."""
    calls: list[Any] = []

    def record(environment: Environment, names: object, *, policy: Any, **_: Any) -> list[Any]:
        calls.append((names, dict(environment.parameters), policy))
        return []

    monkeypatch.setattr(target, "find_running_cloud", lambda: None)
    monkeypatch.setattr(deployer, "deploy", record)
    monkeypatch.setattr(bootstrap, "_settings", lambda _: {})
    return calls


def parameters_of(deployed: list[Any], *arguments: str) -> Mapping[str, str]:
    said = CliRunner().invoke(app, ["bootstrap", "--yes", *arguments])
    assert said.exit_code == 0, said.output
    names, parameters, policy = deployed[-1]
    assert names == ["bootstrap"]
    assert policy.in_role is False, "that role has no right to change itself"
    return dict(parameters)


@pytest.mark.parametrize("is_own", [False, True], ids=["of-others", "of-the-stack-itself"])
def test_a_provider_that_the_account_has_is_used_and_none_is_made_beside_it(
    deployed: list[Any], aws: Any, monkeypatch: pytest.MonkeyPatch, is_own: bool
) -> None:
    github = {"GITHUB_REPOSITORY": "shop/pipeline"}
    assert parameters_of(deployed, "--github", "shop/pipeline") == github
    made = aws("iam").create_open_id_connect_provider(Url=GITHUB, ThumbprintList=["0" * 40])
    arn = made["OpenIDConnectProviderArn"]

    def describe_stack_resource(**_: str) -> dict[str, Any]:
        if not is_own:
            raise ClientError({"Error": {"Code": "ValidationError"}}, "DescribeStackResource")
        return {"StackResourceDetail": {"PhysicalResourceId": arn}}

    client = target.Target.client
    cloudformation = SimpleNamespace(describe_stack_resource=describe_stack_resource)
    monkeypatch.setattr(
        target.Target,
        "client",
        lambda self, name: cloudformation if name == "cloudformation" else client(self, name),
    )
    given = {} if is_own else {"GITHUB_PROVIDER_ARN": arn}
    assert parameters_of(deployed, "--github", "shop/pipeline") == github | given
    assert parameters_of(deployed) == {}


def test_a_stage_is_deployed_by_a_person(
    deployed: list[Any], aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGE", "blue")
    said = CliRunner().invoke(app, ["bootstrap", "--yes", "--github", "shop/pipeline"])
    assert said.exit_code == 2
    assert "unset STAGE" in said.output
    assert deployed == []
