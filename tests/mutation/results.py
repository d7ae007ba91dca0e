"""What came of a run of mutmut: each mutant with its file, its function, its edit and its end."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, TypeVar

KILLED, TIMEOUT, SURVIVED, UNTRIED = "killed", "timeout", "survived", "untried"
SEED = 1
"""Of the choice of a sample."""
Drawn = TypeVar("Drawn", bound=tuple[Any, ...])
_ENDS = {None: UNTRIED, 1: KILLED, 3: KILLED, 0: SURVIVED, 5: SURVIVED, 33: SURVIVED}
"""pytest's exit codes, and mutmut's 33 for a function that no test runs; others took too long."""


@dataclass(frozen=True)
class Mutant:
    """`edit` is the changed lines, `- before` and `+ after`, as they are compared and shown."""

    name: str
    file: str
    function: str
    end: str
    edit: str = ""


def mutants_in(folder: Path) -> list[Mutant]:
    """All mutants in mutmut's folder of mutants; some are untried after a run that was stopped."""
    found = []
    for meta in sorted(folder.rglob("*.meta")):
        file = str(meta.relative_to(folder)).removesuffix(".meta")
        for name, code in json.loads(meta.read_text())["exit_code_by_key"].items():
            found.append(Mutant(name, file, _function_of(name), _ENDS.get(code, TIMEOUT)))
    return found


def with_edits(mutants: list[Mutant], edits: Mapping[str, str]) -> list[Mutant]:
    """Those mutants, each with its edit where that is known."""
    return [replace(mutant, edit=edits.get(mutant.name, "")) for mutant in mutants]


def forget_survivors(folder: Path) -> None:
    """Have them tried again: there may be new tests."""
    for meta in folder.rglob("*.meta"):
        document = json.loads(meta.read_text())
        codes = document["exit_code_by_key"]
        document["exit_code_by_key"] = {
            name: None if code in (0, 5, 33) else code for name, code in codes.items()
        }
        write_whole(meta, document)


def drawn(mutants: Iterable[Drawn], sample: int | None) -> list[Drawn]:
    """So many, the same each time; a larger sample begins with the smaller one."""
    everyone = sorted(mutants)
    if sample is None:
        return everyone
    Random(SEED).shuffle(everyone)
    return everyone[:sample]


def write_whole(meta: Path, document: Mapping[str, Any]) -> None:
    """Write a `.meta` file at once: `--tell` reads while a run writes, and a run may be killed."""
    fresh = meta.with_name(meta.name + ".new")
    fresh.write_text(json.dumps(document, indent=4))
    os.replace(fresh, meta)


def changed_lines(diff: str) -> Iterator[str]:
    """The lines that a unified diff takes out and puts in, without their indentation."""
    for line in diff.splitlines():
        if line[:1] in "+-" and not line.startswith(("+++", "---")):
            yield f"{line[0]} {line[1:].strip()}"


def _function_of(name: str) -> str:
    """`services.lock.domain.xǁLockǁextend__mutmut_7` is of `Lock.extend`."""
    mangled = name.rpartition(".")[2].partition("__mutmut_")[0]
    return mangled.removeprefix("xǁ").replace("ǁ", ".").removeprefix("x_")
