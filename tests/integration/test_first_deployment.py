"""From nothing: the documented commands in their order, on a cloud in which there is nothing."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from infra.deployer.first_values import ARTIFACTS, REPOSITORIES
from infra.environments import PROJECT, local_environment
from infra.local.task_credentials import CREDENTIALS_PATH, token_of
from tests.support.ecp import ecp
from tests.support.ministack import running_ministack

pytestmark = pytest.mark.integration
STACK = "ecommerce-pipeline-bootstrap"
TASK_KEY = "known to this test"
GITHUB = "https://token.actions.githubusercontent.com"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """A cloud on which nothing was deployed, as settings of the environment."""
    with running_ministack(tmp_path_factory.mktemp("empty"), TASK_KEY) as environment:
        yield environment


def as_role(place: Mapping[str, str], arn: str) -> dict[str, str]:
    """Settings of whoever has taken a role that only GitHub or a service can take on AWS."""
    role = arn.rpartition("/")[2]
    asked = Request(  # noqa: S310
        f"{place['AWS_ENDPOINT_URL']}{CREDENTIALS_PATH}{role}",
        headers={"Authorization": token_of(TASK_KEY, role)},
    )
    with urlopen(asked) as answer:  # noqa: S310
        taken = json.loads(answer.read())
    return {
        **place,
        "AWS_ACCESS_KEY_ID": taken["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": taken["SecretAccessKey"],
        "AWS_SESSION_TOKEN": taken["Token"],
    }


def client(place: Mapping[str, str], service: str) -> Any:
    return local_environment(place["AWS_ENDPOINT_URL"], {}).client(service)


def test_an_empty_account_is_made_ready_and_then_deployed_to(
    place: Mapping[str, str], tmp_path: Path
) -> None:
    too_early = ecp("deploy", "platform", "--yes", directory=tmp_path, environment=place)
    assert too_early.exit_code == 3
    assert "run `ecp bootstrap` first. Nothing was deployed" in too_early.err
    # The local cloud knows no resource for a provider; on AWS the stack makes it.
    client(place, "iam").create_open_id_connect_provider(
        Url=GITHUB, ClientIDList=["sts.amazonaws.com"], ThumbprintList=["0" * 40]
    )

    ready = ecp(
        *("bootstrap", "--github", "shop/pipeline", "--yes", "--json"),
        directory=tmp_path,
        environment=place,
    )

    assert ready.exit_code == 0, ready.err
    github = ready.document["github"]
    assert github["repository"] == "shop/pipeline"
    role = client(place, "iam").get_role(RoleName=github["AWS_DEPLOY_ROLE"].rpartition("/")[2])
    trusted = str(role["Role"]["AssumeRolePolicyDocument"])
    assert "repo:shop/pipeline:environment:production" in trusted
    planner = as_role(place, github["AWS_PLAN_ROLE"])
    plan = ecp("deploy", "--plan", "--json", directory=tmp_path, environment=planner)
    assert plan.exit_code == 0, plan.err
    assert {str(one["changes"]) for one in plan.document} == {"['new']"}
    assert "bootstrap" not in {one["name"] for one in plan.document}
    wanted = ("deploy", "platform", "lock", "--yes")
    refused = ecp(*wanted, directory=tmp_path, environment=planner)
    assert (refused.exit_code, "is not authorized" in refused.err) == (3, True), refused
    deployer = as_role(place, github["AWS_DEPLOY_ROLE"])
    first = ecp(*wanted, directory=tmp_path, environment=deployer)
    assert first.exit_code == 0, first.err
    told = ecp("bootstrap", "--yes", directory=tmp_path, environment=place)
    assert "unchanged" in told.out
    assert f"--body {github['AWS_PLAN_ROLE']}" in told.out


def test_what_a_stack_that_is_gone_left_is_taken_by_the_next(
    place: Mapping[str, str], tmp_path: Path
) -> None:
    cloudformation = client(place, "cloudformation")
    cloudformation.delete_stack(StackName=STACK)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=STACK)
    client(place, "s3").head_bucket(Bucket=ARTIFACTS)
    client(place, "ecr").describe_repositories(repositoryNames=list(REPOSITORIES))

    again = ecp("bootstrap", "--yes", "--json", directory=tmp_path, environment=place)

    assert again.exit_code == 0, again.err
    assert again.document["stacks"][0]["outcome"] == "CREATED"
    assert again.document["github"] == {}


def test_the_page_names_these_commands_in_this_order() -> None:
    page = (PROJECT / "docs/deploying.md").read_text()
    first_deployment = page.partition("## The first deployment")[2].partition("\n## ")[0]
    commands = ("ecp bootstrap --github", "gh variable set", "gh workflow run", "ecp deploy --all")
    places = [first_deployment.find(command) for command in commands]
    assert -1 not in places
    assert places == sorted(places)
