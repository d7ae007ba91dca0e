"""Every `ecp` command that the documents tell people to type is one that `ecp` takes."""

import re
import shlex
from collections.abc import Iterator
from itertools import dropwhile
from pathlib import Path
from typing import Any

import pytest
import typer

from infra.ecp.app import app
from infra.environments import PROJECT

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md")),
         *sorted((PROJECT / "services").glob("*/README.md"))]  # fmt: skip
FENCED = re.compile(r"^```(?:bash|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:[A-Z_]+=\S+ )?(?:\.venv/bin/)?ecp [^`]+)`", re.DOTALL)


def typed_in(page: Path) -> Iterator[str]:
    text = page.read_text()
    for block in FENCED.findall(text):
        for line in block.splitlines():
            for command in line.split(" #")[0].split("&&"):
                if re.match(r"\s*(\.venv/bin/)?ecp\b", command):
                    yield command.strip()
    for command in INLINE.findall(FENCED.sub("", text)):
        yield " ".join(command.split())


DOCUMENTED = sorted({(page.relative_to(PROJECT).as_posix(), command)
                     for page in PAGES for command in typed_in(page)})  # fmt: skip


def parsed(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words name, its arguments parsed; raises what Typer says is wrong."""
    command: Any = typer.main.get_command(app)
    context: Any = None
    path: list[str] = []
    rest = list(words)
    while getattr(command, "commands", None) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        if name not in command.commands:
            raise LookupError(f"{' '.join(path)} has no command {name}")
        command = command.commands[name]
        path.append(name)
    if getattr(command, "commands", None):  # `ecp quarantine` alone: the group is meant
        return command, path
    context = command.make_context(" ".join(path), rest, resilient_parsing=False)
    return context.command, path


@pytest.mark.parametrize(("page", "command"), DOCUMENTED)
def test_a_documented_command_is_one_that_can_be_typed(page: str, command: str) -> None:
    _, *words = dropwhile(re.compile(r"[A-Z_]+=\S+").fullmatch, shlex.split(command))
    words = ["1" if word in ("N", "LINE") else word for word in words]
    words = ["--help" if word == "..." else word for word in words]
    said = what_is_wrong(words)
    # A sentence may name a command without its arguments.
    assert said is None or said.startswith("Missing"), f"{page}: `{command}`: {said}"


def what_is_wrong(words: list[str]) -> str | None:
    """What Typer says about a command line; None when it can be run."""
    try:
        parsed(words)
    except typer.Exit:
        return None
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return str(error.format_message())
    return None


def test_the_documents_tell_people_to_type_something() -> None:
    assert len(DOCUMENTED) > 40
    with pytest.raises(LookupError):
        parsed(["quarantine", "exprot"])
    assert what_is_wrong(["submit", "shop", "--wiat"])
