"""Names that are free: a new stack takes them, and one that has a value keeps it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from infra.deployer.first_values import ARTIFACTS, REPOSITORIES, first_values
from infra.deployer.stacks import StackDeployer
from infra.deployer.templates import StackTemplate, discover
from infra.deployer.waiting import Waiting
from infra.environments import PROJECT, Environment, aws_environment, local_environment
from tests.unit.infra.projects import ScriptedCloudFormation

SUFFIX = "-123456789012-us-east-1"


@pytest.fixture
def on_aws(aws: Any) -> Environment:
    return aws_environment({}, {}, "us-east-1")


def test_buckets_carry_account_and_region_on_aws_and_on_one_machine_the_seeds_names(
    on_aws: Environment,
) -> None:
    assert first_values(on_aws, ["BucketSuffix", "NotificationEmail"], {}) == {
        "BucketSuffix": SUFFIX
    }
    assert first_values(local_environment("http://127.0.0.1:1", {}), ["BucketSuffix"], {}) == {}


@pytest.mark.parametrize(
    ("given", "bucket"), [({}, ARTIFACTS + SUFFIX), ({"BucketSuffix": "-x"}, ARTIFACTS + "-x")]
)
def test_what_an_earlier_stack_left_is_used_and_not_made(
    on_aws: Environment, aws: Any, given: Mapping[str, str], bucket: str
) -> None:
    asked = {"BucketSuffix", "MakesArtifactBucket", "MakesRepositories"} - set(given)
    makes = {"MakesArtifactBucket": "yes", "MakesRepositories": "yes"}
    assert first_values(on_aws, asked, given).items() >= makes.items()
    aws("s3").create_bucket(Bucket=bucket)
    for name in REPOSITORIES:
        aws("ecr").create_repository(repositoryName=name)
    kept = {"MakesArtifactBucket": "no", "MakesRepositories": "no"}
    assert first_values(on_aws, asked, given).items() >= kept.items()


def platform() -> StackTemplate:
    return next(one for one in discover(PROJECT) if one.name == "platform")


def created_with(
    environment: Environment, had: tuple[str, ...], given: Mapping[str, str]
) -> dict[str, str | None]:
    before = "UPDATE_COMPLETE" if had else None
    cloudformation = ScriptedCloudFormation(before=before, had_parameters=had)
    deployer = StackDeployer(
        cloudformation,
        Waiting(0.0),
        lambda names, others: first_values(environment, names, others),
        role_arn="arn:aws:iam::123456789012:role/stacks",
    )
    deployer.prepare(platform(), given, lambda _: None)
    assert cloudformation.created["RoleARN"] == "arn:aws:iam::123456789012:role/stacks"
    return {
        one["ParameterKey"]: one.get("ParameterValue")
        for one in cloudformation.created["Parameters"]
    }


def test_a_stack_keeps_the_names_of_its_buckets_and_a_new_one_is_given_free_ones(
    on_aws: Environment,
) -> None:
    assert created_with(on_aws, (), {})["BucketSuffix"] == SUFFIX
    assert created_with(on_aws, (), {"BucketSuffix": "-mine"})["BucketSuffix"] == "-mine"
    assert created_with(on_aws, ("BucketSuffix",), {})["BucketSuffix"] is None, "as it was"
    local = replace(on_aws, names_are_global=False)
    assert "BucketSuffix" not in created_with(local, (), {})
