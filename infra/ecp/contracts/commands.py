"""`ecp contracts`: whom a change would break, freezing what is released, and the pages."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import print_error, print_json, print_line, print_table, styled
from infra.environments import PROJECT

if TYPE_CHECKING:
    from contracts.compatibility.releases import Plan
    from infra.contract_docs.gate import ContractGate

app = typer.Typer(help="The contracts: whom a change would break, and what is released of them.")

BROKEN = 1
"""Exit code of all three commands when the contracts, or the pages made of them, are not right."""
_SAID = {
    "backward": "new readers refuse what was written before",
    "forward": "readers of before refuse what is written now",
    "files": "files that were accepted are not any more",
    "released": "a released file is not what it was",
    "removed": "a contract is gone",
    "schema": "this is no contract",
    "declared": "nobody sends it",
    "http": "callers of before are not answered as they were",
}


@app.command()
def check(as_json: AsJson = False) -> None:
    """Compare every contract with every release of it, in both directions.

    Whoever is not updated yet must read what is written now, and whoever is must read what was
    written before; a file that was accepted must stay accepted; a released file must not change.

    Exit code: 0 nothing breaks, 1 something does.

    Example: `ecp contracts check`
    """
    gate = _gate()
    findings = gate.findings()
    if as_json:
        versions = [release.version for release in gate.releases.index]
        print_json({"releases": versions, "unreleased": _changes(gate.plan), "breaks": findings})
    else:
        _print_findings(findings)
        _print_state(gate)
    if findings:
        raise typer.Exit(BROKEN)


@app.command()
def release(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be frozen.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Freeze the contracts that are not released yet, as the next release.

    Refused while `ecp contracts check` finds something. What it writes is to be committed.

    Exit code: 0 frozen, or nothing to freeze; 1 refused.

    Example: `ecp contracts release --dry-run`
    """
    gate = _gate()
    findings = gate.findings()
    if findings:
        _print_findings(findings)
        print_error("nothing is released while something breaks")
        raise typer.Exit(BROKEN)
    plan = gate.plan if dry_run else gate.releases.freeze(gate.current)
    if as_json:
        print_json({"release": None if plan.is_empty else plan.version, **_changes(plan)})
    elif plan.is_empty:
        print_line("nothing to release: every contract is released as it stands")
    else:
        rows = [(change, path) for change, paths in _changes(plan).items() for path in paths]
        print_table(f"Release {plan.version}", ("change", "contract"), rows)
        done = "would be frozen" if dry_run else "is frozen in contracts/released: commit it"
        print_line(styled("release [bold]{}[/] {}", plan.version, done))


@app.command()
def docs(
    only_check: Annotated[
        bool, typer.Option("--check", help="Only say whether they are current.")
    ] = False,
) -> None:
    """Write docs/asyncapi.yaml, docs/messages.md and the OpenAPI document of the HTTP API.

    They are made of the schemas, of each service.yaml, of the saga and of the code. A document of
    the API that would break who asks it is not written: `ecp contracts check` says what.

    Exit code: with --check 1 when a page is old.

    Example: `ecp contracts docs`
    """
    from infra.contract_docs.pages import pages

    old = {
        path: text
        for path, text in pages(_gate()).items()
        if not path.exists() or path.read_text() != text
    }
    names = " and ".join(path.relative_to(PROJECT).as_posix() for path in old)
    if not old:
        print_line("the generated documents are current")
    elif only_check:
        print_error(f"{names} not as the contracts say: run `ecp contracts docs`")
        raise typer.Exit(BROKEN)
    else:
        for path, text in old.items():
            path.write_text(text)
        print_line(f"wrote {names}")


def _gate() -> "ContractGate":
    """Imported here, so that `ecp --help` need not wait for it."""
    from infra.contract_docs.gate import ContractGate

    return ContractGate(PROJECT)


def _print_findings(findings: Sequence[dict[str, Any]]) -> None:
    if not findings:
        return
    rows = [
        (
            one["contract"],
            one["release"],
            _SAID[one["direction"]],
            one["pointer"] or "/",
            one["rule"],
            one["reason"],
            ", ".join(one["breaks_for"]) or "nobody declares it",
        )
        for one in findings
    ]
    columns = ("contract", "release", "what breaks", "where", "rule", "why", "for whom")
    print_table("What breaks", columns, rows)
    print_line(
        "a breaking change needs a new version (`v2.json` beside `v1.json`); "
        "both are sent until nobody hears the old one"
    )


def _print_state(gate: "ContractGate") -> None:
    from services.runtime.wording import plural

    releases, unreleased = len(gate.releases.index), sum(map(len, _changes(gate.plan).values()))
    print_line(
        f"{plural(len(gate.current.texts), 'contract')} against {plural(releases, 'release')}"
        + (f", {unreleased} not released yet: `ecp contracts release`" if unreleased else "")
    )


def _changes(plan: "Plan") -> dict[str, Sequence[str]]:
    return {"new": plan.new, "changed": plan.changed, "withdrawn": plan.withdrawn}
