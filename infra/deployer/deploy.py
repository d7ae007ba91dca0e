"""Deploys the whole pipeline, or the stacks that are named, in the order their templates imply."""

import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter
from pathlib import Path

from botocore.exceptions import ClientError

from infra.deployer.package import Artifact, build_artifact
from infra.deployer.stacks import Progress, StackDeployer, StackResult
from infra.deployer.templates import ARTIFACT_BUCKET, StackTemplate, dependencies, discover
from infra.environments import PROJECT, Environment
from infra.errors import DeploymentFailed, UnknownName

OnDeployed = Callable[[StackResult], None]
PARALLEL_STACKS = 6


def deploy(
    environment: Environment,
    names: Collection[str] = (),
    *,
    project: Path = PROJECT,
    on_progress: Progress = lambda _: None,
    on_deployed: OnDeployed = lambda _: None,
) -> list[StackResult]:
    """Deploy every stack, or those of `names` only; independent stacks go side by side.

    The stacks that named ones build on are expected to be there. `on_deployed` is called, in this
    thread, as each stack is done. Results come in the order the stacks finished. Raises
    UnknownName for a stack or parameter that no template has, and DeploymentFailed with the reason
    of the resource that failed; stacks that do not depend on it and had begun are finished first.
    """
    templates = {template.name: template for template in discover(project)}
    needed = dependencies(templates.values())
    if unknown := set(names) - set(templates):
        raise UnknownName(
            f"there is no stack {', '.join(sorted(unknown))}; "
            f"there are {', '.join(sorted(templates))}"
        )
    _reject_unknown_parameters(environment.parameters, templates)
    chosen = set(names) or set(templates)
    graph = {name: needed[name] & chosen for name in chosen}
    deployment = _Deployment(environment, project, _serialised(on_progress))
    return _in_order(graph, lambda name: deployment.apply(templates[name]), on_deployed)


class _Deployment:
    """What every stack of one deployment shares."""

    def __init__(self, environment: Environment, project: Path, on_progress: Progress) -> None:
        self._environment, self._project, self._on_progress = environment, project, on_progress
        self._s3 = environment.client("s3")
        self._ssm = environment.client("ssm")
        self._stacks = StackDeployer(
            environment.client("cloudformation"),
            environment.poll_seconds,
        )

    def apply(self, template: StackTemplate) -> StackResult:
        given = _by_letters(self._environment.own_parameters) | _by_letters(
            self._environment.parameters
        )
        parameters = _chosen_parameters(template, given)
        if template.takes_artifact:
            artifact = build_artifact(
                template, self._project, vendored=self._environment.vendor_dependencies
            )
            bucket = self._upload(artifact)
            parameters |= {"ArtifactBucket": bucket, "ArtifactKey": artifact.key}
        if "ImageUri" in template.parameters:
            parameters["ImageUri"] = self._image_uri(template)
        result = self._stacks.apply(template, parameters, self._on_progress)
        self._on_progress(f"{result.name}: {result.outcome.lower()} in {result.seconds:.1f} s")
        return result

    def _upload(self, artifact: Artifact) -> str:
        """Put the artifact into its bucket unless it is there; returns the bucket."""
        bucket = str(self._ssm.get_parameter(Name=ARTIFACT_BUCKET)["Parameter"]["Value"])
        try:
            self._s3.head_object(Bucket=bucket, Key=artifact.key)
        except ClientError as refusal:
            if refusal.response["Error"]["Code"] != "404":
                raise
            self._s3.put_object(Bucket=bucket, Key=artifact.key, Body=artifact.content)
        return bucket

    def _image_uri(self, template: StackTemplate) -> str:
        if self._environment.image_uris is None:
            return f"{template.name}:not-used-locally"
        if template.name not in self._environment.image_uris:
            raise DeploymentFailed(
                f"stack {template.name} runs a container: give the image it shall run, "
                f"by digest ({template.name}=<repository>@sha256:...)"
            )
        return self._environment.image_uris[template.name]


def _in_order(
    graph: Mapping[str, set[str]], apply: Callable[[str], StackResult], on_deployed: OnDeployed
) -> list[StackResult]:
    results: list[StackResult] = []
    order = TopologicalSorter(graph)
    order.prepare()
    running: dict[Future[StackResult], str] = {}
    with ThreadPoolExecutor(PARALLEL_STACKS, thread_name_prefix="deploy") as pool:
        while order.is_active():
            running |= {pool.submit(apply, name): name for name in order.get_ready()}
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                results.append(future.result())
                on_deployed(results[-1])
                order.done(running.pop(future))
    return results


def _chosen_parameters(template: StackTemplate, by_letters: Mapping[str, str]) -> dict[str, str]:
    """The given values that `template` declares a parameter for, by its own spelling."""
    return {
        parameter: by_letters[_letters(parameter)]
        for parameter in template.parameters
        if _letters(parameter) in by_letters
    }


def _by_letters(given: Mapping[str, str]) -> dict[str, str]:
    return {_letters(name): value for name, value in given.items()}


def _reject_unknown_parameters(
    given: Mapping[str, str], templates: Mapping[str, StackTemplate]
) -> None:
    declared = {
        _letters(parameter) for template in templates.values() for parameter in template.parameters
    }
    if unknown := sorted(name for name in given if _letters(name) not in declared):
        raise UnknownName(f"no template has a parameter for {', '.join(unknown)}")


def _letters(name: str) -> str:
    return name.replace("_", "").lower()


def _serialised(on_progress: Progress) -> Progress:
    lock = threading.Lock()

    def report(line: str) -> None:
        with lock:
            on_progress(line)

    return report
