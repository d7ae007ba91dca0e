"""What the templates themselves say: which stacks there are, which needs which, what is in them.

Stacks meet only in SSM parameters. A stack that resolves a parameter comes after the stack that
publishes it; nobody keeps a list.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

from infra.errors import DeploymentFailed
from infra.stage import IN_TEMPLATES, PARAMETER, WITHOUT, Stage

STACK_PREFIX = "ecommerce-pipeline-"
BOOTSTRAP = "bootstrap"
"""The stack that must be there before the others; on AWS it is a person's to deploy."""
ARTIFACT_BUCKET = "/ecommerce-pipeline/bootstrap/artifact-bucket"
STACKS_ROLE = "/ecommerce-pipeline/bootstrap/stacks-role-arn"

_PUBLIC_PARAMETERS = "/aws/service/"
_SSM_REFERENCE = re.compile(r"\{\{resolve:ssm:([^}:]+)(?::\d+)?\}\}")
_SSM_TYPE = "AWS::SSM::Parameter::Value<"
_KEPT_POLICIES = ("Retain", "RetainExceptOnCreate", "Snapshot")
_FUNCTION = "AWS::Lambda::Function"
_HOLDS_MESSAGES = "AWS::SQS::Queue"
_PLATFORMS = {"x86_64": "manylinux2014_x86_64", "arm64": "manylinux2014_aarch64"}


@dataclass(frozen=True)
class StackTemplate:
    """A template and what it declares, with the names that it gives in a stage.

    `body`: as it is written, with the prefix left open; all else has it put in.
    `parameters`: type of each template parameter by name. `resolves`, `publishes`: names of SSM
    parameters. `service`: the folder under services/ it belongs to, None for infra's own.
    `resources`: what the stack is made of, by logical id. `starts`: modules that something beside
    the stack's own function or container starts (EntryPoints of its Metadata). `secrets`:
    parameters whose values CloudFormation keeps to itself (NoEcho). `looked_up`: the name of the
    SSM parameter that a template parameter's value comes from. `defaults`: of parameters.
    """

    name: str
    path: Path
    body: str
    parameters: Mapping[str, str]
    resolves: frozenset[str]
    publishes: frozenset[str]
    service: str | None
    resources: Mapping[str, Mapping[str, Any]]
    starts: tuple[str, ...] = ()
    secrets: frozenset[str] = frozenset()
    looked_up: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    stage: Stage = WITHOUT

    @property
    def stack_name(self) -> str:
        return self.stage.named(STACK_PREFIX + self.name)

    @property
    def of_stage(self) -> dict[str, str]:
        """Parameters that follow from the stage; without one they are as the template has them."""
        if not self.stage.name:
            return {}
        own = {PARAMETER: self.stage.prefix} if PARAMETER in self.parameters else {}
        return {**self.looked_up, **own}

    @property
    def takes_artifact(self) -> bool:
        """Whether the deployer uploads something for this stack before it deploys it."""
        return "ArtifactKey" in self.parameters

    @property
    def keeps_artifacts(self) -> bool:
        """Whether the stack makes the bucket that the deployer uploads to."""
        return self.stage.path(ARTIFACT_BUCKET) in self.publishes

    @property
    def runs_container(self) -> bool:
        """Whether the stack's code runs in a container rather than in a function."""
        return "ImageUri" in self.parameters

    @property
    def has_code(self) -> bool:
        """Whether the stack's function, container or state machine is built from this project."""
        return self.takes_artifact or self.runs_container

    @property
    def entry_points(self) -> list[str]:
        """The modules that its functions (Handler) and containers (`python -m`) start with."""
        properties = [one.get("Properties", {}) for one in self.resources.values()]
        handlers = [
            str(one["Handler"]).rpartition(".")[0] for one in properties if "Handler" in one
        ]
        commands = [
            container.get("Command", [])
            for one in properties
            for container in one.get("ContainerDefinitions", [])
        ]
        programs = [str(command[-1]) for command in commands if command[1:2] == ["-m"]]
        return [*handlers, *programs, *self.starts]

    @property
    def runtime(self) -> tuple[tuple[str, ...], str]:
        """The platform tags and the Python version that the stack's function runs on."""
        functions = [one for one in self.resources.values() if one["Type"] == _FUNCTION]
        properties = functions[0]["Properties"] if functions else {}
        [architecture] = properties.get("Architectures", ["x86_64"])
        version = properties.get("Runtime", "python3.11").removeprefix("python")
        return (_PLATFORMS[architecture],), version

    def is_stateful(self, logical_id: str) -> bool:
        """Whether a resource holds what cannot be made again: the template keeps it when its stack
        goes (DeletionPolicy, UpdateReplacePolicy), or it holds messages."""
        resource = self.resources.get(logical_id, {})
        policies = (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
        is_kept = any(policy in _KEPT_POLICIES for policy in policies)
        return is_kept or resource.get("Type") == _HOLDS_MESSAGES

    def reads_ssm(self, parameter: str) -> bool:
        """Whether a template parameter's value is the name of an SSM parameter."""
        return self.parameters[parameter].startswith(_SSM_TYPE)


def discover(project: Path, stage: Stage = WITHOUT) -> list[StackTemplate]:
    """Every template of the project: infra/stacks/*.yaml and services/*/template.yaml, by name."""
    own = [(path.stem, path, None) for path in sorted(project.glob("infra/stacks/*.yaml"))]
    of_services = [
        (path.parent.name, path, path.parent.name)
        for path in sorted(project.glob("services/*/template.yaml"))
    ]
    return [
        read_template(name, path, path.read_text(encoding="utf-8"), service, stage)
        for name, path, service in own + of_services
    ]


def dependencies(templates: Iterable[StackTemplate]) -> dict[str, set[str]]:
    """For each stack the stacks that must be there before it.

    Raises DeploymentFailed when a resolved parameter has no publisher or two, or when stacks wait
    for each other in a circle.
    """
    templates = list(templates)
    publishers: dict[str, str] = {}
    for template in templates:
        for parameter in template.publishes:
            other = publishers.setdefault(parameter, template.name)
            if other != template.name:
                raise DeploymentFailed(
                    f"stacks {other} and {template.name} both publish {parameter}; keep one"
                )
    # Every template is kept in the artifact bucket, whether or not its stack takes code from there.
    keeper = {template.name for template in templates if template.keeps_artifacts}
    needed = {
        template.name: {
            _publisher(publishers, parameter, template) for parameter in template.resolves
        }.union(keeper)
        - {template.name}
        for template in templates
    }
    try:
        TopologicalSorter(needed).prepare()
    except CycleError as circle:
        raise DeploymentFailed(
            "stacks wait for each other through SSM parameters: " + " -> ".join(circle.args[1])
        ) from circle
    return needed


def order_of_deployment(needed: Mapping[str, set[str]]) -> list[str]:
    """The stacks of `needed` so that each comes after those it needs; by name where it is free."""
    order = TopologicalSorter(needed)
    order.prepare()
    found: list[str] = []
    while order.is_active():
        ready = sorted(order.get_ready())
        found += ready
        order.done(*ready)
    return [name for name in found if name in needed]


def consumers(templates: Iterable[StackTemplate], published: Collection[str]) -> list[str]:
    """The stacks that resolve any of these SSM parameters, by name."""
    return sorted(one.name for one in templates if one.resolves & set(published))


def _publisher(publishers: Mapping[str, str], parameter: str, template: StackTemplate) -> str:
    if parameter not in publishers:
        raise DeploymentFailed(
            f"{template.path}: no template publishes the SSM parameter {parameter} it resolves"
        )
    return publishers[parameter]


def document_of(body: str) -> dict[str, Any]:
    """A template as plain values, with long forms for CloudFormation's short ones."""
    return dict(yaml.load(body, Loader=_CloudFormationLoader))  # noqa: S506


def read_template(
    name: str,
    path: Path,
    body: str,
    service: str | None,
    stage: Stage = WITHOUT,
) -> StackTemplate:
    """The template of this text; `path` is where it lies, or where messages say it came from."""
    document = _in_stage(document_of(body), stage)
    parameters = document.get("Parameters", {})
    looked_up = {
        parameter: _of_stage(declared["Default"], stage)
        for parameter, declared in parameters.items()
        if declared["Type"].startswith(_SSM_TYPE) and "Default" in declared
    }
    resolves = {*_SSM_REFERENCE.findall(stage.in_text(body)), *looked_up.values()}
    if "ArtifactKey" in parameters:
        resolves.add(stage.path(ARTIFACT_BUCKET))
    return StackTemplate(
        name=name,
        path=path,
        body=body,
        parameters={parameter: str(declared["Type"]) for parameter, declared in parameters.items()},
        resolves=frozenset(one for one in resolves if not one.startswith(_PUBLIC_PARAMETERS)),
        publishes=frozenset(_published(path, document["Resources"])),
        service=service,
        resources=document["Resources"],
        starts=tuple(document.get("Metadata", {}).get("EntryPoints", ())),
        secrets=frozenset(name for name, one in parameters.items() if one.get("NoEcho") is True),
        looked_up=looked_up,
        defaults={
            name: str(one["Default"]) for name, one in parameters.items() if "Default" in one
        },
        stage=stage,
    )


def _published(path: Path, resources: Mapping[str, Any]) -> Iterable[str]:
    for logical_id, resource in resources.items():
        if resource["Type"] != "AWS::SSM::Parameter":
            continue
        parameter = resource["Properties"].get("Name")
        if not isinstance(parameter, str):
            raise DeploymentFailed(
                f"{path}: {logical_id} needs a Name written out, not computed: "
                "the order of stacks is read from it"
            )
        yield parameter


def _of_stage(parameter: str, stage: Stage) -> str:
    return parameter if parameter.startswith(_PUBLIC_PARAMETERS) else stage.path(parameter)


def _in_stage(value: Any, stage: Stage) -> Any:
    """The document with the prefix put into its texts; a name without other references is one."""
    if isinstance(value, list):
        return [_in_stage(one, stage) for one in value]
    if not isinstance(value, dict):
        return value
    text = value.get("Fn::Sub") if len(value) == 1 else None
    if isinstance(text, str) and IN_TEMPLATES in text:
        filled = stage.in_text(text)
        return {"Fn::Sub": filled} if "${" in filled else filled
    return {key: _in_stage(one, stage) for key, one in value.items()}


class _CloudFormationLoader(yaml.CSafeLoader):
    """YAML with CloudFormation's short forms (`!Ref`, `!Sub`), read as their long forms.

    By libyaml: a template takes 6 ms in place of 75.
    """


def _short_form(loader: yaml.CSafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    function = tag if tag in ("Ref", "Condition") else f"Fn::{tag}"
    if isinstance(node, yaml.ScalarNode):
        return {function: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {function: loader.construct_sequence(node, deep=True)}
    if isinstance(node, yaml.MappingNode):
        return {function: loader.construct_mapping(node, deep=True)}
    raise DeploymentFailed(f"!{tag} cannot be read at {node.start_mark}")


_CloudFormationLoader.add_multi_constructor("!", _short_form)
