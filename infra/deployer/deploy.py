"""Deploys the whole pipeline, or the stacks that are named, in the order their templates imply."""

import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter
from pathlib import Path

from infra.deployer.one_stack import Deployment, Policy
from infra.deployer.packing import letters
from infra.deployer.stacks import Progress, StackResult
from infra.deployer.templates import StackTemplate, dependencies, discover, order_of_deployment
from infra.environments import PROJECT, Environment
from infra.errors import DeploymentInterrupted, UnknownName
from infra.stage import PARAMETER, VARIABLE

OnDeployed = Callable[[StackResult], None]
PARALLEL_STACKS = 6


def deploy(
    environment: Environment,
    names: Collection[str] | None = None,
    *,
    project: Path = PROJECT,
    policy: Policy | None = None,
    on_progress: Progress = lambda _: None,
    on_deployed: OnDeployed = lambda _: None,
) -> list[StackResult]:
    """Deploy every stack, or those of `names` only; independent stacks go side by side.

    An empty list of names deploys nothing. The stacks that named ones build on are expected to be
    there. `on_deployed` is called, in this thread, as each stack is done. Results come in the order
    the stacks finished. Somebody who is asked (`policy.ask`) is asked in this thread, one stack
    after the other.
    Raises UnknownName for a stack or parameter that no template has, DeploymentFailed with the
    reason of the resource that failed, RolledBack when a new version did not work, and
    DeploymentInterrupted on Ctrl-C; stacks that do not depend on it and had begun are finished
    first, except after Ctrl-C.
    """
    templates = {template.name: template for template in discover(project, environment.stage)}
    graph = chosen_graph(templates, names)
    reject_unknown_parameters(environment.parameters, templates)
    policy = policy or Policy()
    deployment = Deployment(environment, project, policy, _serialised(on_progress))

    def apply(name: str) -> StackResult:
        return deployment.apply(templates[name])

    try:
        if policy.ask is None:
            return _in_order(graph, apply, on_deployed, deployment.interrupt)
        results = []
        for name in order_of_deployment(graph):
            results.append(apply(name))
            on_deployed(results[-1])
        return results
    except KeyboardInterrupt as interruption:
        raise DeploymentInterrupted(deployment.where_it_stands()) from interruption


def roll_back(
    environment: Environment,
    name: str,
    *,
    project: Path = PROJECT,
    policy: Policy,
    on_progress: Progress = lambda _: None,
) -> StackResult:
    """Deploy the recorded previous version of one stack again; raises as `deploy` does."""
    templates = {template.name: template for template in discover(project, environment.stage)}
    chosen_graph(templates, [name])
    deployment = Deployment(environment, project, policy, on_progress)
    try:
        return deployment.apply_previous(templates[name])
    except KeyboardInterrupt as interruption:
        raise DeploymentInterrupted(deployment.where_it_stands()) from interruption


def chosen_graph(
    templates: Mapping[str, StackTemplate], names: Collection[str] | None
) -> dict[str, set[str]]:
    """For each chosen stack the chosen ones that it needs; None chooses all, an empty list none."""
    needed = dependencies(templates.values())
    chosen = set(templates if names is None else names)
    if unknown := chosen - set(templates):
        raise UnknownName(
            f"there is no stack {', '.join(sorted(unknown))}; "
            f"there are {', '.join(sorted(templates))}"
        )
    return {name: needed[name] & chosen for name in chosen}


def reject_unknown_parameters(
    given: Mapping[str, str], templates: Mapping[str, StackTemplate]
) -> None:
    """Raises UnknownName for a given parameter that no template declares."""
    if any(letters(name) == letters(PARAMETER) for name in given):
        raise UnknownName(f"{PARAMETER} follows from the stage: set {VARIABLE} instead")
    declared = {
        letters(parameter) for template in templates.values() for parameter in template.parameters
    }
    if unknown := sorted(name for name in given if letters(name) not in declared):
        raise UnknownName(f"no template has a parameter for {', '.join(unknown)}")


def _in_order(
    graph: Mapping[str, set[str]],
    apply: Callable[[str], StackResult],
    on_deployed: OnDeployed,
    interrupt: Callable[[], None],
) -> list[StackResult]:
    results: list[StackResult] = []
    order = TopologicalSorter(graph)
    order.prepare()
    running: dict[Future[StackResult], str] = {}
    with ThreadPoolExecutor(PARALLEL_STACKS, thread_name_prefix="deploy") as pool:
        try:
            while order.is_active():
                running |= {pool.submit(apply, name): name for name in order.get_ready()}
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    results.append(future.result())
                    on_deployed(results[-1])
                    order.done(running.pop(future))
        except KeyboardInterrupt:
            interrupt()
            raise
    return results


def _serialised(on_progress: Progress) -> Progress:
    lock = threading.Lock()

    def report(line: str) -> None:
        with lock:
            on_progress(line)

    return report
