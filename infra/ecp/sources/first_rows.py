"""What the beginning of a file gives by a source: how many rows would pass, and the first ones."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from contracts.clock import system_clock
from contracts.sources.model import Kind, Source
from infra.ecp.sources.measuring import Head

SHOWN = 10
_CENTS = "_cents"
_NOT_SHOWN = ("source_line", "total_from_lines", "total_extra", "added_to_total")
FROM_LINES = "its lines"


@dataclass(frozen=True)
class FirstRows:
    """Counts of the rows that were read; `reason`: why the file would be refused whole.

    `rows` are the first right ones of each kind as the pipeline would keep them, amounts as
    decimals; `first_fault` is what is wrong with the first bad one.
    """

    rows_in: int
    accepted: int
    quarantined: int
    left_out: Mapping[str, int]
    reason: str | None
    first_fault: str | None
    rows: Mapping[Kind, list[dict[str, Any]]]


def first_rows(source: Source, head: Head) -> FirstRows:
    """Read the beginning of a file by a source, with the pipeline's own checks.

    Lookups are not there: what a source looks up is nothing.
    """
    import pyarrow as pa

    from services.validator.reading.source_check import check_by_source
    from services.validator.sources.fallen_rows import INCOMPLETE
    from services.validator.sources.lookups import no_values

    content = head.content if head.is_all else head.content[: head.content.rfind(b"\n") + 1]
    tables: dict[Kind, list[Any]] = {}
    faults: list[Any] = []
    check = check_by_source(
        lambda: io.BytesIO(content),
        source,
        name=head.path.name,
        today=system_clock().date(),
        max_rejected_fraction=1.0,
        on_accepted=lambda kind, rows: tables.setdefault(kind, []).append(rows),
        on_quarantined=lambda rows: faults.extend(rows[:SHOWN]),
        lookups={name: no_values(one) for name, one in source.lookups.items()},
    )
    shown: dict[Kind, list[dict[str, Any]]] = {}
    for each in check.kinds if not check.is_rejected else ():
        if not (found := tables.get(each.kind)):
            continue
        table = pa.concat_tables(found)
        if each.removed:
            table = table.filter(pa.array(each.removed.stand(0, table.num_rows)))
        first = table.sort_by("source_line").slice(0, SHOWN)
        shown[each.kind] = [_canonical(row) for row in first.to_pylist()]
    return FirstRows(
        check.rows_in,
        check.accepted,
        check.quarantined,
        dict(check.left_out),
        check.reason,
        min(faults, key=lambda row: (row.rule == INCOMPLETE, row.line)).message if faults else None,
        shown,
    )


def _canonical(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with amounts as they are written; an order's total may be what its lines come to."""
    said = {
        name.removesuffix(_CENTS): _amount(value) if name.endswith(_CENTS) else value
        for name, value in row.items()
    }
    if said.get("total_from_lines"):
        extra = said["total_extra"]
        said["total_amount"] = f"{FROM_LINES} + {extra}" if extra else FROM_LINES
    return {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in said.items()
        if name not in _NOT_SHOWN
    }


def _amount(cents: int | None) -> Decimal | None:
    return None if cents is None else Decimal(cents).scaleb(-2)
