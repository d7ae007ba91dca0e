"""How deployments are shown: plans, change sets, results, versions; for people and programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from infra.ecp.terminal.output import ask, print_json, print_table
from services.runtime.wording import listed

if TYPE_CHECKING:
    from infra.deployer.plan import PlannedStack
    from infra.deployer.releases import Releases
    from infra.deployer.stacks import ChangeSet, ResourceChange, StackResult

SHOWN_PATHS = 3


def print_plan(planned: "Sequence[PlannedStack]", *, as_json: bool) -> None:
    """What would become of each stack, in the order of deployment."""
    if as_json:
        print_json([asdict(one) for one in planned])
        return
    print_table(
        "Plan, in the order of deployment",
        ("stack", "change", "for those who look up its names", "because of"),
        [
            (
                one.name,
                ", ".join(one.changes) or "unchanged",
                one.meaning,
                listed(one.because, SHOWN_PATHS),
            )
            for one in planned
        ],
        empty="nothing would be deployed",
    )


def confirmed(change_set: "ChangeSet") -> bool:
    """Show a change set and ask for it."""
    print_changes(change_set.template.name, change_set.changes)
    return ask(f"Deploy {change_set.template.name}?")


def print_changes(name: str, changes: "Sequence[ResourceChange]") -> None:
    """One line for each resource that changes."""
    print_table(
        f"Changes of {name}",
        ("resource", "type", "action", "replacement"),
        [(one.logical_id, one.resource_type, one.action, one.replacement) for one in changes],
    )


def print_results(results: "Sequence[StackResult]", *, as_json: bool) -> None:
    """How each stack was deployed, and what changed in those that were."""
    if as_json:
        print_json([asdict(one) for one in results])
        return
    for one in results:
        if one.outcome == "UPDATED":
            print_changes(one.name, one.changes)
    print_table(
        "Stacks",
        ("stack", "outcome", "changes", "seconds"),
        [(one.name, one.outcome.lower(), len(one.changes), one.seconds) for one in results],
    )


def print_versions(recorded: "Mapping[str, Releases]", *, as_json: bool) -> None:
    """Which version of each stack runs, since when, by whom, and which was before it."""
    if as_json:
        print_json({name: asdict(releases) for name, releases in recorded.items()})
        return
    rows = []
    for name, releases in recorded.items():
        now, before = releases.current, releases.previous
        rows.append(
            (
                name,
                now and now.version,
                now and now.project_version,
                now and now.revision,
                now and now.deployed_at,
                now and now.deployed_by,
                before and before.version,
            )
        )
    columns = ("stack", "version", "project", "git", "deployed (UTC)", "by", "version before")
    print_table("Versions", columns, rows)
