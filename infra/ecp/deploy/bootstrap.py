"""`ecp bootstrap`: what must be there before the first deployment, and what is left to a person."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.ecp.deploy.commands import environment_of, policy_of
from infra.ecp.deploy.view import print_results
from infra.ecp.target import Target, current_target
from infra.ecp.terminal.errors import CommandFailed, ExitCode, WrongUsage
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import print_json, print_line, progress
from infra.errors import DeploymentInterrupted
from infra.stage import VARIABLE

if TYPE_CHECKING:
    from infra.environments import Environment

GITHUB = "token.actions.githubusercontent.com"
STACK = "ecommerce-pipeline-bootstrap"
ROLES = {"AWS_PLAN_ROLE": "PlanRoleArn", "AWS_BUILD_ROLE": "BuildRoleArn"}


def bootstrap(
    github: Annotated[
        str | None,
        typer.Option(
            "--github", metavar="OWNER/NAME", help="Whose workflow may deploy; else nobody's."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "--no-input", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make what must be there before the first deployment: bucket, repositories, roles.

    The bucket keeps code and templates of every version, the repositories the workers' images.
    With `--github`, the roles in which that repository's workflow plans, builds and deploys come
    too, and what is left to set there is printed. No deployment may change them: it takes the
    rights of a person.

    Asking again changes what differs and nothing else; a setting that is not given stays.

    Example: `ecp bootstrap --github shop/pipeline`, then `ecp deploy`
    """
    target = current_target()
    if github and target.stage.name:
        raise WrongUsage(
            f"--github is for the pipeline without a stage, which the workflow deploys: unset "
            f"{VARIABLE}. A stage is deployed by a person: `ecp bootstrap`, `ecp deploy`"
        )
    given = {"GITHUB_REPOSITORY": github} if github else {}
    if github and (provider := _provider_of_others(target)):
        given["GITHUB_PROVIDER_ARN"] = provider
    results = _deploy(target, environment_of(target, {}, given), yes=yes, as_json=as_json)
    settings = _settings(target)
    if as_json:
        print_json({"stacks": [asdict(one) for one in results], "github": settings})
        return
    print_results(results, as_json=False)
    for line in checklist(settings):
        print_line(line)


def checklist(settings: dict[str, str]) -> list[str]:
    """What a person has to do next, line by line; `settings`: as `_settings` gives them."""
    if not settings:
        return ["next: `ecp deploy`"]
    repository = settings["repository"]
    return [
        f"next, once, by an administrator of {repository} on GitHub:",
        *(
            f"  [ ] gh variable set {name} --repo {repository} --body {settings[name]}"
            for name in ("AWS_REGION", *ROLES)
        ),
        f"  [ ] https://github.com/{repository}/settings/environments: make `production`, with",
        "      required reviewers, and with main as the only branch that may deploy to it",
        f"  [ ] gh variable set AWS_DEPLOY_ROLE --env production --repo {repository} "
        f"--body {settings['AWS_DEPLOY_ROLE']}",
        f"  [ ] https://github.com/{repository}/settings/rules: main takes only pull requests",
        "      of which contracts and test have passed",
        "then push to main, or: gh workflow run ci-cd.yml --ref main",
    ]


def _deploy(target: Target, environment: "Environment", *, yes: bool, as_json: bool) -> list[Any]:
    from infra.deployer.deploy import deploy
    from infra.deployer.templates import BOOTSTRAP

    policy = policy_of(yes, as_json, watch_seconds=0, allow_replacement=False)
    policy = replace(policy, proves=False, in_role=False)
    try:
        with progress(f"preparing {target.origin}", moving=policy.ask is None) as say:
            return deploy(environment, [BOOTSTRAP], policy=policy, on_progress=say)
    except DeploymentInterrupted as interruption:
        raise CommandFailed(str(interruption), ExitCode.INTERRUPTED) from interruption


def _settings(target: Target) -> dict[str, str]:
    """What GitHub has to know; empty where it does not deploy."""
    described = target.client("cloudformation").describe_stacks(
        StackName=target.stage.named(STACK)
    )["Stacks"]
    outputs = {
        one["OutputKey"]: one["OutputValue"]
        for stack in described
        for one in stack.get("Outputs", [])
    }
    if "DeployRoleArn" not in outputs:
        return {}
    names = {**ROLES, "AWS_DEPLOY_ROLE": "DeployRoleArn", "AWS_REGION": "Region"}
    return {
        "repository": outputs["GitHubRepository"],
        **{name: outputs[output] for name, output in names.items()},
    }


def _provider_of_others(target: Target) -> str | None:
    """The account's OIDC provider for GitHub, unless this stack made it: there can be only one."""
    providers = target.client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"]
    found = [one["Arn"] for one in providers if one["Arn"].endswith(f"/{GITHUB}")]
    if not found:
        return None
    from botocore.exceptions import ClientError

    try:
        own = target.client("cloudformation").describe_stack_resource(
            StackName=target.stage.named(STACK), LogicalResourceId="GitHubProvider"
        )
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] != "ValidationError":
            raise
        return str(found[0])
    is_own = own["StackResourceDetail"].get("PhysicalResourceId") == found[0]
    return None if is_own else str(found[0])
