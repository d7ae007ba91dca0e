"""Files read by a source, as the pipeline would read them, without a cloud: counts, rows, KPIs.

Everything is judged by the validator (check_by_source) and summed by the transformer's SQL.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from contracts.clock import system_clock
from contracts.errors import DataRejected
from contracts.sources.model import Kind, Source
from infra.ecp.sources.kpis_of_files import FilesKpis, kpis_of
from infra.ecp.terminal.errors import WrongUsage
from services.runtime.csv_files.bad_file import BadFile
from services.transformer.engines.port import StagedFile
from services.validator.reading.line_blocks import BLOCK_BYTES
from services.validator.reading.quarantined_rows import QuarantinedRows
from services.validator.reading.source_check import check_by_source
from services.validator.reading.verdict import FileCheck
from services.validator.sources.file_reading import OpenStream, SourceFile
from services.validator.sources.lookups import lookup_table
from services.validator.staged_kinds import StagedKinds

EXAMPLES = 3
BAD_ROWS_KEPT = 1000
Row = dict[str, Any]


@dataclass
class TriedFile:
    """What a file came to. `left_out`: by reason the lines of its first rows, with their texts."""

    path: Path
    check: FileCheck
    bad_rows: list[Row] = field(default_factory=list)
    left_out: dict[str, list[tuple[int, str]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """All files, and the KPIs of what is accepted of them; None where nothing is."""

    files: list[TriedFile]
    kpis: FilesKpis | None


def tried(
    source: Source,
    paths: Sequence[Path],
    lookups: Mapping[str, Path],
    *,
    max_rejected_fraction: float,
    currency: str | None,
) -> Trial:
    """Read every file by the source; raises WrongUsage when a lookup lacks, or cannot be read."""
    tables = lookup_tables(source, lookups)
    files: list[TriedFile] = []
    staged: list[StagedFile] = []
    with TemporaryDirectory(prefix="ecp-sources-") as folder:
        for index, path in enumerate(paths):
            home = Path(folder) / str(index)
            home.mkdir()
            one, accepted = _tried(source, path, tables, home, max_rejected_fraction, currency)
            files.append(one)
            staged += [
                StagedFile(kind, index, str(path), rows, whole_orders=one.check.whole_orders)
                for kind, rows in accepted.items()
            ]
        return Trial(files, kpis_of(staged) if staged else None)


def lookup_tables(source: Source, lookups: Mapping[str, Path]) -> dict[str, pa.Table]:
    """The lookups of a source; raises WrongUsage when one lacks, or cannot be read."""
    if lacking := [name for name in source.lookups if name not in lookups]:
        raise WrongUsage(
            f"{source.name} looks values up in {lacking[0]}: say --lookup {lacking[0]}=FILE"
        )
    return {name: _lookup(source, path) for name, path in lookups.items()}


def _tried(
    source: Source,
    path: Path,
    lookups: Mapping[str, pa.Table],
    folder: Path,
    max_rejected_fraction: float,
    currency: str | None,
) -> tuple[TriedFile, dict[Kind, Path]]:
    """A file, and by kind its accepted rows as the worker would stage them."""
    open_stream = _opener(path)
    bad: list[Row] = []

    def keep(found: QuarantinedRows) -> None:
        bad.extend(row._asdict() for row in found[: max(0, BAD_ROWS_KEPT - len(bad))])

    with StagedKinds(folder, source.kinds, None, by_source=True) as staged:
        check = check_by_source(
            open_stream,
            source,
            name=path.name,
            today=system_clock().date(),
            max_rejected_fraction=max_rejected_fraction,
            on_accepted=staged.write,
            on_quarantined=keep,
            currency=currency,
            lookups=lookups,
        )
        staged.finish(check)
    accepted = {kind: rows for kind, rows in staged.paths(check).items() if rows}
    one = TriedFile(path, check, sorted(bad, key=lambda row: row["line"]))
    if check.left_out or any(kind.left_out for kind in check.kinds):
        one.left_out = _left_out(source, path, lookups)
    return one, accepted


def _left_out(
    source: Source, path: Path, lookups: Mapping[str, pa.Table]
) -> dict[str, list[tuple[int, str]]]:
    """The first rows of each reason, the file read once more up to there."""
    found: dict[str, list[tuple[int, str]]] = {
        reason: []
        for reasons in (source.leave_out, *(each.leave_out for each in source.mappings))
        for reason in reasons
    }
    for reason, line, text in _reasons(source, path, lookups):
        if len(found[reason]) < EXAMPLES:
            found[reason].append((line, text))
        elif all(len(rows) == EXAMPLES for rows in found.values()):
            break
    return {reason: rows for reason, rows in found.items() if rows}


def _reasons(
    source: Source, path: Path, lookups: Mapping[str, pa.Table]
) -> Iterator[tuple[str, int, str]]:
    open_stream = _opener(path)
    file = SourceFile(open_stream, source, path.name, system_clock().date(), lookups, BLOCK_BYTES)
    with open_stream() as stream:
        for cells, shaped in file.shaped(file.opened(stream)):
            for table in (shaped.left_out, *shaped.left_out_of.values()):
                for row in table.to_pylist():
                    yield row["reason"], row["line"], cells.raw[row["row"]].as_py()


def _opener(path: Path) -> OpenStream:
    return lambda: path.open("rb", buffering=0)


def _lookup(source: Source, path: Path) -> pa.Table:
    try:
        with path.open("rb", buffering=0) as stream:
            return lookup_table(stream, source, path.name)
    except (BadFile, DataRejected) as bad:
        raise WrongUsage(f"{path}: {bad}") from bad
