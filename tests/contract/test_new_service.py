"""`make new-service`: what it makes passes what is asked of every service, or nothing is made."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.scaffold import new_service
from infra.scaffold.new_service import LONGEST_NAME, AnchorMissing, NameRefused, make_service
from tests.contract.declared import PROJECT
from tests.support.examples import thorough

NAME = "warehousestocktakings"[:LONGEST_NAME]
"""As long as one may be, and sorted after `runtime`: lines and imports are at their worst."""
ROOMS = {
    *("README.md", "__init__.py", "adapters.py", "domain.py", "handler.py", "requirements.txt"),
    *("service.yaml", "settings.py", "template.yaml", "use_cases.py"),
}


def copy_of_checkout(folder: Path) -> Path:
    """Every file that git has or would take, and the byte code that Python made of it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        check=True,
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (PROJECT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name)  # byte code knows its source by its time
    for cached in PROJECT.glob("[cist]*/**/__pycache__"):
        if (folder / cached.relative_to(PROJECT)).parent.exists():
            shutil.copytree(cached, folder / cached.relative_to(PROJECT))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
    }


def run(checkout: Path, tool: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A tool on the checkout, whose code it finds before that of the installed project."""
    return subprocess.run(
        [Path(sys.executable).with_name(tool), *arguments],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def scaffolded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    checkout = copy_of_checkout(tmp_path_factory.mktemp("scaffolded"))
    made = run(checkout, "python", "-m", "infra.scaffold", NAME)
    assert made.returncode == 0, made.stderr
    return checkout


def test_it_has_the_rooms_of_a_service(scaffolded: Path) -> None:
    assert {path.name for path in (scaffolded / "services" / NAME).iterdir()} == ROOMS
    assert f"services.{NAME}" in (scaffolded / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    "tool",
    [
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        thorough(pytest.param(("mypy", f"services/{NAME}"))),
        ("lint-imports", "--no-cache"),
        ("cfn-lint", f"services/{NAME}/template.yaml", "infra/stacks/dashboard.yaml"),
        ("ecp", "contracts", "check"),
        ("ecp", "contracts", "docs", "--check"),
        ("pytest", "-q", f"tests/unit/{NAME}"),
        thorough(
            pytest.param(
                ("pytest", "-q", "-k", NAME, "tests/contract/test_artifacts_stand_alone.py")
            )
        ),
        thorough(
            pytest.param(
                (
                    *("pytest", "-q", "tests/contract/test_services.py"),
                    *("tests/contract/test_docs.py", "tests/contract/test_log_groups.py"),
                    *(
                        "tests/contract/test_compatibility_docs.py",
                        "tests/security/test_allowed.py",
                    ),
                    *("tests/security/test_denied.py", "tests/security/test_dashboard.py"),
                    "tests/unit/infra/deployer/test_deploy_plan.py",
                    "tests/unit/infra/stacks/test_names_by_stage.py",
                )
            )
        ),
        (
            "pytest",
            "-q",
            "-k",
            "advice or every",
            "tests/unit/infra/ecp/dead_letters/test_dead_letters.py",
        ),
    ],
    ids=lambda tool: " ".join(tool[:4]),
)
def test_it_passes_what_every_service_passes(scaffolded: Path, tool: tuple[str, ...]) -> None:
    finished = run(scaffolded, *tool)
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_checkout(tmp_path_factory.mktemp("checkout"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *((name, "one word in lower case") for name in ("", "Stock", "a-b", "a_b", "2nd", "class")),
        ("../lock", "one word in lower case"),
        ("s" * (LONGEST_NAME + 1), "over 20 characters"),
        ("lock", "is taken"),
        ("runtime", "is taken"),
        ("saga", "is taken"),
        ("contracts", "is taken"),
    ],
)
def test_a_name_that_cannot_be_taken_is_refused_and_nothing_written(
    checkout: Path, name: str, reason: str
) -> None:
    before = contents(checkout)
    with pytest.raises(NameRefused, match=reason):
        make_service(name, checkout)
    assert contents(checkout) == before


def test_a_person_is_told_why_a_name_is_refused(checkout: Path) -> None:
    refused = run(checkout, "python", "-m", "infra.scaffold", "lock")
    assert refused.returncode == 2
    assert refused.stderr == "error: 'lock' is taken: make new-service NAME=<a name>\n"


def test_a_list_that_looks_otherwise_is_named_and_nothing_written(
    checkout: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(checkout, tmp_path / "other"))
    (other / "docs/watching.md").write_text("# Watching\n")
    before = contents(other)
    with pytest.raises(AnchorMissing, match=r"docs/watching\.md does not hold .* just once"):
        make_service(NAME, other)
    assert contents(other) == before


def test_a_fault_while_writing_puts_all_back(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(checkout)
    monkeypatch.setattr(new_service.subprocess, "run", _no_ruff)
    with pytest.raises(FileNotFoundError):
        make_service(NAME, checkout)
    assert contents(checkout) == before


def _no_ruff(*_: object, **__: object) -> None:
    raise FileNotFoundError("ruff")
