"""`ecp deploy` of everything is something that somebody says, never what an empty list means."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from infra.deployer import deploy as deployer
from infra.deployer import planning
from infra.deployer.deploy import deploy
from infra.deployer.releases import Release, Releases
from infra.deployer.templates import discover
from infra.ecp import target
from infra.ecp.deploy.view import print_versions
from infra.ecp.main import app
from infra.environments import PROJECT
from infra.errors import DeploymentFailed
from tests.unit.infra.deployer.test_deploy import Account, three_stacks

EVERY_STACK = [one.name for one in discover(PROJECT) if one.name != "bootstrap"]


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Which stacks the deployer was asked for, call by call."""
    calls: list[Any] = []

    def record(environment: object, names: object, **_: object) -> list[Any]:
        calls.append(names)
        return []

    monkeypatch.setattr(target, "find_running_cloud", lambda: None)
    monkeypatch.setattr(deployer, "deploy", record)
    return calls


def ecp(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["deploy", *arguments])


@pytest.mark.parametrize(
    "arguments", [("--no-input",), ("--yes",), ("--json",), (), ("--parameter", "Tunable=1")]
)
def test_a_script_that_names_no_stack_is_refused(
    deployed: list[Any], aws: Any, arguments: tuple[str, ...]
) -> None:
    said = ecp(*arguments)
    assert said.exit_code == 2
    assert "no stack is named, and nobody is asked about each" in said.stderr
    assert "--all for every one" in said.stderr
    assert deployed == []


@pytest.mark.parametrize("arguments", [("",), ("lock", " "), ("--plan", "")])
def test_an_empty_name_is_refused_as_such(
    deployed: list[Any], aws: Any, arguments: tuple[str, ...]
) -> None:
    said = ecp(*arguments, "--no-input")
    assert said.exit_code == 2
    assert "the name of a stack is empty" in said.stderr
    assert deployed == []


def test_all_of_them_or_those_that_are_named(deployed: list[Any], aws: Any) -> None:
    assert ecp("--no-input", "--all").exit_code == 0
    assert ecp("--no-input", "lock", "archiver").exit_code == 0
    assert deployed == [EVERY_STACK, ["lock", "archiver"]]
    both = ecp("--no-input", "--all", "lock")
    assert both.exit_code == 2
    assert "--all is every stack, and lock is named too: choose one" in both.stderr


def test_not_over_a_newer_one_is_asked_before_anything_is_deployed(
    deployed: list[Any], aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def refuse(environment: object, names: object, **_: object) -> None:
        asked.append(names)
        raise DeploymentFailed("stack lock runs a newer commit")

    monkeypatch.setattr(planning, "reject_older", refuse)
    assert ecp("--no-input", "lock", "--not-older").exit_code == 3
    assert (asked, deployed) == ([["lock"]], [])
    assert ecp("--no-input", "lock").exit_code == 0


def test_somebody_who_is_asked_about_each_need_name_none(
    deployed: list[Any], aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "infra.ecp.deploy.commands.sys.stdin", type("Terminal", (), {"isatty": lambda _: True})()
    )
    from infra.ecp.deploy.commands import deploy as command

    command()
    assert deployed == [EVERY_STACK]


@pytest.mark.parametrize("arguments", [("--no-input",), ("--plan",), ("--rollback", "--yes")])
def test_what_a_deployment_stands_on_is_not_deployed_with_the_others(
    deployed: list[Any], aws: Any, arguments: tuple[str, ...]
) -> None:
    said = ecp("bootstrap", *arguments)
    assert said.exit_code == 2
    assert "`ecp bootstrap` does it" in said.stderr
    assert deployed == []


def test_to_the_deployer_an_empty_list_is_no_stack(tmp_path: Path) -> None:
    account = Account()
    assert deploy(account.environment(), [], project=three_stacks(tmp_path)) == []
    assert account.cloudformation.order == []


def test_versions_are_shown_with_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    release = Release("4f2a", "lock/1.zip", "lock/1.yaml", "1", {}, "abc", "now", "ada", "1.2.3")
    print_versions({"lock": Releases(release), "saga": Releases()}, as_json=False)
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("project", "4f2a", "1.2.3", "ada", "saga"))
