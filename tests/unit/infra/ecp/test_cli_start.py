"""How `ecp` begins and ends: what it loads, what it says before a command, and Ctrl-C."""

import inspect
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from infra.deployer.package import project_version
from infra.ecp.app import app
from infra.ecp.commands import COMMANDS
from infra.environments import PROJECT

HEAVY = {"boto3", "botocore", "pyarrow", "duckdb", "pydantic", "numpy", "pyiceberg", "psutil"}
ECP = [sys.executable, "-m", "infra.ecp.main"]


def loaded_by(*arguments: str) -> set[str]:
    told = subprocess.run(
        [sys.executable, "-X", "importtime", *ECP[1:], *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
    ).stderr
    return {line.rsplit("|", 1)[1].strip() for line in told.splitlines() if line.count("|") == 2}


@pytest.mark.medium
@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
def test_before_a_command_nothing_heavy_is_loaded(arguments: tuple[str, ...]) -> None:
    loaded = loaded_by(*arguments)
    assert "infra.ecp.app" in loaded
    assert loaded & HEAVY == set()
    assert not any(f"infra.ecp.{entry.module}" in loaded for entry in COMMANDS.values())


@pytest.mark.medium
def test_an_unknown_command_loads_none() -> None:
    loaded = loaded_by("nonsense")
    assert loaded & HEAVY <= {"pydantic"}  # Typer reads arguments with it
    assert not any(f"infra.ecp.{entry.module}" in loaded for entry in COMMANDS.values())


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_of_a_command_in_the_help_is_that_of_its_own_help(name: str) -> None:
    entry = COMMANDS[name]
    found = getattr(import_module(f"infra.ecp.{entry.module}"), entry.attribute)
    said = found.info.help if isinstance(found, typer.Typer) else inspect.getdoc(found)
    assert entry.line == " ".join(said.split("\n\n")[0].split()), "put it into commands.py"


def test_the_version_is_that_of_the_package_and_of_what_it_deploys() -> None:
    said = CliRunner().invoke(app, ["--version"])
    assert (said.exit_code, said.stdout) == (0, f"ecp {version('ecommerce-pipeline')}\n")
    assert project_version(PROJECT) == version("ecommerce-pipeline"), (
        "`make setup` installs it anew"
    )


@pytest.mark.parametrize(
    "arguments", [[], *([name] for name, e in COMMANDS.items() if e.attribute == "app")]
)
def test_a_group_without_a_command_shows_its_help(arguments: list[str]) -> None:
    said = CliRunner().invoke(app, arguments)
    assert said.exit_code == 2
    assert "Usage: ecp" in said.stdout.replace("root", "ecp")
    assert said.stderr == ""


@pytest.mark.parametrize(
    ("typed", "meant"), [("quarantin", "quarantine"), ("submti", "submit"), ("stauts", "status")]
)
def test_an_unknown_command_names_the_nearest(typed: str, meant: str) -> None:
    said = CliRunner().invoke(app, [typed])
    assert (said.exit_code, said.stdout) == (2, "")
    first = said.stderr.splitlines()[0]
    assert first.startswith(f"error: No such command '{typed}'")
    assert f"'{meant}'" in first


def test_what_is_wrong_with_a_command_line_is_shown_as_text() -> None:
    said = CliRunner().invoke(app, ["batch", "a", "[red]b\x1b[2J\u202e"])
    assert said.exit_code == 2
    assert "[red]b\\x1b[2J\\u202e" in said.stderr


@pytest.mark.medium
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_options(shell: str) -> None:
    def complete(line: str) -> str:
        words = line.split(" ")
        environment = os.environ | {
            "_ECP_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        }
        return subprocess.run(
            [str(Path(sys.executable).with_name("ecp"))],
            env=environment, capture_output=True, text=True, check=False,
        ).stdout  # fmt: skip

    assert "quarantine" in complete("ecp quar")
    assert "export" in complete("ecp quarantine exp")
    assert "--json" in complete("ecp batches --js")


@contextmanager
def a_cloud_that_never_answers() -> Iterator[tuple[socket.socket, dict[str, str]]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        environment = os.environ | {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.getsockname()[1]}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }
        yield server, environment


def stopped(number: signal.Signals, after: str | None) -> tuple[int, list[str], str]:
    """A command that is stopped once a module is loaded, or once it waits for the cloud."""
    with a_cloud_that_never_answers() as (server, environment):
        process = subprocess.Popen(
            [sys.executable, "-X", "importtime", *ECP[1:], "quarantine", "list"],
            env=environment, cwd=PROJECT, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stderr
        assert process.stdout
        if after is None:
            server.accept()
        else:
            for line in process.stderr:
                if line.rstrip().endswith(f" {after}"):
                    break
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    return process.returncode, [line for line in err.splitlines() if "|" not in line], out


MOMENTS = (
    (signal.SIGINT, "typer.models"),
    (signal.SIGTERM, "infra.ecp.terminal.output"),
    (signal.SIGINT, "botocore.utils"),
    (signal.SIGINT, "contracts.messages"),
    (signal.SIGINT, None),
    (signal.SIGTERM, None),
)


@pytest.mark.medium
@pytest.mark.parametrize(("number", "after"), MOMENTS)
def test_whenever_it_is_stopped_it_says_one_line_and_exits_with_130(
    number: signal.Signals, after: str | None
) -> None:
    code, said, out = stopped(number, after)
    assert (code, said, out) == (130, ["error: interrupted"], "")


@pytest.mark.medium
def test_status_begins_to_answer_before_it_loads_what_it_asks_with(tmp_path: Path) -> None:
    with a_cloud_that_never_answers() as (server, environment):
        process = subprocess.Popen(
            [sys.executable, "-X", "importtime", *ECP[1:], "status"],
            env=environment, cwd=PROJECT, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert process.stdout
        before = []
        for line in process.stdout:
            if line.startswith("speaking to AWS_ENDPOINT_URL="):
                break
            before.append(line.rsplit("|", 1)[-1].strip())
        else:
            pytest.fail("it did not begin to answer")
        process.terminate()
        process.communicate(timeout=60)
        server.close()
    assert "infra.ecp.target" in before
    assert {"boto3", "contracts.messages", "pyarrow", "duckdb", "numpy"} & set(before) == set()
