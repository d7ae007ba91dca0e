"""The docs against what they speak of: alarms, packages, links, tests, commands and the saga."""

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer

from infra.ecp.main import app
from tests.contract.declared import PROJECT, SAGA, states_in, templates
from tests.contract.saga_diagram import diagram

DOCS = [
    PROJECT / "README.md",
    PROJECT / "CONTRIBUTING.md",
    PROJECT / "CHANGELOG.md",
    *sorted(PROJECT.glob("docs/**/*.md")),
    *sorted(PROJECT.glob("services/*/README.md")),
    PROJECT / "contracts/README.md",
]
RUNBOOK = PROJECT / "docs/runbook.md"
ARCHITECTURE = PROJECT / "docs/architecture.md"
each_document = pytest.mark.parametrize(
    "document", DOCS, ids=lambda path: str(path.relative_to(PROJECT))
)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`")
_COMMAND = re.compile(r"\becp ([a-z]+)(?: ([a-z][a-z-]*)\b)?")
_CODE = re.compile(r"```bash\n(.*?)```|`([^`\n]+)`", re.DOTALL)


def headings(document: Path) -> list[str]:
    """The headings outside code blocks, without their marks."""
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    return [line.lstrip("#").strip() for line in text.splitlines() if line.startswith("#")]


def anchor(heading: str) -> str:
    """The anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_runbook_has_a_heading_for_every_alarm_and_for_no_other() -> None:
    alarms = {alarm for template in templates() for alarm in template.alarms}
    coded = {found[1] for line in headings(RUNBOOK) if (found := re.fullmatch(r"`(\S+)`", line))}
    assert coded == alarms


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    requirements = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        requirements += extra
    named = {re.split(r"[\[=<>]", requirement)[0] for requirement in requirements}
    rows = re.findall(
        r"^\| `([\w.-]+)` \| \S", (PROJECT / "docs/dependencies.md").read_text(), re.MULTILINE
    )
    assert named - set(rows) == set()


@each_document
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in _LINK.findall(document.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, fragment = target.partition("#")
        found = (document.parent / name).resolve() if name else document
        assert found.exists(), target
        if fragment:
            assert fragment in [anchor(heading) for heading in headings(found)], target


@cache
def functions_in(path: Path) -> frozenset[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef))


@each_document
def test_every_test_that_is_named_is_there(document: Path) -> None:
    for name, test in _TEST.findall(document.read_text()):
        path = PROJECT / name
        assert path.is_file(), name
        assert not test or test in functions_in(path), f"{name}::{test}"


def test_reliability_names_its_tests() -> None:
    named = _TEST.findall((PROJECT / "docs/reliability.md").read_text())
    assert len({test for _, test in named if test}) > 20


def spoken_commands(text: str) -> Iterator[tuple[str, str]]:
    """Every `ecp` call in code: its command, and the word after it if there is one."""
    for block, inline in _CODE.findall(text):
        for line in (block or inline).splitlines():
            if line.strip().startswith(("ecp ", ".venv/bin/ecp ")):
                yield from _COMMAND.findall(line.split("#")[0])


def commands() -> dict[str, set[str]]:
    """The commands of `ecp`, and the subcommands of each."""
    group = typer.main.get_command(app)
    return {name: set(getattr(command, "commands", {})) for name, command in group.commands.items()}


def alarm_texts() -> str:
    alarms = [template.of_type("AWS::CloudWatch::Alarm").values() for template in templates()]
    return "\n".join(str(alarm["AlarmDescription"]) for group in alarms for alarm in group)


@pytest.mark.parametrize(
    "text",
    [*(document.read_text() for document in DOCS), alarm_texts()],
    ids=[*(str(document.relative_to(PROJECT)) for document in DOCS), "alarms"],
)
def test_every_ecp_command_that_is_named_exists(text: str) -> None:
    known = commands()
    for command, following in spoken_commands(text):
        assert command in known, f"ecp {command}"
        assert not known[command] or following in known[command], f"ecp {command} {following}"


def test_the_saga_is_drawn_as_it_is() -> None:
    """When this fails: put what `python -m tests.contract.saga_diagram` prints into the page."""
    definition = json.loads(SAGA.read_text())
    drawn = re.findall(
        r"```mermaid\n(stateDiagram-v2.*?)\n```", ARCHITECTURE.read_text(), re.DOTALL
    )
    assert drawn == [diagram(definition)]


def test_the_diagram_names_exactly_the_states() -> None:
    definition = json.loads(SAGA.read_text())
    words = set(re.findall(r"(\w+) -->|--> (\w+)|state (\w+) \{", diagram(definition)))
    named = {word for match in words for word in match if word}
    assert named == {name for name, _ in states_in(definition)}


@each_document
def test_no_page_knows_a_machine(document: Path) -> None:
    assert not re.search(r"/(work|home|root|tmp)/", document.read_text())
