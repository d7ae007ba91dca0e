"""`ecp contracts` as people and CI use it: what it prints, what it writes, its exit codes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from infra.ecp.contracts import commands as contracts
from infra.ecp.main import app
from tests.contract.compatibility_project import SEALED, ContractProject
from tests.contract.declared import PROJECT


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ContractProject:
    monkeypatch.setattr(contracts, "PROJECT", tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    return ContractProject(tmp_path)


def ecp(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["contracts", *arguments])


def break_it(project: ContractProject) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["properties"]["size_bytes"]["minimum"] = 1

    project.edit(SEALED, edit)


def test_a_first_release_is_tried_made_and_clean(project: ContractProject) -> None:
    index = project.folder / "contracts/released/index.json"
    dry = ecp("release", "--dry-run")
    assert (dry.exit_code, index.exists()) == (0, False)
    assert SEALED in dry.output
    assert "release v1 would be frozen" in dry.output
    assert "not released yet" in ecp("check").output
    assert ecp("release").exit_code == 0
    assert index.exists()
    clean = ecp("check")
    assert clean.exit_code == 0
    assert "against 1 release" in clean.output
    assert "not released" not in clean.output
    assert "nothing to release" in ecp("release").output


def test_a_break_is_shown_with_its_place_reason_and_whom_it_hits(project: ContractProject) -> None:
    ecp("release")
    break_it(project)
    shown = ecp("check")
    assert shown.exit_code == 1
    row = next(line for line in shown.output.splitlines() if "events/BatchSealed v1" in line)
    for said in ("v1", "/properties/size_bytes/minimum", "below 1", "aggregator, api, ecp"):
        assert said in row
    assert "needs a new version" in shown.output


def test_the_same_for_programs(project: ContractProject) -> None:
    ecp("release")
    break_it(project)
    shown = ecp("check", "--json")
    assert shown.exit_code == 1
    document = json.loads(shown.output)
    assert document["releases"] == ["v1"]
    assert document["unreleased"]["changed"] == [SEALED]
    [found] = document["breaks"]
    assert found["breaks_for"] == ["aggregator", "api", "ecp"]
    assert found["rule"] == "minimum"


def test_nothing_is_released_while_something_breaks(project: ContractProject) -> None:
    ecp("release")
    break_it(project)
    refused = ecp("release")
    assert refused.exit_code == 1
    assert "nothing is released" in refused.output
    assert not (project.folder / "contracts/released/v2").exists()


def test_pages_are_written_and_then_current(project: ContractProject) -> None:
    old = ecp("docs", "--check")
    assert old.exit_code == 1
    assert "run `ecp contracts docs`" in old.output
    assert not (project.folder / "docs/messages.md").exists()
    assert "wrote docs/asyncapi.yaml and docs/messages.md" in ecp("docs").output
    assert ecp("docs", "--check").exit_code == 0


@pytest.mark.parametrize("command", ["check", "release", "docs"])
def test_every_command_teaches_itself_with_an_example(command: str) -> None:
    said = ecp(command, "--help")
    assert said.exit_code == 0
    assert f"ecp contracts {command}" in said.output
    assert "Exit code" in said.output


def test_help_does_not_wait_for_the_gate() -> None:
    code = (
        "import sys; from infra.ecp import main; "
        "print([name for name in sys.modules if name.startswith('contracts.compatibility')"
        " or name.startswith('infra.contract_docs')])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    assert run.stdout.strip() == "[]"
