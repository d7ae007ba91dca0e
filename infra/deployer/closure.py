"""What code needs to run: the modules that it starts with, all they import, and what those read."""

import ast
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib.util import resolve_name
from pathlib import Path, PurePosixPath
from threading import Lock

from infra.errors import DeploymentFailed

ROOTS = ("contracts", "services")
DATA_FILES = {
    "contracts.schemas": "contracts/schemas/*/*/v*.json",
    "contracts.file_contracts": "contracts/files/*/v*.json",
    "contracts.sources.parser": "contracts/sources/source.schema.json",
    "contracts.sources.shipped": "contracts/sources/*/v*.yaml",
    "services.api.console.assets": "services/api/console/static/*",
    "services.api.console.rendering": "services/api/console/templates/*.html",
    "services.api.http.frozen": "services/api/http/openapi.json",
    "services.transformer.engines.port": "services/transformer/sql/*.sql",
}
"""The files that a module reads: whoever imports the module needs them beside it."""

_one_at_a_time = Lock()
"""Stacks are packed side by side, and Python 3.11 cannot parse in two threads: where one gives way
to another amid it, "AST constructor recursion depth mismatch" is raised."""


@dataclass(frozen=True)
class Closure:
    """`modules`: their files, by path in the project. `data_files`: patterns of such paths."""

    modules: dict[str, Path]
    data_files: tuple[str, ...]

    def files(self, project: Path) -> dict[str, Path]:
        """All of it that is there, by path in the project."""
        data = [path for pattern in self.data_files for path in project.glob(pattern)]
        return self.modules | {path.relative_to(project).as_posix(): path for path in data}

    def includes(self, path: str) -> bool:
        """Whether a path in the project, also of a file that is gone, belongs to it."""
        is_data = any(PurePosixPath(path).match(pattern) for pattern in self.data_files)
        return is_data or path in self.modules


def import_closure(entry_points: Collection[str], project: Path) -> Closure:
    """The closure of these modules; an import counts wherever it stands, in a function too.

    Raises DeploymentFailed when a module of the project is imported and is not there.
    """
    found: dict[str, Path] = {}
    left = [(name, "the template") for name in entry_points]
    while left:
        name, importer = left.pop()
        if name in found:
            continue
        path = _file_of(name, project)
        if path is None:
            raise DeploymentFailed(f"{importer} needs {name}, and {project} has no such module")
        found[name] = path
        parent = name.rpartition(".")[0]
        package = name if path.name == "__init__.py" else parent
        try:
            modules, members = _imports(path.read_bytes(), package)
        except SyntaxError as error:
            raise DeploymentFailed(f"{path} line {error.lineno}: {error.msg}") from error
        left += [(one, name) for one in modules]
        left += [(one, name) for one in {*members, parent} if one and _file_of(one, project)]
    return Closure(
        {path.relative_to(project).as_posix(): path for path in found.values()},
        tuple(pattern for module, pattern in DATA_FILES.items() if module in found),
    )


def _file_of(module: str, project: Path) -> Path | None:
    place = project.joinpath(*module.split("."))
    candidates = place / "__init__.py", place.with_suffix(".py")
    return next((path for path in candidates if path.is_file()), None)


def _imports(source: bytes, package: str) -> tuple[set[str], set[str]]:
    """The modules of ours that a text imports, and the members taken, which may be modules too."""
    with _one_at_a_time:
        return _imports_once(source, package)


@cache
def _imports_once(source: bytes, package: str) -> tuple[set[str], set[str]]:
    modules: set[str] = set()
    members: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names if _is_ours(alias.name)}
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package)
            if _is_ours(module):
                modules.add(module)
                members |= {f"{module}.{alias.name}" for alias in node.names}
    return modules, members


def _is_ours(module: str) -> bool:
    return module.split(".")[0] in ROOTS
