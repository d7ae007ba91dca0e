"""`ecp deploy`: what would be deployed, deploying it, what is deployed, and going back."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.ecp.deploy.view import confirmed, print_plan, print_results, print_versions
from infra.ecp.requester import requester
from infra.ecp.target import Target, current_target
from infra.ecp.terminal.errors import CommandFailed, ExitCode, WrongUsage
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import print_line, progress
from infra.errors import DeploymentInterrupted

if TYPE_CHECKING:
    from infra.deployer.one_stack import Policy
    from infra.environments import Environment


def deploy(
    stacks: Annotated[
        list[str] | None,
        typer.Argument(metavar="STACK", help="If none is named: all, and you are asked for each."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every stack; a script that names none has to say so.")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only say what would be deployed, in which order.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="REV", help="With --plan: what changed since this git revision."
        ),
    ] = None,
    versions: Annotated[
        bool, typer.Option("--versions", help="Only say which versions are deployed.")
    ] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Deploy the version before the current one again.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "--no-input", help="Do not ask.")] = False,
    watch_seconds: Annotated[
        float | None,
        typer.Option("--watch-seconds", min=0, help="How long its alarms are watched; AWS: 150."),
    ] = None,
    allow_replacement: Annotated[
        bool,
        typer.Option("--allow-replacement", help="Replace or remove even what holds data."),
    ] = False,
    not_older: Annotated[
        bool,
        typer.Option("--not-older", help="Only if no stack runs a newer commit than this one."),
    ] = False,
    images: Annotated[
        list[str] | None,
        typer.Option(
            "--image",
            metavar="SERVICE=URI",
            help="Container image of a worker, by digest; else that of its sources is looked up.",
        ),
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option("--parameter", metavar="NAME=VALUE", help="A template parameter."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--source", metavar="DIR", help="Another checkout to deploy from."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Deploy the pipeline, one CloudFormation stack per service.

    It goes to the AWS that the environment names, or to the running local cloud. Each stack's
    changes are shown first. Its new version is then checked: functions are called with nothing to
    do, workers must say that they are ready, alarms are watched. One that does not work is rolled
    back by itself, and the exit code is 3. Stacks that have not changed stay as they are.

    Where nobody is asked (`--no-input`, `--json`, a script), name the stacks or say `--all`: an
    empty list never means every stack.

    Example: `ecp deploy validator`, and in CI: `ecp deploy lock archiver --no-input`
    """
    named = stacks or []
    asks = sys.stdin.isatty() and not (yes or as_json)
    _refuse_contradictions(named, plan=plan, since=since, versions=versions, rollback=rollback)
    if not (plan or versions or rollback):
        _refuse_to_guess(named, every=every, asks=asks)
    if every and named:
        raise WrongUsage(f"--all is every stack, and {', '.join(named)} is named too: choose one")
    project = _project(source)
    chosen = named or _all(project)
    if since is not None:
        from infra.deployer.planning import plan_since

        print_plan(plan_since(since, chosen, project=project), as_json=as_json)
        return
    target = current_target()
    environment = environment_of(
        target, pairs("--image", images or ()), pairs("--parameter", parameters or ())
    )
    if plan:
        from infra.deployer import planning

        print_plan(planning.plan(environment, chosen, project=project), as_json=as_json)
    elif versions:
        from infra.deployer import planning

        print_versions(planning.versions(environment, project=project), as_json=as_json)
    else:
        if not_older:
            from infra.deployer.planning import reject_older

            reject_older(environment, chosen, project=project)
        policy = policy_of(yes, as_json, watch_seconds, allow_replacement)
        _deploy(target, environment, chosen, project, policy, rollback=rollback, as_json=as_json)


def pairs(option: str, texts: list[str] | tuple[str, ...]) -> dict[str, str]:
    """`NAME=VALUE` options as a mapping; raises WrongUsage for anything else."""
    found = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not (name and separator):
            raise WrongUsage(f"{option} {text}: write it as NAME=VALUE")
        found[name] = value
    return found


def _refuse_contradictions(
    named: list[str], *, plan: bool, since: str | None, versions: bool, rollback: bool
) -> None:
    if since is not None and not plan:
        raise WrongUsage("--since says what a plan is about: add --plan")
    if plan + versions + rollback > 1:
        raise WrongUsage("--plan, --versions and --rollback: choose one")
    if rollback and len(named) != 1:
        raise WrongUsage("--rollback goes back with one stack: name it")
    from infra.deployer.templates import BOOTSTRAP

    if BOOTSTRAP in named:
        raise WrongUsage(f"{BOOTSTRAP} is not deployed with the others: `ecp bootstrap` does it")
    if any(not name.strip() for name in named):
        raise WrongUsage("the name of a stack is empty: an unset variable? Nothing was deployed")


def _refuse_to_guess(named: list[str], *, every: bool, asks: bool) -> None:
    """Nothing named means everything only to somebody who is asked about each change."""
    if not (named or every or asks):
        raise WrongUsage(
            "no stack is named, and nobody is asked about each: name those to deploy, or say "
            "--all for every one (`ecp deploy --plan` shows what that would change)"
        )


def _all(project: Path) -> list[str]:
    """Every stack but the one that the others, and whoever deploys them, stand on."""
    from infra.deployer.templates import BOOTSTRAP, discover

    return [template.name for template in discover(project) if template.name != BOOTSTRAP]


def _project(source: Path | None) -> Path:
    from infra.environments import PROJECT

    if source is None:
        return PROJECT
    if not (source / "infra").is_dir():
        raise WrongUsage(f"--source {source}: no checkout of this project is there")
    return source.resolve()


def environment_of(target: Target, images: dict[str, str], given: dict[str, str]) -> "Environment":
    from infra.environments import LOCAL_CREDENTIALS, aws_environment, local_environment

    if target.endpoint:
        return local_environment(
            target.endpoint, given, target.stage, target.keys or LOCAL_CREDENTIALS
        )
    return aws_environment(images, given, target.region, target.stage)


def policy_of(
    yes: bool, as_json: bool, watch_seconds: float | None, allow_replacement: bool
) -> "Policy":
    from infra.deployer.one_stack import Policy
    from infra.deployer.stacks import ChangeSet

    def nobody_there(change_set: ChangeSet) -> bool:
        raise WrongUsage(
            f"stack {change_set.template.name} would change, and nobody can be asked here: "
            "say --yes too"
        )

    can_ask = sys.stdin.isatty() and not as_json
    return Policy(
        proves=True,
        watch_seconds=watch_seconds,
        ask=None if yes else (confirmed if can_ask else nobody_there),
        may_replace=allow_replacement,
        deployed_by=requester(),
    )


def _deploy(
    target: Target,
    environment: "Environment",
    chosen: list[str],
    project: Path,
    policy: "Policy",
    *,
    rollback: bool,
    as_json: bool,
) -> None:
    from infra.deployer.deploy import deploy as deploy_stacks
    from infra.deployer.deploy import roll_back

    try:
        with progress(f"deploying to {target.origin}", moving=policy.ask is None) as say:
            if rollback:
                [name] = chosen
                results = [
                    roll_back(environment, name, project=project, policy=policy, on_progress=say)
                ]
            else:
                results = deploy_stacks(
                    environment, chosen, project=project, policy=policy, on_progress=say
                )
    except DeploymentInterrupted as interruption:
        raise CommandFailed(str(interruption), ExitCode.INTERRUPTED) from interruption
    if not as_json:
        print_line(f"deployed to {target.origin}")
    print_results(results, as_json=as_json)
