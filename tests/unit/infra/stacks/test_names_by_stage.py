"""Every name in every template: with a stage before it, and without one as it always was."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.deployer.templates import discover
from infra.environments import PROJECT
from infra.stage import FIRST_WORDS, LONGEST, WITHOUT, Stage, stage_named
from services.api.operations.letters import OWNERS
from tests.security.account import REGION, stacks

FROZEN = Path(__file__).parent / "names_without_a_stage.txt"
BLUE = Stage("blue")
NAMES = (
    "TableName", "QueueName", "BucketName", "TopicName", "LogGroupName", "FunctionName",
    "StateMachineName", "RepositoryName", "ClusterName", "AlarmName", "Family", "Name",
    "RoleName", "DashboardName", "ManagedPolicyName",
)  # fmt: skip
PLACES = re.compile(r"^(/aws/(?:lambda|ecs|apigateway|vendedlogs/states)/|/)")
"""What AWS wants before the name of a log, and the slash of an SSM parameter."""
OF_ITS_OWN_API = {"AWS::ApiGatewayV2::Authorizer"}
"""What is named within something else has no name of its own in an account."""
TEMPLATES = discover(PROJECT, BLUE)
OURS = re.compile(
    r"ecommerce-(?:pipeline|data|archive|warehouse)\b(?!/)|EcommercePipeline|ecsJob"
    r"|(?:validation|transformation)(?:-task|/ecr)|TransformerState|AggregatorState|EventStore\b"
)


def given_names(resource: Any) -> Iterator[str]:
    """The names that a resource gives to what it makes."""
    for key in NAMES:
        if key in resource.properties:
            yield str(resource.properties[key])
    for of, key in (("ECS::Service", "ServiceName"), ("ScalingPolicy", "PolicyName")):
        if resource.type.endswith(of):
            yield str(resource.properties[key])
    if resource.type == "AWS::Glue::Database":
        yield str(resource.properties["DatabaseInput"]["Name"])


@pytest.mark.medium
def test_without_a_stage_every_name_is_what_it_was() -> None:
    named = {
        f"{resource.stack} {resource.type} {name}"
        for stack in stacks()
        for resource in stack.resources()
        for name in given_names(resource)
    }
    assert named == set(FROZEN.read_text().splitlines())


@pytest.mark.medium
def test_with_a_stage_every_name_has_it_before_it() -> None:
    plain = {str(one): sorted(given_names(one)) for each in stacks() for one in each.resources()}
    found = {
        str(one): sorted(given_names(one))
        for each in stacks(BLUE.prefix)
        for one in each.resources()
        if one.type not in OF_ITS_OWN_API
    }
    assert len([name for names in found.values() for name in names]) > 150
    for resource, names in found.items():
        expected = [_staged(name, resource) for name in plain[resource]]
        assert names == sorted(expected), resource


def _staged(name: str, resource: str) -> str:
    if resource == "transformer/FactsDatabase":
        return BLUE.database(name)
    place = PLACES.match(name)
    head = place[0] if place else ""
    return head + BLUE.named(name.removeprefix(head))


def test_nothing_that_a_stage_refers_to_is_of_another() -> None:
    """Policies, rules, alarms, settings and the dashboard name what is the stage's own."""
    crossing = [
        f"{resource}: {text[max(0, found.start() - 60) : found.end() + 10]}"
        for stack in stacks(BLUE.prefix)
        for resource in stack.resources()
        for text in texts(resource.properties)
        for found in OURS.finditer(text)
        if not re.search(r"\bblue[-_][\w-]*$", text[: found.start()])
        and not is_the_same_in_every_stage(text, found)
    ]
    assert crossing == []


def is_the_same_in_every_stage(text: str, found: re.Match[str]) -> bool:
    """Words of messages and of scopes, the lock's item, and what texts for people say."""
    around = text[max(0, found.start() - 40) : found.end() + 24]
    said = ("ecommerce-pipeline-lock", "ecommerce-pipeline/", "PolicyName", "`")
    return any(one in around for one in said) or text in SAID_WITHIN


SAID_WITHIN = frozenset(
    {
        "ecommerce-pipeline",  # audience of tokens, session names
        "ecsJob",  # name of an inline policy
        *("validation-task", "transformation-task"),
        *("start-validation-task", "start-transformation-task"),
    }
)
"""Names within something that is the stage's own: inline policies, targets of a rule."""


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)


@pytest.mark.medium
@pytest.mark.parametrize("template", TEMPLATES, ids=lambda one: one.name)
def test_a_stage_publishes_and_looks_up_under_its_own_path(template: Any) -> None:
    for parameter in (*template.publishes, *template.resolves, *template.looked_up.values()):
        assert parameter.startswith("/blue-ecommerce-pipeline/"), parameter
    assert template.stack_name == f"blue-ecommerce-pipeline-{template.name}"
    assert template.of_stage == {**template.looked_up, "StagePrefix": "blue-"}
    assert discover_plain()[template.name].of_stage == {}


def discover_plain() -> dict[str, Any]:
    return {one.name: one for one in discover(PROJECT)}


def test_metrics_of_two_stages_are_not_added_up() -> None:
    found = {
        text
        for stack in stacks(BLUE.prefix)
        for resource in stack.resources()
        for text in texts(resource.properties)
        if text.endswith("EcommercePipeline")
    }
    assert found == {"blue-EcommercePipeline"}


@pytest.mark.medium
def test_a_bucket_with_a_stage_account_and_region_is_no_longer_than_s3_takes() -> None:
    suffix = f"-123456789012-{'ap-southeast-2'}"
    assert len(REGION) < len("ap-southeast-2")
    longest = Stage("x" * LONGEST)
    for stack in stacks(longest.prefix):
        for resource in stack.resources():
            if resource.type == "AWS::S3::Bucket":
                assert len(f"{resource.name}{suffix}") <= 63, resource.name


@pytest.mark.parametrize("name", ["dev", "prod", "blue", "stage", "t1"])
def test_such_a_name_is_a_stage(name: str) -> None:
    assert stage_named(name).named("guard-events") == f"{name}-guard-events"
    assert stage_named(name).path("/ecommerce-pipeline/x") == f"/{name}-ecommerce-pipeline/x"


def test_no_name_is_the_one_without_a_stage() -> None:
    assert stage_named("") == WITHOUT
    assert WITHOUT.named("EventStore") == "EventStore"


@pytest.mark.parametrize(
    "name", ["Dev", "a-b", "1st", "x" * (LONGEST + 1), "ümlaut", "aws1", "ssm", "lock", "event"]
)
def test_what_cannot_be_one_is_refused_with_what_to_write(name: str) -> None:
    from infra.errors import UnknownName

    with pytest.raises(UnknownName, match=r"such as dev"):
        stage_named(name)


def test_no_stage_can_be_taken_for_a_name_without_one() -> None:
    """`lock-validator-commands` would be a queue of the stage `lock`, or one of the lock's."""
    plain = [line.split(" ", 2)[2] for line in FROZEN.read_text().splitlines()]
    first = {PLACES.sub("", name).split("-")[0].split("/")[0] for name in plain if "-" in name}
    short = {word for word in first if re.fullmatch(rf"[a-z][a-z0-9]{{0,{LONGEST - 1}}}", word)}
    assert short | {owner.split("-")[0] for owner in OWNERS} - {"aggregator"} <= {
        *FIRST_WORDS,
        *{word for word in first if len(word) > LONGEST},
    }


def test_parameter_of_the_stage_is_the_same_in_every_template() -> None:
    found = {
        re.search(r"  StagePrefix:\n(?:    .*\n)+", one.body)[0]  # type: ignore[index]
        for one in TEMPLATES
    }
    assert len(found) == 1
    [text] = found
    pattern = yaml.safe_load(text)["StagePrefix"]["AllowedPattern"]
    for name in ("", "dev-", "x" * LONGEST + "-"):
        assert re.fullmatch(pattern, name)
    assert not re.fullmatch(pattern, "Dev-")
