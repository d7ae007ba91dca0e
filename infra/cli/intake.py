"""Which files a submission consists of and what each of them is; uploading is in `upload.py`."""

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.file_contracts import file_contract
from contracts.layout import CSV_SUFFIXES, KINDS, is_csv
from infra.cli.errors import WrongUsage

MAX_FILES = 1000
"""Files in one batch (DESIGN 3, Aggregation)."""
HEADER_BYTES = 64_000


@dataclass(frozen=True)
class InputFile:
    """One file to upload: where it is, what it holds and the key it gets."""

    path: Path
    kind: str
    key: str


def gather(paths: Sequence[Path]) -> list[InputFile]:
    """The CSV files of one directory, or the files that were named.

    Raises WrongUsage for a path that is not there, a directory without CSVs, a file whose kind
    cannot be told, two files for one key, and more files than a batch takes.
    """
    found: list[InputFile] = []
    for path in paths:
        if path.is_dir():
            found += in_directory(path)
        elif path.is_file():
            found.append(single(path))
        else:
            raise WrongUsage(f"{path}: there is no such file or directory")
    return _distinct(found)


def in_directory(directory: Path) -> list[InputFile]:
    """`orders/**`, `order_items/**` and `products/**` below it, and a bare `products.csv`."""
    if directory.resolve().name in KINDS:
        found = [single(path) for path in _csvs(directory.iterdir())]
    else:
        found = [
            InputFile(path, kind, f"{kind}/{path.relative_to(directory / kind).as_posix()}")
            for kind in KINDS
            for path in _csvs((directory / kind).rglob("*"))
        ]
        found += [
            InputFile(path, kind, f"{kind}/{path.name}")
            for kind in KINDS
            for path in (directory / f"{kind}{suffix}" for suffix in CSV_SUFFIXES)
            if path.is_file()
        ]
    if not found:
        raise WrongUsage(
            f"{directory}: no CSV files; put them into orders/, order_items/ and products/ "
            "below it (.csv or .csv.gz)"
        )
    return found


def single(path: Path) -> InputFile:
    """One file, its kind told by the name of its folder, else by its header.

    Raises WrongUsage when neither says what it is.
    """
    if not is_csv(path.name):
        raise WrongUsage(f"{path}: not a CSV file by its name (.csv or .csv.gz)")
    folder = path.resolve().parent.name
    kind = folder if folder in KINDS else kind_by_header(_header(path))
    if kind is None:
        raise WrongUsage(
            f"{path}: cannot tell whether it holds {', '.join(KINDS[:-1])} or {KINDS[-1]}; "
            "put it into a folder of that name, or correct its header"
        )
    return InputFile(path, kind, f"{kind}/{path.name}")


def kind_by_header(columns: Iterable[str]) -> str | None:
    """The one kind whose contract's columns are all there, None when there is no such kind."""
    named = {column.strip().lower() for column in columns}
    fitting = [kind for kind in KINDS if named.issuperset(file_contract(kind).columns)]
    return fitting[0] if len(fitting) == 1 else None


def _csvs(paths: Iterable[Path]) -> list[Path]:
    return sorted(path for path in paths if path.is_file() and is_csv(path.name))


def _header(path: Path) -> list[str]:
    is_packed = path.name.lower().endswith(".gz")
    try:
        with path.open("rb") as file, gzip.open(file) if is_packed else file as source:
            start = source.read(HEADER_BYTES)
    except (gzip.BadGzipFile, EOFError) as error:
        raise WrongUsage(f"{path}: not a gzip file, though its name says so") from error
    text = start.decode("utf-8-sig", errors="replace")
    return next(csv.reader(io.StringIO(text)), [])


def _distinct(found: Sequence[InputFile]) -> list[InputFile]:
    """Each file once, however often it was named."""
    by_key: dict[str, InputFile] = {}
    for file in found:
        other = by_key.setdefault(file.key, file).path
        if other.resolve() != file.path.resolve():
            raise WrongUsage(f"{other} and {file.path} would both be uploaded as {file.key}")
    if len(by_key) > MAX_FILES:
        raise WrongUsage(f"{len(by_key)} files; one batch takes {MAX_FILES}: submit them in parts")
    return list(by_key.values())
