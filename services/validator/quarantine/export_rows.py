"""Quarantined rows of a source's file as a file in the format that they came in."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.runtime.quarantine.replays import row_id
from services.validator.quarantine.rows import EXPORT, Row


@dataclass(frozen=True)
class ExportFormat:
    """What the footer of quarantined rows says of the file that they stood in."""

    source: str
    names: tuple[str, ...]
    delimiter: str
    quoting: str
    encoding: str
    skip_lines: int

    @classmethod
    def of(cls, row: Row) -> "ExportFormat | None":
        """None for a row of a plain file."""
        said: Mapping[str, Any] | None = row.get(EXPORT)
        if said is None:
            return None
        return cls(
            source=said["source"].partition(" ")[0],
            names=tuple(json.loads(said["columns"])),
            delimiter=said["delimiter"],
            quoting=said["quoting"],
            encoding=said["encoding"],
            skip_lines=int(said["skip_lines"]),
        )


def label_of(row: Row) -> str:
    """The source and version that read a row: `my-shop v2`."""
    label: str = row[EXPORT]["source"]
    return label


def records(rows: Sequence[Row]) -> list[Row]:
    """Rows of the file, each once, however many of its order lines are in quarantine."""
    return list({row_id(row): row for row in reversed(rows)}.values())[::-1]


def as_export(form: ExportFormat, rows: Sequence[Row]) -> bytes:
    """The header and the rows as they stand in quarantine; of one order all that the file had."""
    header = form.delimiter.join(_cell(name, form) for name in form.names)
    lines = [*[""] * form.skip_lines, header, *(row["raw"] or "" for row in rows)]
    return "".join(f"{line}\n" for line in lines).encode(form.encoding)


def starts_of(form: ExportFormat, rows: Sequence[Row]) -> list[int]:
    """The physical line where each row of `as_export` starts."""
    starts, line = [], form.skip_lines + 2 + sum(_line_breaks(name) for name in form.names)
    for row in rows:
        starts.append(line)
        line += 1 + _line_breaks(row["raw"] or "")
    return starts


def _line_breaks(text: str) -> int:
    return text.replace("\r\n", "\n").replace("\r", "\n").count("\n")


def _cell(name: str, form: ExportFormat) -> str:
    if form.quoting == "none" or not any(each in name for each in (form.delimiter, '"')):
        return name
    if form.quoting == "doubled":
        return '"' + name.replace('"', '""') + '"'
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
