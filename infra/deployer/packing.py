"""From a checkout to what a stack is deployed with: its parameters, its code in the bucket."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from infra.deployer.images import image_in, repository_of
from infra.deployer.kept import is_there
from infra.deployer.package import build_artifact, sources_digest
from infra.deployer.parameters import parameter_if_any
from infra.deployer.templates import ARTIFACT_BUCKET, StackTemplate
from infra.environments import Environment
from infra.errors import DeploymentFailed
from infra.stage import Stage

IN_BUCKET = "s3://"
"""How the image of a worker is named where no images are used: the zip of its code."""

PROJECT_VERSION = "project-version"
"""Metadata of an artifact."""


def letters(name: str) -> str:
    """A parameter's name without the marks in which spellings differ."""
    return name.replace("_", "").lower()


def given_parameters(environment: Environment, template: StackTemplate) -> dict[str, str]:
    """The values given for this place, by the spelling of `template`, those it declares."""
    given = {letters(name): value for name, value in environment.own_parameters.items()}
    given |= {letters(name): value for name, value in environment.parameters.items()}
    return {name: given[letters(name)] for name in template.parameters if letters(name) in given}


class ArtifactBucket:
    """The bucket that keeps the code and the template of every version."""

    def __init__(self, s3: Any, ssm: Any, stage: Stage) -> None:
        self._s3, self._ssm, self._stage = s3, ssm, stage

    @cached_property
    def name(self) -> str:
        """Published by the bootstrap stack; raises DeploymentFailed before that is there."""
        name = parameter_if_any(self._ssm, self._stage.path(ARTIFACT_BUCKET))
        if name is None:
            raise DeploymentFailed(
                "there is no artifact bucket yet: run `ecp bootstrap` first. Nothing was deployed"
            )
        return name

    def check(self) -> None:
        """Raises DeploymentFailed before there is a bucket: a change could not be recorded."""
        _ = self.name

    def keep(self, key: str, content: bytes, project_version: str | None = None) -> None:
        """Put it there unless it is: keys are made of contents.

        Its metadata says which version of the project it was first made of: the bytes do not, so
        that a release changes no stack whose code is as before.
        """
        if not self.has(key):
            metadata = {PROJECT_VERSION: project_version} if project_version else {}
            self._s3.put_object(Bucket=self.name, Key=key, Body=content, Metadata=metadata)

    def has(self, key: str) -> bool:
        """Whether something is kept under a key."""
        return is_there(lambda: self._s3.head_object(Bucket=self.name, Key=key), "404")

    def text(self, key: str) -> str:
        """What is kept under a key."""
        body = self._s3.get_object(Bucket=self.name, Key=key)["Body"].read()
        return bytes(body).decode()


def code_parameters(
    template: StackTemplate,
    project: Path,
    environment: Environment,
    bucket: ArtifactBucket,
    project_version: str | None,
) -> dict[str, str]:
    """Build the stack's code, keep it, and give the parameters that name it.

    Raises DeploymentFailed when a container's image is neither given nor in the registry.
    """
    if template.takes_artifact:
        artifact = build_artifact(template, project, vendored=environment.vendor_dependencies)
        bucket.keep(artifact.key, artifact.content, project_version)
        return {"ArtifactBucket": bucket.name, "ArtifactKey": artifact.key}
    if not template.runs_container:
        return {}
    if environment.image_uris is None:
        artifact = build_artifact(template, project, vendored=False)
        bucket.keep(artifact.key, artifact.content, project_version)
        return {"ImageUri": f"{IN_BUCKET}{bucket.name}/{artifact.key}"}
    given = environment.image_uris.get(template.name)
    return {"ImageUri": given or _built_image(template, project, environment)}


def _built_image(template: StackTemplate, project: Path, environment: Environment) -> str:
    """The image that was built from these sources, by digest."""
    repository = repository_of(environment.client("ssm"), template.name, environment.stage)
    tag = sources_digest(template, project)
    image = repository and image_in(environment.client("ecr"), repository, tag)
    if image:
        return image
    raise DeploymentFailed(
        f"stack {template.name} runs a container, and no image of these sources is in "
        f"{repository or 'any repository'}: build services/{template.service}/Dockerfile and push "
        f"it under the tag {tag}, or give the image it shall run, by digest "
        f"(--image {template.name}=<repository>@sha256:...)"
    )


def code_of(parameters: Mapping[str, str]) -> str:
    """What the parameters of a stack name as its code; empty for a stack without code."""
    return parameters.get("ArtifactKey") or parameters.get("ImageUri", "")
