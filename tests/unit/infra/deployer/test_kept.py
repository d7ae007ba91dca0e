"""What outlives its stack is found by the next one, and refused where that is not sure."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pytest

from infra.deployer.kept import SECRETS, TAG, imported, kept_values, with_names_written_out
from infra.deployer.stacks import StackDeployer
from infra.deployer.templates import discover
from infra.deployer.waiting import Waiting
from infra.environments import PROJECT, Environment, aws_environment
from infra.errors import DeploymentFailed
from infra.stage import Stage
from tests.unit.infra.projects import ScriptedCloudFormation

BLUE = Stage("blue")
TEMPLATES = {one.name: one for one in discover(PROJECT, BLUE)}


@pytest.fixture
def blue(aws: Any) -> Environment:
    return aws_environment({}, {}, "us-east-1", BLUE)


@pytest.fixture
def plain(aws: Any) -> Environment:
    return aws_environment({}, {}, "us-east-1")


def a_secret(aws: Any, name: str, tag: str | None = None, description: str = "") -> str:
    tags = [{"Key": TAG, "Value": tag}] if tag else []
    made = aws("secretsmanager").create_secret(
        Name=name, SecretString="x", Tags=tags, Description=description
    )
    return str(made["ARN"])


def test_the_key_of_a_stage_is_found_by_its_tag_and_that_of_another_is_not(
    aws: Any, blue: Environment, plain: Environment
) -> None:
    assert kept_values(blue, SECRETS) == {}
    of_blue = a_secret(aws, "one", "blue-pseudonym-key")
    of_none = a_secret(aws, "other", "pseudonym-key")
    assert kept_values(blue, SECRETS) == {"KeptPseudonymKey": of_blue}
    assert kept_values(plain, SECRETS) == {"KeptPseudonymKey": of_none}
    assert kept_values(blue, ["KeptRotationKey"]) == {}


def test_a_key_of_before_there_were_tags_is_known_by_what_it_says(
    aws: Any, blue: Environment, plain: Environment
) -> None:
    description = SECRETS["KeptPseudonymKey"][1]
    older = a_secret(aws, "PseudonymKey-abc", description=description)
    a_secret(aws, "somebody's", description="else")
    assert kept_values(plain, SECRETS) == {"KeptPseudonymKey": older}
    assert kept_values(blue, SECRETS) == {}


def test_two_keys_are_named_with_what_to_do(aws: Any, blue: Environment) -> None:
    both = [a_secret(aws, name, "blue-pseudonym-key") for name in ("one", "two")]
    with pytest.raises(DeploymentFailed, match="KeptPseudonymKey=ARN") as refused:
        kept_values(blue, SECRETS)
    for arn in both:
        assert arn in str(refused.value)


def test_the_database_of_the_facts_is_made_once(aws: Any, blue: Environment) -> None:
    assert kept_values(blue, ["MakesFactsDatabase"]) == {"MakesFactsDatabase": "yes"}
    aws("glue").create_database(DatabaseInput={"Name": "ecommerce"})
    assert kept_values(blue, ["MakesFactsDatabase"]) == {"MakesFactsDatabase": "yes"}
    aws("glue").create_database(DatabaseInput={"Name": "blue_ecommerce"})
    assert kept_values(blue, ["MakesFactsDatabase"]) == {"MakesFactsDatabase": "no"}


def test_templates_tag_their_secrets_as_they_are_looked_for() -> None:
    found = {
        parameter: (tag["Value"], resource["Properties"]["Description"])
        for template in TEMPLATES.values()
        for parameter in set(template.parameters) & set(SECRETS)
        for resource in template.resources.values()
        if resource["Type"] == "AWS::SecretsManager::Secret"
        for tag in resource["Properties"]["Tags"]
        if tag["Key"] == TAG
    }
    assert found == {
        parameter: (BLUE.named(what), description)
        for parameter, (what, description) in SECRETS.items()
    }


def test_every_table_and_bucket_that_is_kept_has_a_name_that_cloudformation_can_look_for() -> None:
    """Written out when its stack is made; what the stack has is not looked for."""
    names = {}
    for template in TEMPLATES.values():
        values = {**template.defaults, **template.of_stage, "BucketSuffix": "-1-r"}
        body = with_names_written_out(template.body, values)
        names |= dict(re.findall(r"^ +(TableName|BucketName): (?!!)(\S+)$", body, re.MULTILINE))
        for kind, key in (("DynamoDB::Table", "TableName"), ("S3::Bucket", "BucketName")):
            kept = [one for one in template.resources.values() if one["Type"] == f"AWS::{kind}"]
            written = re.findall(rf"^ +{key}: (blue-\S+)$", body, re.MULTILINE)
            assert len(written) == len(kept), template.name
            assert not any("$" in name for name in written)
    assert names["TableName"].startswith("blue-")


def test_a_name_with_a_part_that_nobody_knows_stays_as_it_is() -> None:
    body = "      TableName: !Sub ${StagePrefix}EventStore${Other}\n"
    assert with_names_written_out(body, {"StagePrefix": "blue-"}) == body


@pytest.mark.parametrize("before", [None, "UPDATE_COMPLETE"], ids=["new", "there"])
def test_only_a_new_stack_takes_back_what_was_left(before: str | None) -> None:
    template = TEMPLATES["validator"]
    had = () if before is None else ("Currency",)
    cloudformation = ScriptedCloudFormation(before=before, had_parameters=had)
    looked_for: set[str] = set()

    def first(left: Collection[str], _: Mapping[str, str]) -> dict[str, str]:
        looked_for.update(left)
        return {"KeptPseudonymKey": "arn:kept"} if "KeptPseudonymKey" in left else {}

    StackDeployer(cloudformation, Waiting(0.0), first).prepare(template, {}, lambda _: None)

    made = cloudformation.created
    given = {one["ParameterKey"]: one.get("ParameterValue") for one in made["Parameters"]}
    assert given["StagePrefix"] == "blue-"
    assert given["EventStoreTable"] == "/blue-ecommerce-pipeline/platform/event-store-table"
    is_new = before is None
    assert made.get("ImportExistingResources", False) is is_new
    assert given.get("KeptPseudonymKey") == ("arn:kept" if is_new else None)
    assert ("KeptPseudonymKey" in looked_for) is is_new


def test_a_new_stack_has_the_names_of_its_tables_written_out() -> None:
    cloudformation = ScriptedCloudFormation()
    template = TEMPLATES["platform"]
    deployer = StackDeployer(cloudformation, Waiting(0.0))
    deployer.prepare(template, {"BucketSuffix": "-1-r"}, lambda _: None)
    body = cloudformation.created["TemplateBody"]
    assert "      TableName: blue-EventStore\n" in body
    assert "      BucketName: blue-ecommerce-data-bucket-1-r\n" in body
    assert body.replace("blue-EventStore", "!Sub ${StagePrefix}EventStore").count("\n") == (
        template.body.count("\n")
    )


def test_a_stack_is_made_of_what_is_there_and_of_nothing_else() -> None:
    template = TEMPLATES["platform"]
    body = with_names_written_out(template.body, {**template.of_stage, "BucketSuffix": ""})
    alone, named = imported(["EventStore", "DataBucket"], body, template.path)
    document = json.loads(alone)
    assert set(document["Resources"]) == {"EventStore", "DataBucket"}
    assert {one["DeletionPolicy"] for one in document["Resources"].values()} == {
        "RetainExceptOnCreate"
    }
    assert set(document["Parameters"]) == set(template.parameters)
    assert [one["ResourceIdentifier"] for one in named] == [
        {"TableName": "blue-EventStore"},
        {"BucketName": "blue-ecommerce-data-bucket"},
    ]


def test_what_has_no_name_of_ours_is_named_with_what_to_do() -> None:
    template = TEMPLATES["platform"]
    with pytest.raises(DeploymentFailed, match=r"Cluster .* import it into the stack, or delete"):
        imported(["Cluster"], template.body, template.path)


class CloudWithATable(ScriptedCloudFormation):
    """Finds, when the stack is first made, that one of its resources is there already."""

    def __init__(self) -> None:
        super().__init__(after=())
        self.kinds: list[str] = []

    def create_change_set(self, **arguments: Any) -> dict[str, str]:
        self.kinds.append(arguments["ChangeSetType"])
        if arguments["ChangeSetType"] == "IMPORT":
            assert "Tags" not in arguments, "CloudFormation refuses them in an import"
            self.imported = arguments["ResourcesToImport"]
        return super().create_change_set(**arguments)

    def execute_change_set(self, **_: str) -> None:
        self._status = f"{self.kinds[-1]}_COMPLETE"

    def paginate(self, **_: str) -> Iterator[dict[str, Any]]:
        action = "Import" if self.kinds[-1] in ("CREATE", "IMPORT") else "Add"
        change = {"Action": action, "LogicalResourceId": "EventStore", "ResourceType": "x"}
        yield {"Changes": [{"ResourceChange": change}]}


def test_what_is_there_comes_into_the_stack_first_and_the_rest_is_an_update() -> None:
    cloudformation, said = CloudWithATable(), list[str]()
    deployer = StackDeployer(cloudformation, Waiting(0.0))
    change_set = deployer.prepare(TEMPLATES["platform"], {}, said.append)
    assert cloudformation.kinds == ["CREATE", "IMPORT", "UPDATE"]
    assert [one["LogicalResourceId"] for one in cloudformation.imported] == ["EventStore"]
    assert said == ["platform: takes back EventStore, which an earlier stack left"]
    assert change_set is not None
    assert not change_set.creates
