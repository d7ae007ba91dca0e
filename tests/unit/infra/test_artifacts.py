"""What is built for the artifact bucket depends on the sources and on nothing else."""

import io
import os
import zipfile
from pathlib import Path

import pytest

from infra.deployer.package import build_artifact, zip_files
from infra.deployer.templates import StackTemplate, discover
from infra.errors import DeploymentFailed
from tests.unit.infra.projects import a_function_project, a_project, a_template


def the_template(project: Path, name: str) -> StackTemplate:
    return next(one for one in discover(project) if one.name == name)


def names_in(content: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(content)).namelist()


def test_the_same_sources_make_the_same_bytes_wherever_and_whenever(tmp_path: Path) -> None:
    built = []
    for place, mode, age in (("here", 0o644, 0), ("there", 0o755, 86_400)):
        project = a_function_project(tmp_path / place)
        for path in project.rglob("*.*"):
            path.chmod(mode)
            os.utime(path, (age, age))
        built.append(build_artifact(the_template(project, "lock"), project, vendored=False))
    assert built[0] == built[1]


def test_a_function_holds_the_contracts_and_its_own_service_only(tmp_path: Path) -> None:
    project = a_function_project(tmp_path)
    artifact = build_artifact(the_template(project, "lock"), project, vendored=False)
    assert names_in(artifact.content) == [
        "contracts/__init__.py",
        "contracts/schemas/AcquireLock/v1.json",
        "services/__init__.py",
        "services/lock/handler.py",
    ]


def test_the_key_changes_with_the_code_but_not_with_the_readme(tmp_path: Path) -> None:
    project = a_function_project(tmp_path)
    template = the_template(project, "lock")
    before = build_artifact(template, project, vendored=False).key
    (project / "services/lock/README.md").write_text("# The lock")
    assert build_artifact(template, project, vendored=False).key == before
    (project / "services/lock/handler.py").write_text("handler = None")
    assert build_artifact(template, project, vendored=False).key != before


def test_an_infra_stack_takes_the_definition_beside_it_or_the_contracts(tmp_path: Path) -> None:
    project = a_function_project(tmp_path)
    a_project(project, {"infra/saga": a_template(), "infra/relay": a_template()})
    (project / "infra/saga.asl.json").write_text('{"StartAt": "Begin"}')
    saga = build_artifact(the_template(project, "saga"), project, vendored=False)
    relay = build_artifact(the_template(project, "relay"), project, vendored=False)
    assert (saga.content, saga.key[-9:]) == (b'{"StartAt": "Begin"}', ".asl.json")
    assert all(name.startswith("contracts/") for name in names_in(relay.content))


def test_a_vendored_function_without_pinned_packages_is_refused(tmp_path: Path) -> None:
    project = a_function_project(tmp_path)
    with pytest.raises(DeploymentFailed, match=r"services/lock/requirements\.txt is missing"):
        build_artifact(the_template(project, "lock"), project, vendored=True)


def test_a_function_too_big_for_lambda_is_refused_before_it_is_uploaded(tmp_path: Path) -> None:
    big = tmp_path / "big.bin"
    with big.open("wb") as file:
        file.truncate(250 * 1024 * 1024 + 1)
    with pytest.raises(DeploymentFailed, match="Lambda takes 262144000"):
        zip_files({"big.bin": big})
