"""What each service is deployed with is all that it imports and reads, and nothing else."""

import io
import json
import subprocess
import sys
import zipfile
from modulefinder import ModuleFinder
from pathlib import Path

import boto3
import pytest

from contracts.file_contracts import file_contract
from contracts.schemas import all_schemas
from contracts.sources.shipped import shipped_source, shipped_sources
from infra.deployer.closure import DATA_FILES
from infra.deployer.package import build_artifact
from infra.deployer.templates import discover
from tests.contract.declared import PROJECT
from tests.support.deployed_code import AS_IN_IMAGES

SITE_PACKAGES = Path(boto3.__file__).parents[1]
ENTRY_POINTS = {
    folder.name: [
        f"services.{folder.name}.{path.stem}"
        for path in (*folder.glob("handler.py"), *folder.glob("worker.py"))
    ]
    for folder in (path.parent for path in sorted(PROJECT.glob("services/*/template.yaml")))
}
ENTRY_POINTS["transformer"].append("services.transformer.emr.entry_point")
SQL = sorted(path.stem for path in PROJECT.glob("services/transformer/sql/*.sql"))
READS = {
    "contracts/schemas/__init__.py": (
        "from contracts.schemas import all_schemas\nsaid = len(all_schemas())",
        len(all_schemas()),
    ),
    "contracts/file_contracts.py": (
        "from contracts.file_contracts import file_contract\n"
        "said = [file_contract(kind).label for kind in ('orders', 'order_items', 'products')]",
        [file_contract(kind).label for kind in ("orders", "order_items", "products")],
    ),
    "contracts/sources/parser.py": (
        "from contracts.sources.parser import parse_source\n"
        "said = parse_source(b'{source: ab, version: 1, title: A, rows: orders, orders: "
        "{order_id: a, order_date: b, total_amount: c}}', 'ab').label",
        "ab v1",
    ),
    "contracts/sources/shipped.py": (
        "from contracts.sources.shipped import shipped_source, shipped_sources\n"
        "said = [shipped_source(name).label for name in shipped_sources()]",
        [shipped_source(name).label for name in shipped_sources()],
    ),
    "services/api/console/assets.py": (
        "from services.api.console.assets import assets\nsaid = sorted(assets())",
        ["icon.svg", "live.js", "style.css"],
    ),
    "services/api/console/rendering.py": (
        "from services.api.console.rendering import rendered\n"
        "told = {'title': 'Gone', 'detail': '', 'advice': ''}\n"
        "said = 'Gone' in rendered('/console/x', 'problem.html', **told)",
        True,
    ),
    "services/api/http/frozen.py": (
        "import json\nfrom services.api.http.frozen import frozen_openapi\n"
        "said = json.loads(frozen_openapi())['openapi']",
        "3.1.0",
    ),
    "services/transformer/engines/port.py": (
        "from services.transformer.engines.port import sql_of\n"
        f"said = [name for name in {SQL} if sql_of(name)]",
        SQL,
    ),
}
"""By a module that reads files beside its code: a program that reads them, and what it must say."""
ALONE = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
{program}
ours = [one for name, one in sys.modules.items() if name.split(".")[0] in ("contracts", "services")]
print(json.dumps([said, [one.__file__ for one in ours]]))
"""


@pytest.fixture(scope="module", params=ENTRY_POINTS)
def unpacked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """A service and the folder with its artifact."""
    template = next(one for one in discover(PROJECT) if one.name == request.param)
    folder = tmp_path_factory.mktemp(request.param)
    content = build_artifact(template, PROJECT, vendored=False).content
    zipfile.ZipFile(io.BytesIO(content)).extractall(folder)
    return request.param, folder


def said_alone(program: str, folder: Path) -> object:
    """What a program says that finds the folder, installed packages, and nothing of the checkout.

    An editable install is found by what `site` does; without it (-S) nothing here hides a gap.
    """
    finished = subprocess.run(
        [
            *(sys.executable, "-I", "-S", "-B", "-c", ALONE.format(program=program)),
            json.dumps([str(folder), str(AS_IN_IMAGES), str(SITE_PACKAGES)]),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    said, found = json.loads(finished.stdout)
    assert found
    assert [file for file in found if not file.startswith(f"{folder}/")] == []
    return said


def test_it_holds_the_modules_that_its_entry_points_reach_and_no_other(
    unpacked: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked of the standard library's finder, which reads byte code.

    It forgets what it knows of the search path before each module. Where Spark has run in this
    process its jars are on that path, and to learn their tables of contents anew takes seconds.
    """
    monkeypatch.setattr(sys, "path_importer_cache", {})
    service, folder = unpacked
    finder = ModuleFinder(path=[str(PROJECT)])
    for module in ENTRY_POINTS[service]:
        finder.import_hook(module)
    reached = {
        Path(one.__file__).relative_to(PROJECT) for one in finder.modules.values() if one.__file__
    }
    assert {path.relative_to(folder) for path in folder.rglob("*.py")} == reached


def test_its_entry_points_start_with_nothing_but_it(unpacked: tuple[str, Path]) -> None:
    service, folder = unpacked
    for module in ENTRY_POINTS[service]:
        assert said_alone(f"import {module}\nsaid = ''", folder) == ""


def test_it_holds_the_files_that_its_modules_read(unpacked: tuple[str, Path]) -> None:
    _, folder = unpacked
    read = {file: one for file, one in READS.items() if (folder / file).exists()}
    for program, expected in read.values():
        assert said_alone(program, folder) == expected
    kinds = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert kinds <= {".py", ".json", ".sql", ".yaml", ".html", ".css", ".js", ".svg"}


def test_every_module_that_reads_files_beside_it_is_known() -> None:
    readers = {
        path.relative_to(PROJECT).as_posix()
        for root in ("contracts", "services")
        for path in (PROJECT / root).rglob("*.py")
        if "__file__" in path.read_text()
    }
    assert readers - {"contracts/generate.py"} == set(READS)
    modules = {file.removesuffix(".py").removesuffix("/__init__") for file in READS}
    assert {module.replace("/", ".") for module in modules} == set(DATA_FILES)
