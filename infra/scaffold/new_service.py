"""Makes a service that works: its rooms from templates, and its lines in the lists of all services.

Everything is worked out before anything is written; a fault while writing puts all back.
"""

import keyword
import re
import subprocess
import sys
from pathlib import Path
from string import Template

import yaml

from infra.contract_docs.gate import ContractGate
from infra.contract_docs.pages import pages
from infra.deployer.templates import discover

HERE = Path(__file__).parent
ROOMS = HERE / "rooms"
LONGEST_NAME = 20
_LAYER = re.compile(r'"(services\.\w+(?: \| services\.\w+)+)"')


class NameRefused(ValueError):
    """A service cannot be called that."""


class AnchorMissing(LookupError):
    """A list that a service is put into no longer looks as edits.yaml says."""


def make_service(name: str, project: Path) -> list[str]:
    """Write a new service into a checkout; returns the paths that changed, relative to it.

    Raises NameRefused for a name that is no module's or is taken, AnchorMissing when a list is not
    as expected; the checkout is then as it was.
    """
    _refuse_bad(name, project)
    words = {"name": name, "Name": name.capitalize()}
    texts = _rooms(words) | _lists(words, project)
    before: dict[Path, bytes | None] = {}
    try:
        _write(texts, project, before)
        generated = pages(ContractGate(project))
        _write(
            {str(path.relative_to(project)): text for path, text in generated.items()},
            project,
            before,
        )
        _tidy([path for path in before if path.suffix == ".py"])
    except BaseException:
        _put_back(before, project)
        raise
    return sorted(path.relative_to(project).as_posix() for path in before)


def _refuse_bad(name: str, project: Path) -> None:
    if not re.fullmatch("[a-z][a-z0-9]*", name) or keyword.iskeyword(name):
        raise NameRefused(f"{name!r} is no name for a module and a stack: one word in lower case")
    if len(name) > LONGEST_NAME:
        raise NameRefused(f"{name!r} has over {LONGEST_NAME} characters")
    stacks = {template.name for template in discover(project)}
    folders = [project / "services" / name, project / "tests/unit" / name]
    if name in stacks or any(folder.exists() for folder in folders):
        raise NameRefused(f"{name!r} is taken")


def _rooms(words: dict[str, str]) -> dict[str, str]:
    return {
        path.relative_to(ROOMS)
        .as_posix()
        .removesuffix(".tmpl")
        .replace("NAME", words["name"]): Template(path.read_text()).substitute(words)
        for path in sorted(ROOMS.rglob("*.tmpl"))
    }


def _lists(words: dict[str, str], project: Path) -> dict[str, str]:
    texts = {
        "pyproject.toml": _in_its_layer(words["name"], (project / "pyproject.toml").read_text())
    }
    for edit in yaml.safe_load((HERE / "edits.yaml").read_text()):
        file, preceding, following = edit["file"], edit.get("after", ""), edit.get("before", "")
        text = texts.get(file) or (project / file).read_text()
        if text.count(preceding + following) != 1:
            raise AnchorMissing(f"{file} does not hold {preceding + following!r} just once")
        added = Template(edit["add"]).substitute(words)
        texts[file] = text.replace(preceding + following, preceding + added + following)
    return texts


def _in_its_layer(name: str, text: str) -> str:
    """pyproject.toml with the service among those that never import each other."""
    found = _LAYER.search(text)
    if found is None:
        raise AnchorMissing("pyproject.toml has no layer of services")
    services = sorted([*found[1].split(" | "), f"services.{name}"])
    return text.replace(found[1], " | ".join(services))


def _write(texts: dict[str, str], project: Path, before: dict[Path, bytes | None]) -> None:
    for name, text in texts.items():
        path = project / name
        before.setdefault(path, path.read_bytes() if path.exists() else None)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _tidy(paths: list[Path]) -> None:
    """Imports are sorted and lines broken by a name that the templates do not know."""
    for command in (("format", "--quiet"), ("check", "--fix-only", "--quiet")):
        subprocess.run([sys.executable, "-m", "ruff", *command, *paths], check=True)


def _put_back(before: dict[Path, bytes | None], project: Path) -> None:
    for path, content in before.items():
        if content is not None:
            path.write_bytes(content)
            continue
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == project or any(folder.iterdir()):
                break
            folder.rmdir()
