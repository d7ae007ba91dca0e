"""One Python for what is deployed (`.python-version`); the newest that is here for `make`."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.contract.declared import PROJECT

DEPLOYED = (PROJECT / ".python-version").read_text().strip()
MAKEFILE = (PROJECT / "Makefile").read_text()
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
CANDIDATES = re.findall(r"python(3\.\d+)", MAKEFILE.split("PYTHON ?= ")[1].splitlines()[0])
_NAMED = re.compile(
    r"\bpython:?-?(3\.\d+)|python-version\W+(3\.\d+)|devcontainers/python:[\d-]*?(3\.\d+)"
)
NAMING = [
    "services/*/template.yaml",
    "services/*/Dockerfile",
    "infra/**/*.yaml",
    "infra/deployer/*.py",
    "contracts/generate.py",
    ".github/workflows/*.yml",
    ".devcontainer/*.json",
    "tests/containers/*.py",
]


def test_whatever_is_deployed_and_whatever_builds_it_names_one_python() -> None:
    """Templates and Dockerfiles cannot look into a file: they repeat `.python-version`."""
    named = {
        (path.relative_to(PROJECT).as_posix(), version)
        for pattern in NAMING
        for path in PROJECT.glob(pattern)
        for found in _NAMED.findall(path.read_text())
        for version in found
        if version
    }
    assert len(named) > 8, "functions, images, the generator"
    assert {name for name, version in named if version != DEPLOYED} == set()


def test_the_workflow_has_its_python_from_the_file_alone() -> None:
    workflow = (PROJECT / ".github/workflows/ci-cd.yml").read_text()
    setups = workflow.count("actions/setup-python@")
    assert setups == workflow.count("python-version-file: .python-version") > 3
    assert "python-version:" not in workflow


def test_the_oldest_python_is_the_one_that_is_deployed() -> None:
    """Types are checked and syntax is judged for it, so that nothing newer slips in."""
    oldest, newest = CANDIDATES[-1], CANDIDATES[0]
    assert oldest == DEPLOYED
    assert PYPROJECT["project"]["requires-python"] == f">={oldest}"
    assert PYPROJECT["tool"]["mypy"]["python_version"] == oldest
    assert PYPROJECT["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    bounds = tuple(f"({version.replace('.', ', ')})" for version in (oldest, newest))
    assert re.findall(r"\(3, \d+\)", MAKEFILE) == list(bounds)


def interpreter(folder: Path, name: str, script: str) -> None:
    """A program of that name: it can be asked, and makes a .venv that says who made it."""
    program = folder / name
    program.write_text(
        f'#!/bin/sh\n{script}\n[ "$1" = -c ] || {{ mkdir -p .venv/bin; echo "$0" >made_by; }}\n'
    )
    program.chmod(0o755)


def _program(name: str) -> str:
    found = shutil.which(name)
    assert found, name
    return found


def made_by(folder: Path) -> str:
    (folder / "mkdir").symlink_to(_program("mkdir"))
    finished = subprocess.run(
        [_program("make"), "--file", str(PROJECT / "Makefile"), ".venv/bin/python"],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if "MAKE" not in name}
        | {"PATH": str(folder), "PYTHON": "python3.14 python3.13 python3.12"},
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        return finished.stderr
    return Path((folder / "made_by").read_text().strip()).name


@pytest.mark.parametrize(
    ("present", "chosen"),
    [
        ({"python3.14": "", "python3.12": ""}, "python3.14"),
        ({"python3.14": "exit 127", "python3.13": "exit 1", "python3.12": ""}, "python3.12"),
        ({"python3.13": '[ "$PYENV_VERSION" = 3.13 ] || exit 127', "python3.12": ""}, "python3.12"),
        ({"python3.13": '[ "$PYENV_VERSION" = 3.13 ] || exit 127'}, "python3.13"),
    ],
    ids=["the newest", "one that works", "as PATH has it first", "as pyenv has it"],
)
def test_make_takes_the_newest_python_that_can_make_a_venv(
    tmp_path: Path, present: dict[str, str], chosen: str
) -> None:
    for name, script in present.items():
        interpreter(tmp_path, name, script)
    assert made_by(tmp_path) == chosen


def test_make_says_what_to_install_where_no_python_will_do(tmp_path: Path) -> None:
    assert "install Python 3.11 to 3.14" in made_by(tmp_path)
