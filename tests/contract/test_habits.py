"""What CONTRIBUTING.md asks for: make's targets, hooks, the changelog and its fragments."""

import os
import re
import subprocess
import tomllib

import yaml

from tests.contract.declared import PROJECT

MAKEFILE = (PROJECT / "Makefile").read_text()
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())


def test_help_lists_every_target_under_its_group() -> None:
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("MAKE")}
    shown = subprocess.run(
        ["make", "help"], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
    ).stdout
    targets = re.findall(r"^  make ([a-z-]+) +\S", shown, re.MULTILINE)
    [phony] = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert sorted(targets) == sorted(phony.split())
    assert shown.startswith("\n" + re.findall(r"^##@ (.+)$", MAKEFILE, re.MULTILINE)[0])


def test_hooks_run_what_is_in_the_venv_and_fetch_nothing() -> None:
    repositories = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    hooks = repositories[0]["hooks"]
    assert {hook["language"] for hook in hooks} == {"system"}
    checked = MAKEFILE.replace("$(BIN)", ".venv/bin")
    for hook in hooks:
        program = " ".join(hook["entry"].split()[:2]).removesuffix(" --no-cache")
        assert program.startswith(".venv/bin/")
        assert program in checked, "make check does it too"


def test_the_newest_entry_of_the_changelog_is_the_version() -> None:
    entries = re.findall(r"^## (\S+) \(", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert entries[0] == PYPROJECT["project"]["version"]


def test_a_fragment_says_which_kind_of_change_it_is() -> None:
    """towncrier passes over a file of another name in silence."""
    kinds = "|".join(kind["directory"] for kind in PYPROJECT["tool"]["towncrier"]["type"])
    names = {path.name for path in (PROJECT / "changelog.d").iterdir()} - {"README.md"}
    assert [name for name in names if not re.fullmatch(rf"[a-z0-9-]+\.({kinds})\.md", name)] == []
