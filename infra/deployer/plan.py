"""What a deployment would do, decided from hashes and names: no cloud is touched here."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from infra.deployer.closure import Closure
from infra.deployer.package import build_files, definition_of
from infra.deployer.releases import Release
from infra.deployer.templates import StackTemplate, consumers

Change = Literal["new", "code", "template", "parameters"]


@dataclass(frozen=True)
class Wanted:
    """What a checkout has for one stack; `parameters`: the values that are given this time."""

    template: StackTemplate
    sources: str
    template_key: str
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class PlannedStack:
    """What would become of one stack.

    `consumers`: stacks that look up names it publishes. `image_tag`: what the image of its
    container is tagged with, None where it has none.
    """

    name: str
    changes: tuple[Change, ...]
    consumers: tuple[str, ...]
    meaning: str
    because: tuple[str, ...] = ()
    image_tag: str | None = None


def plan_stack(
    wanted: Wanted,
    deployed: Release | None,
    published_before: Collection[str],
    templates: Iterable[StackTemplate],
) -> PlannedStack:
    """Compare what a checkout has with what is deployed.

    `published_before`: the SSM names that the deployed template publishes.
    """
    template = wanted.template
    readers = consumers(templates, template.publishes | set(published_before))
    changes = _changes(wanted, deployed)
    return PlannedStack(
        template.name,
        changes,
        tuple(readers),
        _meaning(changes, template, published_before, readers),
        image_tag=wanted.sources if template.runs_container else None,
    )


def plan_commit(
    paths: Sequence[str],
    templates: Sequence[StackTemplate],
    order: Sequence[str],
    code: Mapping[str, Closure],
) -> list[PlannedStack]:
    """What the change of these files (relative to the project) would deploy, in this order.

    `code`: of each stack that runs some.
    """
    by_name = {template.name: template for template in templates}
    planned = []
    for name in order:
        template = by_name[name]
        found = {path: _touches(path, template, code.get(name)) for path in paths}
        touched = {path: change for path, change in found.items() if change}
        if not touched:
            continue
        changes = tuple(one for one in _ORDER if one in touched.values())
        readers = consumers(templates, template.publishes)
        meaning = _meaning(changes, template, template.publishes, readers)
        planned.append(PlannedStack(name, changes, tuple(readers), meaning, tuple(touched)))
    return planned


_ORDER: tuple[Change, ...] = ("new", "code", "template", "parameters")


def _changes(wanted: Wanted, deployed: Release | None) -> tuple[Change, ...]:
    if deployed is None:
        return ("new",)
    found: list[Change] = []
    if wanted.sources != deployed.sources:
        found.append("code")
    if wanted.template_key != deployed.template:
        found.append("template")
    if any(deployed.parameters.get(name) != value for name, value in wanted.parameters.items()):
        found.append("parameters")
    return tuple(found)


def _touches(path: str, template: StackTemplate, code: Closure | None) -> Change | None:
    """How the change of one file changes a stack, if it does."""
    if path == _path_in_project(template):
        return "template"
    if definition := definition_of(template):
        return "code" if path == f"infra/stacks/{definition.name}" else None
    is_built_from = code and (code.includes(path) or path in build_files(template))
    return "code" if is_built_from else None


def _path_in_project(template: StackTemplate) -> str:
    if template.service:
        return f"services/{template.service}/template.yaml"
    return f"infra/stacks/{template.path.name}"


def _meaning(
    changes: Sequence[Change],
    template: StackTemplate,
    published_before: Collection[str],
    readers: Sequence[str],
) -> str:
    """What that is for those who look up its names."""
    if not changes:
        return "stays as it is"
    gone = sorted(set(published_before) - template.publishes)
    come = sorted(template.publishes - set(published_before))
    if gone:
        return f"publishes no more: {', '.join(gone)}; whoever looks that up must be deployed first"
    if "new" in changes:
        return f"comes before {', '.join(readers)}" if readers else "nobody looks up its names"
    if come:
        return f"publishes more: {', '.join(come)}; all other names stay"
    if readers:
        return f"its names stay: {', '.join(readers)} need no deploy"
    return "nobody looks up its names"
