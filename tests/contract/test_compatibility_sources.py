"""The gate for sources: what ships is allowed, and what was released stays as it is."""

import shutil
from pathlib import Path

import pytest

from tests.contract.compatibility_project import ContractProject
from tests.contract.declared import PROJECT

PATH = "sources/my-shop/v1.yaml"
TEXT = """\
source: my-shop
version: 1
title: My shop
rows: orders
orders:
  order_id: id
  order_date: bought
  total_amount: total
"""
V3 = TEXT.replace("version: 1", "version: 3")


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> ContractProject:
    made = ContractProject(tmp_path_factory.mktemp("released"))
    shutil.copytree(PROJECT / "contracts/sources", made.path("sources"))
    put(made, PATH, TEXT)
    made.release()
    assert made.findings() == []
    return made


@pytest.fixture
def project(released: ContractProject, tmp_path: Path) -> ContractProject:
    return released.copied_to(tmp_path)


def put(project: ContractProject, path: str, text: str) -> None:
    project.path(path).parent.mkdir(parents=True, exist_ok=True)
    project.path(path).write_text(text)


def found(project: ContractProject) -> list[tuple[str, str, str]]:
    return [(one["contract"], one["direction"], one["reason"]) for one in project.findings()]


def test_a_released_source_never_changes(project: ContractProject) -> None:
    put(project, PATH, TEXT + "  status: state\n")
    [(contract, direction, reason)] = found(project)
    assert (contract, direction) == ("sources/my-shop v1", "released")
    assert "batches are pinned to it: put it back" in reason
    [finding] = project.findings()
    assert finding["breaks_for"] == ["senders of files under incoming/my-shop/"]


def test_a_released_source_is_not_taken_away(project: ContractProject) -> None:
    project.path(PATH).unlink()
    assert [one[:2] for one in found(project)] == [("sources/my-shop v1", "removed")]


def test_what_is_new_is_the_next_version(project: ContractProject) -> None:
    put(project, "sources/my-shop/v2.yaml", TEXT.replace("version: 1", "version: 2"))
    assert found(project) == []
    assert project.release() == "v2"
    put(project, "sources/my-shop/v2.yaml", TEXT.replace("version: 1", "version: 2") + "# late\n")
    assert [one[:2] for one in found(project)] == [("sources/my-shop v2", "released")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            TEXT.replace("title", "titel"),
            'line 3, titel: there is no such key; did you mean "title"?',
        ),
        (TEXT, "this says my-shop v1, and lies at sources/my"),
        (V3.replace("bought", "now()"), "line 7, orders.order_date: now is refused"),
        ("\0", "U+0000"),
    ],
)
def test_what_ships_is_a_source_whose_expressions_are_allowed(
    project: ContractProject, text: str, said: str
) -> None:
    put(project, "sources/my-shop/v3.yaml", text)
    [(contract, direction, reason)] = [one for one in found(project) if one[0].endswith("v3")]
    assert (contract, direction) == ("sources/my-shop v3", "schema")
    assert said in reason
