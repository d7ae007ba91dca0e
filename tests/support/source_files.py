"""A file read by a source, as a test sees it: accepted rows, quarantined ones, the outcome."""

import gzip
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from contracts.sources.model import Source
from contracts.sources.parser import parse_source
from services.validator.reading.quarantined_rows import QuarantinedRow
from services.validator.reading.source_check import check_by_source
from services.validator.reading.verdict import FileCheck, KindCheck
from services.validator.sources.lookups import lookup_table

TODAY = date(2026, 11, 27)


@dataclass
class Read:
    """`rows` as they are staged, those that do not stand already taken out."""

    check: FileCheck
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    bad: list[QuarantinedRow] = field(default_factory=list)

    def kind(self, name: str) -> KindCheck:
        return next(each for each in self.check.kinds if each.kind == name)

    def said(self) -> list[tuple[int, str]]:
        return sorted((row.line, row.rule) for row in self.bad)

    def message(self, line: int) -> str:
        [found] = [row.message for row in self.bad if row.line == line]
        return found

    def raw(self, line: int) -> str:
        [found] = [row.raw for row in self.bad if row.line == line]
        return found

    def ids(self, kind: str = "orders", column: str = "order_id") -> list[Any]:
        return [row[column] for row in self.rows.get(kind, [])]


def a_source(text: str) -> Source:
    return parse_source(text.encode(), "s.yaml")


def read_by(
    source: Source | str,
    content: str | bytes,
    *,
    lookups: Mapping[str, str | bytes] | None = None,
    name: str = "incoming/s/a.csv",
    **given: Any,
) -> Read:
    source = a_source(source) if isinstance(source, str) else source
    encoding = "utf-8" if source.file.encoding == "utf-8-sig" else source.file.encoding
    data = content.encode(encoding) if isinstance(content, str) else content
    data = gzip.compress(data) if name.endswith(".gz") else data
    tables = {
        each: lookup_table(
            io.BytesIO(text.encode(encoding) if isinstance(text, str) else text), source, each
        )
        for each, text in (lookups or {}).items()
    }
    accepted: dict[str, list[dict[str, Any]]] = {}
    bad: list[QuarantinedRow] = []
    settings: dict[str, Any] = {"today": TODAY, "max_rejected_fraction": 1.0} | given
    check = check_by_source(
        lambda: io.BytesIO(data),
        source,
        name=name,
        on_accepted=lambda kind, rows: accepted.setdefault(kind, []).extend(rows.to_pylist()),
        on_quarantined=bad.extend,
        lookups=tables,
        **settings,
    )
    rows: dict[str, list[dict[str, Any]]] = {}
    for each in check.kinds:
        found = accepted.get(each.kind, [])
        assert len(found) == each.read
        if each.removed:
            stand = each.removed.stand(0, len(found))
            found = [row for row, stands in zip(found, stand, strict=True) if stands]
        rows[each.kind] = sorted(found, key=lambda row: row["source_line"])
    read = Read(check, rows, bad)
    _add_up(read)
    if not source.explode:
        assert len(read.bad) == len({row.line for row in read.bad})
    return read


def _add_up(read: Read) -> None:
    """Every row is somewhere, of the file and of each kind, and counted as it was handed on."""
    check = read.check
    if check.is_rejected:
        return
    assert check.rows_in == (
        check.accepted + check.quarantined + check.duplicates + sum(check.left_out.values())
    )
    assert check.quarantined == check.bad == len(read.bad)
    for kind in check.kinds:
        assert len(read.rows[kind.kind]) == kind.accepted, kind
        of_kind = kind.accepted + kind.quarantined + kind.duplicates + sum(kind.left_out.values())
        assert kind.rows_in == of_kind, kind
