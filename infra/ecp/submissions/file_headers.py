"""The header of a local file, read as the pipeline will read it, and the kind that it speaks of."""

from collections.abc import Iterable
from pathlib import Path

from contracts.file_contracts import file_contract
from contracts.layout import KINDS
from infra.ecp.terminal.errors import WrongUsage
from services.runtime.csv_files.bad_file import BadFile
from services.runtime.csv_files.header import Header


def kind_by_names(columns: Iterable[str]) -> str | None:
    """The one kind whose required columns are all there, None when there is no such kind."""
    named = {column.strip().lower() for column in columns}
    fitting = [kind for kind in KINDS if named.issuperset(file_contract(kind).required_columns)]
    return fitting[0] if len(fitting) == 1 else None


def kind_by_header(path: Path) -> str | None:
    """The one kind that would take the file's header, None when there is no such kind.

    Raises WrongUsage for a file that has no header at all: it is empty, packed otherwise, no text.
    """
    fitting, faults = [], []
    for kind in KINDS:
        try:
            read_file_header(path, kind)
        except BadFile as bad:
            faults.append(bad)
        else:
            fitting.append(kind)
    if len(fitting) == 1:
        return fitting[0]
    if not fitting and all(bad.rule != "file.header" for bad in faults):
        raise WrongUsage(f"{path}: {faults[0].reason}")
    return None


def read_file_header(path: Path, kind: str) -> Header:
    """The header of a file of this kind; raises BadFile when it has none that is right."""
    from services.validator.reading.file_check import header_of

    with path.open("rb", buffering=0) as content:
        return header_of(content, file_contract(kind), path.name)
