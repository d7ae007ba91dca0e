"""What code says of contracts: the messages it makes, the documents it reads and writes."""

import ast
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

CHECK = "check_document"
"""In services/runtime/storage/documents.py: in the closed form what is written, with
`closed=False` what is read."""
_READS = ("model_validate", "model_validate_json")


def made_in(folder: Path, contracts: Collection[str]) -> list[str]:
    """Those of the contracts, in their newest version, whose model a folder's code makes."""
    known = _newest(contracts)
    called = {_name(call.func) for call in _calls(folder, known)}
    return [entry for name, entry in known.items() if name in called]


def documents_of(folder: Path, contracts: Collection[str]) -> tuple[list[str], list[str]]:
    """The documents that a folder's code reads, and those that it writes."""
    known = _newest([entry for entry in contracts if entry.startswith("documents/")])
    read: set[str] = set()
    written: set[str] = set()
    for call in _calls(folder, known):
        match call:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attribute)) if (
                name in known and attribute in _READS
            ):
                read.add(known[name])
            case ast.Call(args=[ast.Constant(value=name), *_]) if (
                _name(call.func) == CHECK and name in known
            ):
                (read if _is_open(call) else written).add(known[name])
    return sorted(read), sorted(written)


def _newest(contracts: Collection[str]) -> dict[str, str]:
    """`BatchResult`: `documents/BatchResult v2`; the models are those of the newest version."""
    ordered = sorted(contracts, key=lambda entry: int(entry.rsplit(" v", 1)[1]))
    return {entry.split("/")[1].split()[0]: entry for entry in ordered}


def _is_open(call: ast.Call) -> bool:
    return any(
        keyword.arg == "closed"
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value is False
        for keyword in call.keywords
    )


def _calls(folder: Path, names: Collection[str]) -> Iterator[ast.Call]:
    """Every call in the files that mention one of the names."""
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text()
        if any(name in text for name in names):
            yield from _calls_in(text)


@cache
def _calls_in(text: str) -> tuple[ast.Call, ...]:
    """Reading a file takes long, and a service's are read for its messages and its documents."""
    return tuple(node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))


def _name(function: ast.expr) -> str | None:
    return getattr(function, "attr", getattr(function, "id", None))
