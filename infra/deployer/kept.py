"""What outlives its stack, and how a new stack takes it back.

Tables and buckets CloudFormation finds by itself, by names that are written out
(ImportExistingResources), and a stack is made of them before anything is added to it. A secret has
a name of its own making: it is found by its tag, and a parameter gives it to the template, as it
does of the database of the facts.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from contracts.layout import FACTS_DATABASE
from infra.deployer.templates import document_of
from infra.environments import Environment
from infra.errors import DeploymentFailed
from infra.stage import Stage

TAG = "ecommerce-pipeline"
"""Key of the tag whose value says, after the stage, which secret it is."""
SECRETS = {
    "KeptPseudonymKey": (
        "pseudonym-key",
        "Key that user ids are pseudonymised with before they reach the facts",
    ),
    "KeptRotationKey": (
        "rotation-key",
        "Key that made the newest generation of pseudonyms of the one before",
    ),
}
"""By parameter: what the tag says, and the description of those made before there were tags."""
DATABASE = "MakesFactsDatabase"
OF_NEW_STACKS = frozenset({*SECRETS, DATABASE})
"""Parameters that a stack that is there never needs: what it has is its own."""
IDENTIFIERS = {"AWS::DynamoDB::Table": "TableName", "AWS::S3::Bucket": "BucketName"}
_NAME = re.compile(r"^( +(?:TableName|BucketName): )!Sub (\S+)$", re.MULTILINE)
_PARAMETER = re.compile(r"\$\{(\w+)\}")


def with_names_written_out(body: str, values: Mapping[str, str]) -> str:
    """The template with the names of tables and buckets as texts, where all their parts are known.

    CloudFormation looks for what is there already by such names alone.
    """

    def written_out(found: re.Match[str]) -> str:
        if not set(_PARAMETER.findall(found[2])) <= values.keys():
            return found[0]
        return found[1] + _PARAMETER.sub(lambda one: values[one[1]], found[2])

    return _NAME.sub(written_out, body)


def imported(
    logical_ids: Collection[str], body: str, path: Path
) -> tuple[str, list[dict[str, Any]]]:
    """A template of these resources alone, and by what CloudFormation knows each.

    Raises DeploymentFailed for one of a kind that has no name of ours.
    """
    document = document_of(body)
    resources = {name: document["Resources"][name] for name in logical_ids}
    named = []
    for logical_id, resource in resources.items():
        key = IDENTIFIERS.get(resource["Type"])
        name = resource["Properties"].get(key)
        if not isinstance(name, str):
            raise DeploymentFailed(
                f"{path}: {logical_id} ({resource['Type']}) is there already, and cannot be taken "
                "back by its name: import it into the stack, or delete it. Nothing was deployed"
            )
        named.append(
            {
                "ResourceType": resource["Type"],
                "LogicalResourceId": logical_id,
                "ResourceIdentifier": {key: name},
            }
        )
    kept = {**document, "Resources": resources}
    kept.pop("Outputs", None)
    return json.dumps(kept, default=str), named


def kept_values(environment: Environment, parameters: Collection[str]) -> dict[str, str]:
    """Values of those of these parameters that name what an earlier stack left."""
    found = {}
    for parameter, (what, description) in SECRETS.items():
        if parameter not in parameters:
            continue
        if secret := _secret(environment, parameter, what, description):
            found[parameter] = secret
    if DATABASE in parameters:
        name = environment.stage.database(FACTS_DATABASE)
        found[DATABASE] = "no" if _has_database(environment, name) else "yes"
    return found


def _secret(environment: Environment, parameter: str, what: str, description: str) -> str | None:
    pages = environment.client("secretsmanager").get_paginator("list_secrets").paginate()
    every = [secret for page in pages for secret in page["SecretList"]]
    found = sorted(_are(every, environment.stage, what, description))
    if len(found) > 1:
        raise DeploymentFailed(
            f"earlier stacks left {len(found)} secrets that may be the {what}: {', '.join(found)}. "
            f"Say which made what is in the facts, by --parameter {parameter}=ARN, and delete the "
            "others; with another key everybody has another pseudonym. Nothing was deployed"
        )
    return found[0] if found else None


def _are(secrets: Collection[Any], stage: Stage, what: str, description: str) -> Iterator[str]:
    """Those whose tag says so; without a stage also those without a tag, by their description."""
    for secret in secrets:
        tags = {tag["Key"]: tag["Value"] for tag in secret.get("Tags", ())}
        is_tagged = tags.get(TAG) == stage.named(what)
        is_older = TAG not in tags and not stage.name and secret.get("Description") == description
        if is_tagged or is_older:
            yield str(secret["ARN"])


def is_there(ask: Callable[[], Any], missing: str) -> bool:
    """Whether AWS knows what is asked about; `missing` is its error code for what it does not."""
    try:
        ask()
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] != missing:
            raise
        return False
    return True


def _has_database(environment: Environment, name: str) -> bool:
    glue = environment.client("glue")
    return is_there(lambda: glue.get_database(Name=name), "EntityNotFoundException")
