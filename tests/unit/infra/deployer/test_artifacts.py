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


def test_a_function_holds_what_it_imports_also_later_and_what_that_reads(tmp_path: Path) -> None:
    project = a_function_project(tmp_path)
    artifact = build_artifact(the_template(project, "lock"), project, vendored=False)
    assert names_in(artifact.content) == [
        "contracts/__init__.py",
        "contracts/schemas/__init__.py",
        "contracts/schemas/commands/AcquireLock/v1.json",
        "services/__init__.py",
        "services/lock/__init__.py",
        "services/lock/domain.py",
        "services/lock/handler.py",
        "services/runtime/__init__.py",
        "services/runtime/logs.py",
    ]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("from services.lock.rules import a", "services.lock.handler needs services.lock.rules, "),
        ("import services.lock.rules", "services.lock.handler needs services.lock.rules, "),
        ("from .rules import a", "services.lock.handler needs services.lock.rules, "),
        ("\nif:", r"handler\.py line 2: invalid syntax"),
    ],
)
def test_what_is_imported_and_not_there_is_told_before_anything_is_deployed(
    tmp_path: Path, code: str, message: str
) -> None:
    project = a_function_project(tmp_path)
    (project / "services/lock/handler.py").write_text(code)
    with pytest.raises(DeploymentFailed, match=message):
        build_artifact(the_template(project, "lock"), project, vendored=False)


def test_a_stack_whose_code_nothing_starts_is_refused(tmp_path: Path) -> None:
    project = a_function_project(tmp_path)
    template = project / "services/lock/template.yaml"
    template.write_text(template.read_text().split("  F:")[0])
    with pytest.raises(DeploymentFailed, match="names no module that its code starts with"):
        build_artifact(the_template(project, "lock"), project, vendored=False)


def test_the_key_changes_with_the_code_but_not_with_what_is_not_in_it(tmp_path: Path) -> None:
    project = a_function_project(tmp_path)
    template = the_template(project, "lock")
    before = build_artifact(template, project, vendored=False).key
    (project / "services/lock/README.md").write_text("# The lock")
    (project / "services/lock/history.py").write_text("# nobody imports it")
    assert build_artifact(template, project, vendored=False).key == before
    (project / "services/lock/handler.py").write_text("handler = None")
    assert build_artifact(template, project, vendored=False).key != before


def test_an_infra_stack_takes_the_definition_beside_it(tmp_path: Path) -> None:
    project = a_function_project(tmp_path)
    a_project(project, {"infra/saga": a_template()})
    (project / "infra/stacks/saga.asl.json").write_text('{"StartAt": "Begin"}')
    saga = build_artifact(the_template(project, "saga"), project, vendored=False)
    assert (saga.content, saga.key[-9:]) == (b'{"StartAt": "Begin"}', ".asl.json")


def test_a_vendored_function_without_pinned_packages_is_refused(tmp_path: Path) -> None:
    project = a_function_project(tmp_path)
    with pytest.raises(DeploymentFailed, match=r"services/lock/requirements\.txt is missing"):
        build_artifact(the_template(project, "lock"), project, vendored=True)


def a_wheel(folder: Path, platform: str) -> None:
    """A wheel of package `dep` that says for which platform it was built."""
    info = "dep-1.0.dist-info"
    files = {
        "dep/__init__.py": f"PLATFORM = '{platform}'",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: dep\nVersion: 1.0\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nTag: cp311-cp311-{platform}\n",
        f"{info}/entry_points.txt": "[console_scripts]\ndep = dep:main\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / f"dep-1.0-cp311-cp311-{platform}.whl", "w") as wheel:
        for name, content in files.items():
            wheel.writestr(name, content)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architectures", "platform"),
    [("", "manylinux2014_x86_64"), ("[arm64]", "manylinux2014_aarch64")],
)
def test_packages_are_those_of_the_functions_platform_and_two_builds_are_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, architectures: str, platform: str
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for one in ("manylinux2014_x86_64", "manylinux2014_aarch64", "macosx_11_0_arm64"):
        a_wheel(wheels, one)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    built = []
    for place in ("here", "there"):
        project = a_function_project(tmp_path / place)
        (project / "services/lock/requirements.txt").write_text("dep")
        (project / "constraints.txt").write_text("dep==1.0")
        template = project / "services/lock/template.yaml"
        architecture = f", Architectures: {architectures}" if architectures else ""
        runtime = "Runtime: python3.11"
        template.write_text(template.read_text().replace(runtime, runtime + architecture))
        built.append(build_artifact(the_template(project, "lock"), project, vendored=True))
    assert built[0].sha256 == built[1].sha256
    assert built[0] == built[1]
    content = zipfile.ZipFile(io.BytesIO(built[0].content))
    assert content.read("dep/__init__.py").decode() == f"PLATFORM = '{platform}'"
    assert not [name for name in content.namelist() if name.endswith((".pyc", "RECORD"))]
    assert "bin/dep" not in content.namelist()


@pytest.mark.medium
def test_what_listed_packages_bring_along_is_pinned_by_the_constraints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_wheel(tmp_path, "manylinux2014_x86_64")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    project = a_function_project(tmp_path / "project")
    (project / "services/lock/requirements.txt").write_text("dep")
    (project / "constraints.txt").write_text("dep==2.0")
    with pytest.raises(DeploymentFailed, match=r"(?s)pip could not install .*dep"):
        build_artifact(the_template(project, "lock"), project, vendored=True)


def test_a_function_too_big_for_lambda_is_refused_before_it_is_uploaded(tmp_path: Path) -> None:
    big = tmp_path / "big.bin"
    with big.open("wb") as file:
        file.truncate(250 * 1024 * 1024 + 1)
    with pytest.raises(DeploymentFailed, match="Lambda takes 262144000"):
        zip_files({"big.bin": big})
