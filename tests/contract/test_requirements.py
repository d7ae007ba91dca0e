"""What each artifact vendors: the pins of pyproject.toml, and all that its entry point imports."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.contract.declared import PROJECT
from tests.support.deployed_code import code_path

PINS = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
CONSTRAINTS = (PROJECT / "constraints.txt").read_text().splitlines()
PINNED = {*PINS["dependencies"], *PINS["optional-dependencies"]["spark"], *CONSTRAINTS}
FILES = sorted(PROJECT.glob("services/*/requirements.txt"))
NOT_NEEDED = {"ecommerce-pipeline", "certifi", "fsspec", "zstandard"}
"""Ourselves, and what botocore and OpenLineage's client take when it is there, and do without when
not."""
IMPORTED_BY = """
import importlib, json, sys
before = set(sys.modules)
importlib.import_module(sys.argv[1])
print(json.dumps(sorted({name.split(".")[0] for name in set(sys.modules) - before})))
"""
ENTRY_POINTS = [
    ".".join(path.relative_to(PROJECT).with_suffix("").parts)
    for path in [
        PROJECT / "services/relay/handler.py",
        *sorted(PROJECT.glob("services/*/handler.py")),
        *sorted(PROJECT.glob("services/*/worker.py")),
    ]
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_a_requirement_is_pinned_as_in_pyproject_or_the_constraints(path: Path) -> None:
    pins = {_bare(pin) for pin in PINNED}
    assert [line for line in path.read_text().split("\n") if line and _bare(line) not in pins] == []


@pytest.mark.parametrize("module", ENTRY_POINTS)
def test_an_artifact_carries_all_that_its_entry_point_imports(module: str) -> None:
    """Asked of a fresh interpreter: packages that a listed one brings along need not be listed."""
    output = subprocess.run(
        [sys.executable, "-c", IMPORTED_BY, module],
        capture_output=True,
        text=True,
        check=True,
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": code_path()},
    ).stdout
    owners = importlib.metadata.packages_distributions()
    imported = {_name(dist) for top in json.loads(output) for dist in owners.get(top, ())}
    folder = PROJECT.joinpath(*module.split(".")[:-1])
    listed = {_name(line) for line in (folder / "requirements.txt").read_text().split()}
    assert imported - _with_what_they_bring(listed) - NOT_NEEDED == set()


def _with_what_they_bring(names: set[str]) -> set[str]:
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            needs = map(Requirement, importlib.metadata.requires(name) or [])
            left += [_name(need.name) for need in needs if _is_for_this_machine(need)]
    return found


def _is_for_this_machine(need: Requirement) -> bool:
    """Neither of an extra nor of another system."""
    return need.marker is None or need.marker.evaluate({"extra": ""})


def _name(requirement: str) -> str:
    """`uuid-utils` from `uuid_utils==1.2.0`."""
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def _bare(requirement: str) -> str:
    """Name and version, without extras."""
    return re.sub(r"\[.*\]", "", requirement).lower().replace("_", "-")
