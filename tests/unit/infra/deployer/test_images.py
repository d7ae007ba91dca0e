"""The image of a worker is found by the sources it was built from; tags never move."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.deployer.images import image_in, repository_of
from infra.deployer.templates import discover
from infra.environments import PROJECT

URI = "123456789012.dkr.ecr.us-east-1.amazonaws.com/validation/ecr"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def test_an_image_is_named_by_digest_or_is_not_there(aws: Any) -> None:
    ecr = aws("ecr")
    ecr.create_repository(repositoryName="validation/ecr", imageTagMutability="IMMUTABLE")
    assert image_in(ecr, URI, "sources1") is None
    pushed = ecr.put_image(
        repositoryName="validation/ecr",
        imageManifest=json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "layers": []}),
        imageTag="sources1",
    )
    digest = pushed["image"]["imageId"]["imageDigest"]
    assert image_in(ecr, URI, "sources1") == f"{URI}@{digest}"
    assert image_in(ecr, URI, "sources2") is None


def test_a_repository_that_is_not_there_is_an_error_and_no_missing_image(aws: Any) -> None:
    with pytest.raises(ClientError, match="RepositoryNotFound"):
        image_in(aws("ecr"), URI, "sources1")


def test_every_stack_that_runs_a_container_has_a_repository(aws: Any) -> None:
    ssm = aws("ssm")
    for name in (name for one in discover(PROJECT) for name in one.publishes):
        ssm.put_parameter(Name=name, Value=f"value of {name}", Type="String")
    containers = [one.name for one in discover(PROJECT) if one.runs_container]
    assert len(containers) == 2
    assert all(repository_of(ssm, name) for name in containers)
    assert repository_of(ssm, "lock") is None
