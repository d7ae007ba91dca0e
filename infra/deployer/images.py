"""The image of a worker's code in the registry, found by what it was built from.

An image's tag is the digest of its sources, and tags are immutable: one that is there need not be
built again, and whoever deploys need not be told which it is.
"""

from typing import Any

from botocore.exceptions import ClientError

from infra.deployer.parameters import parameter_if_any
from infra.stage import WITHOUT, Stage


def repository_of(ssm: Any, service: str, stage: Stage = WITHOUT) -> str | None:
    """The URI of a worker's image repository; None before there is one."""
    name = f"/ecommerce-pipeline/bootstrap/{service}-repository-uri"
    return parameter_if_any(ssm, stage.path(name))


def image_in(ecr: Any, repository: str, tag: str) -> str | None:
    """The image of a tag, by digest; None when the repository has no such tag."""
    name = repository.partition("/")[2]
    try:
        found = ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] != "ImageNotFoundException":
            raise
        return None
    return f"{repository}@{found['imageDetails'][0]['imageDigest']}"
