"""Frozen copies: what a release holds, what is noticed when one is touched, when none is made."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from infra.deployer.package import build_artifact
from infra.deployer.templates import discover
from tests.contract.compatibility_project import ACQUIRE, ORDERS, SEALED, ContractProject
from tests.contract.declared import PROJECT


@pytest.fixture
def project(tmp_path: Path) -> ContractProject:
    return ContractProject(tmp_path)


def test_a_release_holds_every_contract_byte_for_byte_and_is_clean(
    project: ContractProject,
) -> None:
    assert project.release() == "v1"
    folder = project.folder / "contracts/released/v1"
    frozen = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert frozen == project.gate.current.texts
    assert {SEALED, ACQUIRE, ORDERS} <= set(frozen)
    assert project.gate.findings() == []
    assert project.gate.plan.is_empty


def test_a_second_release_holds_only_what_changed(project: ContractProject) -> None:
    project.release()
    project.edit(SEALED, lambda document: document.update(description="Pinned"))
    project.path("schemas/commands/ExtendLease/v1.json").unlink()
    plan = project.gate.plan
    assert (plan.version, plan.new, plan.changed) == ("v2", (), (SEALED,))
    assert plan.withdrawn == ("schemas/commands/ExtendLease/v1.json",)
    project.release()
    index = project.gate.releases.index
    assert [release.version for release in index] == ["v1", "v2"]
    assert set(index[1].frozen) == {SEALED}
    assert project.gate.releases.catalogue("v2").texts == project.gate.current.texts
    assert project.gate.plan.is_empty


def test_nothing_new_makes_no_release(project: ContractProject) -> None:
    project.release()
    before = (project.folder / "contracts/released/index.json").read_bytes()
    assert project.gate.releases.freeze(project.gate.current).is_empty
    assert (project.folder / "contracts/released/index.json").read_bytes() == before
    assert not (project.folder / "contracts/released/v2").exists()


def test_the_index_names_versions_and_hashes_and_no_date(project: ContractProject) -> None:
    project.release()
    index = json.loads((project.folder / "contracts/released/index.json").read_text())
    [release] = index["releases"]
    assert set(release) == {"version", "frozen", "withdrawn"}
    assert all(len(digest) == 64 for digest in release["frozen"].values())


def test_no_function_carries_the_gate_or_the_frozen_copies() -> None:
    template = next(one for one in discover(PROJECT) if one.name == "lock")
    content = build_artifact(template, PROJECT, vendored=False).content
    names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert "contracts/schemas/events/BatchSealed/v1.json" in names
    assert not [name for name in names if "released/" in name or "compatibility/" in name]


def touch_up(path: Path) -> None:
    path.write_text(path.read_text().replace("A set of files", "A group of files"))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (touch_up, "was changed"),
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.with_name("v7.json").write_text("{}"), "is not in the index"),
    ],
    ids=["changed", "deleted", "added"],
)
def test_a_released_file_that_is_touched_is_noticed(
    project: ContractProject, what: object, said: str
) -> None:
    project.release()
    assert callable(what)
    what(project.folder / "contracts/released/v1" / SEALED)
    [found] = project.findings()
    assert found["direction"] == "released"
    assert found["release"] == "v1"
    assert said in found["reason"]
    assert "git checkout" in found["reason"]
    assert found["breaks_for"] == (
        ["aggregator", "api", "ecp"] if said != "is not in the index" else []
    )


def test_changing_the_released_copy_with_the_schema_does_not_help(
    project: ContractProject,
) -> None:
    """The obvious way around: make old and new equal."""
    project.release()
    project.edit(SEALED, lambda document: document["required"].remove("file_count"))
    changed = project.path(SEALED).read_bytes()
    (project.folder / "contracts/released/v1" / SEALED).write_bytes(changed)
    assert [one["rule"] for one in project.findings()] == ["sha256"]
