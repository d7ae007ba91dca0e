"""Whom the roles of a deployment trust, and what none of them may do."""

import json

import pytest

from tests.security.account import of_type
from tests.security.deployment_calls import (
    BUILDS,
    DEPLOYS,
    PLANS,
    STACKS,
    parameter,
    role_of,
    stack,
    stacks_role,
)
from tests.security.policies import listed, roles
from tests.security.targets import (
    ARTIFACTS,
    DATA,
    EVERYTHING,
    Target,
    repository,
    stored,
    stream,
    table,
)

GITHUB = "token.actions.githubusercontent.com"
BRANCH, PULL_REQUEST = "ref:refs/heads/main", "pull_request"
ENVIRONMENT = "environment:production"
OTHER = repository("validation/ecr").resource.replace("validation", "somebody")


def subjects(role: str) -> set[str]:
    """The jobs that a role trusts, without the repository, which must be the one that is given."""
    [statement] = roles()[role].resource.properties["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    [(operator, keys)] = statement["Condition"].items()
    assert operator == "StringEquals", "no pattern: a branch may have any name"
    assert keys[f"{GITHUB}:aud"] == "sts.amazonaws.com"
    assert keys.keys() == {f"{GITHUB}:aud", f"{GITHUB}:sub"}
    return {one.removeprefix("repo:shop/pipeline:") for one in listed(keys[f"{GITHUB}:sub"])}


def test_each_role_trusts_its_own_jobs_of_the_one_repository() -> None:
    assert subjects(PLANS) == {PULL_REQUEST, BRANCH}
    assert subjects(BUILDS) == {BRANCH}
    assert subjects(DEPLOYS) == {ENVIRONMENT}
    assert roles()[STACKS].trusted == {"cloudformation.amazonaws.com"}


READS = stored(DATA, "orders/july.csv")
REFUSED = [
    *((role, "s3:GetObject", READS) for role in (PLANS, BUILDS, DEPLOYS, STACKS)),
    *((role, "dynamodb:Query", stream("batch/1")) for role in (PLANS, BUILDS, DEPLOYS, STACKS)),
    *((role, "sts:AssumeRole", stacks_role()) for role in (PLANS, BUILDS, DEPLOYS, STACKS)),
    (PLANS, "ssm:PutParameter", parameter("versions/lock")),
    (PLANS, "s3:GetObject", stored(ARTIFACTS, "lock/77aa.zip")),
    (PLANS, "ssm:GetParameter", parameter("platform/data-bucket")),
    (PLANS, "cloudformation:CreateChangeSet", stack("lock")),
    (PLANS, "ecr:PutImage", repository("validation/ecr")),
    (BUILDS, "ecr:PutImage", Target(OTHER, "another one")),
    (BUILDS, "ecr:BatchDeleteImage", repository("validation/ecr")),
    (BUILDS, "cloudformation:CreateChangeSet", stack("lock")),
    (DEPLOYS, "cloudformation:CreateChangeSet", stack("lock")),
    (DEPLOYS, "cloudformation:CreateChangeSet", stack("lock", RoleArn=role_of("x").resource)),
    (DEPLOYS, "iam:PassRole", stacks_role("lambda")),
    (DEPLOYS, "iam:PassRole", role_of("lock", "lambda")),
    (DEPLOYS, "iam:PutRolePolicy", role_of("lock")),
    (DEPLOYS, "ecr:PutImage", repository("validation/ecr")),
    (DEPLOYS, "s3:DeleteObject", stored(ARTIFACTS, "lock/77aa.zip")),
    (DEPLOYS, "ssm:PutParameter", parameter("platform/data-bucket")),
    (STACKS, "dynamodb:PutItem", table("OrderKPIs")),
    (STACKS, "secretsmanager:GetSecretValue", EVERYTHING),
    (STACKS, "iam:AttachRolePolicy", role_of("lock")),
    (STACKS, "iam:PassRole", role_of("lock", "ec2")),
    (STACKS, "iam:CreateUser", EVERYTHING),
    (STACKS, "ec2:DeleteVpc", Target("*", "elsewhere", {"aws:RequestedRegion": ("eu-west-1",)})),
]


@pytest.mark.parametrize(
    ("role", "action", "target"), REFUSED, ids=lambda one: str(getattr(one, "shown", one))
)
def test_it_may_not(role: str, action: str, target: Target) -> None:
    assert not roles()[role].may(target.request(action))


@pytest.mark.parametrize("role", [PLANS, BUILDS, DEPLOYS, STACKS])
@pytest.mark.parametrize(
    "action", ["iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:DeleteRole", "iam:PassRole"]
)
def test_no_role_of_a_deployment_changes_one_of_them(role: str, action: str) -> None:
    """The names of bootstrap's roles are not among those that stacks give to theirs."""
    own = [one for one in of_type("AWS::IAM::Role") if one.stack == "bootstrap"]
    assert len(own) == 4
    for one in own:
        named = Target(one.arn, one.name, {"iam:PassedToService": ("lambda.amazonaws.com",)})
        assert not roles()[role].may(named.request(action)), one.name


@pytest.mark.parametrize("role", [PLANS, BUILDS, DEPLOYS, STACKS])
def test_its_policy_fits_into_the_role(role: str) -> None:
    """IAM takes 10,240 characters of inline policies for a role, white space not counted."""
    [policy] = roles()[role].resource.properties["Policies"]
    text = json.dumps(policy["PolicyDocument"], separators=(",", ":"))
    assert len(text) < 10_240


def test_a_policy_beside_a_role_fits_into_itself() -> None:
    """6,144 characters of a managed policy, white space not counted."""
    [policy] = of_type("AWS::IAM::ManagedPolicy")
    assert len(json.dumps(policy.properties["PolicyDocument"], separators=(",", ":"))) < 6_144
