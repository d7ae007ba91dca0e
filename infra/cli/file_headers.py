"""The header of a local file, and the kind of file that it speaks of."""

import csv
import gzip
import io
from collections.abc import Iterable
from pathlib import Path

from contracts.file_contracts import file_contract
from contracts.layout import KINDS
from infra.cli.errors import WrongUsage

HEADER_BYTES = 64_000


def kind_by_header(columns: Iterable[str]) -> str | None:
    """The one kind whose required columns are all there, None when there is no such kind."""
    named = {column.strip().lower() for column in columns}
    fitting = [kind for kind in KINDS if named.issuperset(file_contract(kind).required_columns)]
    return fitting[0] if len(fitting) == 1 else None


def read_header_names(path: Path) -> list[str]:
    """The names in the first line; raises WrongUsage for a packed file that is none."""
    is_packed = path.name.lower().endswith(".gz")
    try:
        with path.open("rb") as file, gzip.open(file) if is_packed else file as source:
            start = source.read(HEADER_BYTES)
    except (gzip.BadGzipFile, EOFError) as error:
        raise WrongUsage(f"{path}: not a gzip file, though its name says so") from error
    text = start.decode("utf-8-sig", errors="replace")
    return next(csv.reader(io.StringIO(text)), [])
