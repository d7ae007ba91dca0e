"""What becomes of each row of a block: left out by a reason, bad by its problems, or right."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.sources.faults import quoted
from contracts.sources.model import Kind
from services.runtime.csv_files.advice import AGAIN_THE_HEADER
from services.runtime.csv_files.csv_records import Problem
from services.runtime.csv_files.row_checks import CURRENCY, OneCurrency
from services.runtime.sources.compilation import TOTAL_EXTRA
from services.runtime.sources.compiled import CompiledSource
from services.runtime.sources.shaped import Shaped
from services.runtime.sources.shaping import Shaper
from services.validator.reading.arrow_texts import without_formulas
from services.validator.reading.quarantined_rows import QuarantinedRows, without_line_ends
from services.validator.reading.row_messages import RowMessages
from services.validator.sources.cells import Cells
from services.validator.sources.kind_checks import ROW, KindChecks, KindRows, as_rows

OF_NO_KIND = "row.of_no_kind"
ORDER_ID = "order_id"
_FROM_FILE = "which the rows before it are in"


@dataclass(frozen=True)
class JudgedKind:
    """What a block gives of a kind: rows that are right by themselves, with their ROW.

    `quarantined` counts bad rows that give it, or of which nobody knows what they give.
    """

    right: Any
    quarantined: int
    left_out: Counter[str]

    @property
    def rows_in(self) -> int:
        """Rows that give it, or would."""
        return int(self.right.num_rows) + self.quarantined + self.left_out.total()


@dataclass(frozen=True)
class Judged:
    """A block's rows; arrays are by row.

    `rows_in` counts all but those that are no rows by the source's `where`. `is_open` are those
    that are neither left out nor such. `order_ids` is NULL where nobody knows; `left_out` are
    reasons of rows that give nothing (more of them than the file's own: `JudgedKind.left_out`).
    """

    lines: Any
    is_open: Any
    is_bad: Any
    order_ids: Any
    quarantined: QuarantinedRows
    left_out: Counter[str]
    kinds: Mapping[Kind, JudgedKind]
    rows_in: int
    goes_on: bool

    @property
    def accepted(self) -> Any:
        """Rows that are right by themselves: what `Counts` counts as read."""
        return pa.table({ROW: np.flatnonzero(self.is_open & ~self.is_bad)})


class Judge:
    """Judges the blocks of one file in their order; `currency` (ISO 4217) is the only one if given.

    Else it is that of the first right row that says one.
    """

    def __init__(
        self,
        name: str,
        compiled: CompiledSource,
        shaper: Shaper,
        today: date,
        currency: OneCurrency | None,
    ) -> None:
        self._compiled, self._shaper = compiled, shaper
        self._messages = RowMessages(name, compiled.source.label)
        self._checks = {each.kind: KindChecks(each, compiled, today) for each in compiled.kinds}
        self._reads = {
            (kind.kind, output.column): sorted(output.columns)
            for kind in compiled.kinds
            for output in kind.outputs
        }
        kinds = " nor ".join(kind.replace("_", " ") for kind in self._checks)
        self._of_no_kind = Problem(
            OF_NO_KIND,
            f"the row gives no {kinds}, and has no reason to be left out: name one",
        )
        self.currency = currency

    def judge(self, cells: Cells) -> Judged:
        """What becomes of each row."""
        rows = len(cells.table)
        shaped = self._shaper.shape(cells.table)
        is_open = ~as_rows(shaped.left_out["row"].to_numpy(), rows)
        problems = {row: [what] for row, what in cells.problems.items() if is_open[row]}
        no_records = [*problems]
        of_faults = self._faults(cells, shaped, problems)
        checked = self._checked(cells, shaped, problems, of_faults)
        for row in shaped.of_no_kind["row"].to_pylist():
            if row in problems:
                continue
            if len(self._checks) == 1:
                is_open[row] = False
            else:
                problems[row] = [self._of_no_kind]
        self._other_currencies(cells, checked, problems)
        self._again_the_header(cells, problems)
        is_bad = as_rows(list(problems), rows)
        kinds = {
            kind: self._kind(kind, checked[kind].right, shaped, is_bad, no_records)
            for kind in self._checks
        }
        left_out: Counter[str] = Counter(shaped.left_out["reason"].to_pylist())
        bad = sorted(problems)
        return Judged(
            lines=cells.lines,
            is_open=is_open,
            is_bad=is_bad,
            order_ids=self._order_ids(shaped),
            quarantined=self._quarantined(cells, bad, [problems[row] for row in bad]),
            left_out=left_out,
            kinds=kinds,
            rows_in=int(is_open.sum()) + left_out.total(),
            goes_on=cells.goes_on,
        )

    def _faults(
        self, cells: Cells, shaped: Shaped, problems: dict[int, list[Problem]]
    ) -> set[tuple[int, str]]:
        """What expressions made nothing of; the rows and our columns that this is said of."""
        said: set[tuple[int, str]] = set()
        if not shaped.faults.num_rows:
            return said
        is_record = pc.invert(
            pc.is_in(shaped.faults["row"], value_set=pa.array([*problems], pa.int64()))
        )
        faults = shaped.faults.filter(is_record)
        for fault in self._shaper.explain(cells.table, faults):
            column = "total_amount" if fault.column == TOTAL_EXTRA else fault.column
            what = f"{fault.gives} of {fault.values}"
            is_known = (fault.row, what) in said
            said |= {(fault.row, fault.column), (fault.row, what)}
            if is_known:
                continue
            problem = Problem(f"{column}.format", fault.message, column=column)
            problems.setdefault(fault.row, []).append(problem)
        return said

    def _checked(
        self,
        cells: Cells,
        shaped: Shaped,
        problems: dict[int, list[Problem]],
        said: set[tuple[int, str]],
    ) -> dict[Kind, KindRows]:
        checked: dict[Kind, KindRows] = {}
        no_records = pa.array([row for row in cells.problems if row in problems], pa.int64())
        for kind, checks in self._checks.items():
            rows = shaped.kinds[kind]
            if len(no_records):
                rows = rows.filter(pc.invert(pc.is_in(rows["row"], value_set=no_records)))
            checked[kind] = checks.check(rows)
            for row, found in checked[kind].problems.items():
                new = [each for each in found if (row, each.column or "") not in said]
                known = {each.text for each in problems.get(row, ())}
                named = [self._named(cells, kind, row, each) for each in new]
                problems.setdefault(row, []).extend(
                    each for each in named if each.text not in known
                )
        return checked

    def _named(self, cells: Cells, kind: Kind, row: int, problem: Problem) -> Problem:
        """The same, and which of the export's columns it is about."""
        names = self._reads.get((kind, problem.column or ""), [])
        if not names or names == [problem.column]:
            return problem
        read = ", ".join(f"{name} = {quoted(self._cell(cells, row, name))}" for name in names)
        return replace(problem, text=f"{read}: {problem.text}")

    def _cell(self, cells: Cells, row: int, name: str) -> str:
        return cells.table.column(self._compiled.used[name])[row].as_py() or ""

    def _other_currencies(
        self, cells: Cells, checked: dict[Kind, KindRows], problems: dict[int, list[Problem]]
    ) -> None:
        rows = {
            kind: found.right
            for kind, found in checked.items()
            if CURRENCY in found.right.column_names
        }
        if self.currency is None:
            bad = pa.array([*problems], pa.int64())
            firsts = [first for right in rows.values() if (first := _first_currency(right, bad))]
            if firsts:
                self.currency = OneCurrency(min(firsts)[1], _FROM_FILE)
        if self.currency is None:
            return
        for kind, right in rows.items():
            is_other = pc.fill_null(pc.not_equal(right[CURRENCY], self.currency.code), False)
            for row in right.select([ROW, CURRENCY]).filter(is_other).to_pylist():
                problem = self._named(cells, kind, row[ROW], self.currency.other(row[CURRENCY]))
                problems.setdefault(row[ROW], [problem])

    def _again_the_header(self, cells: Cells, problems: dict[int, list[Problem]]) -> None:
        """Rows that repeat the header, as where exports were put together."""
        names = {self._compiled.header[place] for place in self._compiled.used.values()}
        for row, found in problems.items():
            if names and all(self._cell(cells, row, name) == name for name in names):
                problems[row] = [replace(found[0], text=AGAIN_THE_HEADER)]

    def _kind(
        self, kind: Kind, right: Any, shaped: Shaped, is_bad: Any, no_records: Iterable[int]
    ) -> JudgedKind:
        rows = shaped.kinds[kind]["row"].to_numpy()
        gives = np.zeros(len(is_bad), bool)
        gives[rows] = True
        gives[[*no_records]] = True
        gives[shaped.of_no_kind["row"].to_numpy()] = True
        unsure = shaped.faults.filter(
            pc.is_in(shaped.faults["column"], pa.array(["leave_out", "where"]))
        )
        gives[unsure["row"].to_numpy()] = True
        reasons = Counter(shaped.left_out["reason"].to_pylist())
        if kind in shaped.left_out_of:
            table = shaped.left_out_of[kind]
            kept = table.filter(pa.array(~is_bad[table["row"].to_numpy()]))
            reasons.update(kept["reason"].to_pylist())
            gives[table["row"].to_numpy()] = True
        if is_bad.any() and right.num_rows:
            right = right.filter(pa.array(~is_bad[right[ROW].to_numpy()]))
        return JudgedKind(right, int((gives & is_bad).sum()), reasons)

    def _order_ids(self, shaped: Shaped) -> Any:
        """By row: what the row says of its order, whether or not it can be used."""
        found = shaped.order_ids
        return without_formulas(found) if pc.any(pc.starts_with(found, "=")).as_py() else found

    def _quarantined(
        self, cells: Cells, rows: list[int], problems: list[list[Problem]]
    ) -> QuarantinedRows:
        if not rows:
            return QuarantinedRows.none()
        raw = without_line_ends(cells.raw.take(pa.array(rows)))
        return self._messages.of(cells.lines[rows], problems, np.arange(len(rows)), raw)


def _first_currency(rows: Any, bad: Any) -> tuple[int, str] | None:
    """The first row that says one, and is not bad."""
    says = pc.and_(pc.is_valid(rows[CURRENCY]), pc.invert(pc.is_in(rows[ROW], value_set=bad)))
    found = rows.select([ROW, CURRENCY]).filter(says)[:1].to_pylist()
    return (found[0][ROW], found[0][CURRENCY]) if found else None
