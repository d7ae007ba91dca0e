"""What the local cloud's IAM was asked for and refused, and a right taken away for a while."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from infra.local import ministack
from tests.support.pipeline import Pipeline

_GENERATED = re.compile(r"^ecommerce-pipeline-(.+)-[0-9A-F]+$")
Calls = Counter[tuple[str, str]]
"""How often by role, as `stack-LogicalId`, and action."""
Document = dict[str, Any]
"""The policy of a role."""


def asked(port: int) -> tuple[Calls, Calls]:
    """What was allowed and what was denied since the cloud was started."""
    said = ministack.ask(port, ministack.RIGHTS_PATH)
    assert said is not None, "the local cloud does not answer"
    allowed, denied = Calls(), Calls()
    for one in said["asked"]:
        named = _GENERATED.match(one["role"])
        key = (named[1] if named else one["role"], one["action"])
        allowed[key] += one["allowed"]
        denied[key] += one["denied"]
    return allowed, +denied


def arn_of(pipeline: Pipeline, role: str) -> str:
    """The ARN of a role, by `stack-LogicalId`."""
    pages = pipeline.client("iam").get_paginator("list_roles").paginate()
    return next(
        str(one["Arn"])
        for page in pages
        for one in page["Roles"]
        if (named := _GENERATED.match(one["RoleName"])) and named[1] == role
    )


def taken_on(pipeline: Pipeline, role: str) -> dict[str, str]:
    """The environment of somebody who took a role of people."""
    taken = pipeline.client("sts").assume_role(
        RoleArn=arn_of(pipeline, role), RoleSessionName="somebody"
    )["Credentials"]
    return {
        **pipeline.environment,
        "AWS_ACCESS_KEY_ID": taken["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": taken["SecretAccessKey"],
        "AWS_SESSION_TOKEN": taken["SessionToken"],
    }


def without(pipeline: Pipeline, role: str, action: str) -> AbstractContextManager[None]:
    """Within the block no policy of the role gives this action."""
    return _changed(pipeline, role, lambda document: _lacking(document, action))


def elsewhere(pipeline: Pipeline, role: str, keys: str, other: str) -> AbstractContextManager[None]:
    """Within the block the role may what it may on other leading keys than on these."""

    def changed(document: Document) -> Document:
        return dict(json.loads(json.dumps(document).replace(f'"{keys}"', f'"{other}"')))

    return _changed(pipeline, role, changed)


@contextmanager
def _changed(
    pipeline: Pipeline, role: str, change: Callable[[Document], Document]
) -> Iterator[None]:
    iam, name = pipeline.client("iam"), arn_of(pipeline, role).rpartition("/")[2]
    before = {
        policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    }
    after = {policy: change(document) for policy, document in before.items()}
    assert after != before, f"{role} has not what is to be changed"
    try:
        _put(iam, name, after)
        yield
    finally:
        _put(iam, name, before)


def _lacking(document: Document, action: str) -> Document:
    left: list[dict[str, Any]] = []
    for statement in document["Statement"]:
        given = statement["Action"]
        actions = [one for one in ([given] if isinstance(given, str) else given) if one != action]
        left += [{**statement, "Action": actions}] if actions else []
    return {**document, "Statement": left}


def _put(iam: Any, role: str, documents: Mapping[str, Document]) -> None:
    for policy, document in documents.items():
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))
