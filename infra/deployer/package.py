"""Builds what a stack takes from the artifact bucket: zips of code and the saga's definition.

The same sources always give the same bytes, so an artifact is named by its content and a stack
whose code did not change does not change.
"""

import hashlib
import io
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.deployer.closure import Closure, import_closure
from infra.deployer.templates import StackTemplate
from infra.errors import DeploymentFailed

LAMBDA_UNZIPPED_LIMIT_BYTES = 250 * 1024 * 1024

CONSTRAINTS = "constraints.txt"
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE_RW_R_R = 0o100644 << 16
_UNIX = 3


def project_version(project: Path) -> str | None:
    """The version that a checkout's pyproject.toml names, as `ecp --version` of it says."""
    try:
        text = (project / "pyproject.toml").read_text()
    except FileNotFoundError:
        return None
    return str(tomllib.loads(text)["project"]["version"])


@dataclass(frozen=True)
class Artifact:
    """Bytes for the artifact bucket; `key` ends in their SHA-256."""

    key: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def build_artifact(template: StackTemplate, project: Path, *, vendored: bool) -> Artifact:
    """What `template` takes as ArtifactKey.

    A service's stack takes its code, an infra stack the state machine definition beside it
    (`saga.yaml`: `saga.asl.json`).
    `vendored`: put the pinned packages of the requirement file into the zip.
    Raises DeploymentFailed when the sources are missing or the zip would be too big for Lambda.
    """
    definition = definition_of(template)
    if definition:
        return _named(template.name, definition.read_bytes(), "asl.json")
    files = closure_of(template, project).files(project)
    if vendored:
        with tempfile.TemporaryDirectory(prefix="ecp-vendor-") as folder:
            vendor(
                project / f"services/{template.service}/requirements.txt",
                project / CONSTRAINTS,
                Path(folder),
                template.runtime,
            )
            files |= tree(Path(folder))
            return _named(template.name, zip_files(files), "zip")
    return _named(template.name, zip_files(files), "zip")


def sources_digest(template: StackTemplate, project: Path) -> str:
    """One SHA-256 over all that the stack's code is built from; empty for a stack without code.

    Equal digests mean equal artifacts, so a plan need not build anything.
    """
    if not template.has_code:
        return ""
    if definition := definition_of(template):
        return hashlib.sha256(definition.read_bytes()).hexdigest()
    others = {name: project / name for name in build_files(template)}
    files = closure_of(template, project).files(project)
    files |= {name: path for name, path in others.items() if path.exists()}
    digest = hashlib.sha256()
    for name in sorted(files):
        content = hashlib.sha256(files[name].read_bytes()).hexdigest()
        digest.update(f"{name} {content}\n".encode())
    return digest.hexdigest()


def closure_of(template: StackTemplate, project: Path) -> Closure:
    """The code of a stack's function or worker; raises DeploymentFailed when nothing starts it."""
    if not template.entry_points:
        raise DeploymentFailed(f"{template.path} names no module that its code starts with")
    return import_closure(template.entry_points, project)


def build_files(template: StackTemplate) -> set[str]:
    """What the code of a service is built with, by path in the project."""
    folder = f"services/{template.service}"
    image = {f"{folder}/Dockerfile"} if template.runs_container else set()
    return {f"{folder}/requirements.txt", CONSTRAINTS} | image


def zip_files(
    files: Mapping[str, Path], limit_bytes: int | None = LAMBDA_UNZIPPED_LIMIT_BYTES
) -> bytes:
    """A zip of `files` (name in the zip: file) that depends on names and contents only."""
    size_bytes = sum(path.stat().st_size for path in files.values())
    if limit_bytes is not None and size_bytes > limit_bytes:
        raise DeploymentFailed(
            f"the function would unzip to {size_bytes} bytes; "
            f"Lambda takes {limit_bytes}: remove packages from its requirements.txt"
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=_ZIP_EPOCH)
            entry.create_system = _UNIX
            entry.external_attr = _REGULAR_FILE_RW_R_R
            archive.writestr(entry, files[name].read_bytes(), zipfile.ZIP_DEFLATED, 9)
    return buffer.getvalue()


def vendor(
    requirements: Path, constraints: Path, target: Path, runtime: tuple[Sequence[str], str]
) -> None:
    """Install the pinned packages of `requirements` into `target`, as Lambda needs them.

    Only wheels for `runtime` (platform tags, Python version) are taken, whatever machine this runs
    on; `constraints` pins what the listed packages bring along.
    """
    if not requirements.exists():
        raise DeploymentFailed(f"{requirements} is missing: it pins the packages of the function")
    platforms, python_version = runtime
    constrained = ("--constraint", str(constraints)) if constraints.exists() else ()
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"),
            *("--disable-pip-version-check", "--target", str(target)),
            *("--requirement", str(requirements), *constrained),
            *(word for platform in platforms for word in ("--platform", platform)),
            *("--python-version", python_version),
            *("--implementation", "cp", "--only-binary", ":all:"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        raise DeploymentFailed(f"pip could not install {requirements}: {finished.stderr.strip()}")
    # Command-line scripts name this machine's Python, and RECORD lists them: both would make the
    # zip differ from machine to machine, and a function needs neither.
    shutil.rmtree(target / "bin", ignore_errors=True)
    for record in target.glob("*.dist-info/RECORD"):
        record.unlink()


def definition_of(template: StackTemplate) -> Path | None:
    """The state machine definition beside an infra stack's template, if there is one."""
    definition = template.path.with_suffix(".asl.json")
    return definition if template.service is None and definition.exists() else None


def tree(folder: Path) -> dict[str, Path]:
    """The files below a folder, by path in it."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def _named(stack: str, content: bytes, extension: str) -> Artifact:
    return Artifact(f"{stack}/{hashlib.sha256(content).hexdigest()}.{extension}", content)
