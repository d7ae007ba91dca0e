"""Gathers what a plan is decided from: the checkout, and the record of what is deployed."""

from collections.abc import Collection
from pathlib import Path

from infra.deployer.commits import files_changed_since, git_revision, is_older
from infra.deployer.deploy import chosen_graph, reject_unknown_parameters
from infra.deployer.package import closure_of, sources_digest
from infra.deployer.packing import ArtifactBucket, given_parameters
from infra.deployer.plan import PlannedStack, Wanted, plan_commit, plan_stack
from infra.deployer.releases import ReleaseBook, Releases, template_key
from infra.deployer.templates import discover, order_of_deployment, read_template
from infra.environments import PROJECT, Environment
from infra.errors import DeploymentFailed


def plan(
    environment: Environment, names: Collection[str] | None = None, *, project: Path = PROJECT
) -> list[PlannedStack]:
    """What deploying these stacks (or all) would do, in the order of deployment."""
    templates = {template.name: template for template in discover(project, environment.stage)}
    graph = chosen_graph(templates, names)
    reject_unknown_parameters(environment.parameters, templates)
    book = ReleaseBook(environment.client("ssm"), environment.stage)
    bucket = ArtifactBucket(environment.client("s3"), environment.client("ssm"), environment.stage)
    planned = []
    for name in order_of_deployment(graph):
        template = templates[name]
        wanted = Wanted(
            template,
            sources_digest(template, project),
            template_key(name, template.body),
            given_parameters(environment, template),
        )
        deployed = book.read(name).current
        published = template.publishes
        if deployed and deployed.template != wanted.template_key:
            body = bucket.text(deployed.template)
            published = read_template(
                name, template.path, body, template.service, environment.stage
            ).publishes
        elif deployed is None:
            published = frozenset()
        planned.append(plan_stack(wanted, deployed, published, templates.values()))
    return planned


def plan_since(
    revision: str, names: Collection[str] | None = None, *, project: Path = PROJECT
) -> list[PlannedStack]:
    """What the files that differ from a git revision would deploy; no cloud is asked."""
    templates = {template.name: template for template in discover(project)}
    order = order_of_deployment(chosen_graph(templates, names))
    code = {
        name: closure_of(template, project)
        for name, template in templates.items()
        if template.has_code and template.service
    }
    paths = files_changed_since(project, revision)
    return plan_commit(paths, list(templates.values()), order, code)


def reject_older(
    environment: Environment, names: Collection[str] | None, *, project: Path = PROJECT
) -> None:
    """Raises DeploymentFailed when a stack runs a commit that was made on top of the checkout's."""
    for name, releases in versions(environment, project=project).items():
        if names is not None and name not in names:
            continue
        revision = releases.current and releases.current.revision
        if revision and is_older(project, revision):
            raise DeploymentFailed(
                f"stack {name} runs commit {revision}, which is newer than this checkout "
                f"({git_revision(project)}): deploy from the newer one. Nothing was deployed"
            )


def versions(environment: Environment, *, project: Path = PROJECT) -> dict[str, Releases]:
    """What is recorded of every stack, in the order of deployment."""
    templates = {template.name: template for template in discover(project, environment.stage)}
    book = ReleaseBook(environment.client("ssm"), environment.stage)
    order = order_of_deployment(chosen_graph(templates, None))
    return {name: book.read(name) for name in order}
