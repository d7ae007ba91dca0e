"""The rows of one kind that a source gives, held to the kind's contract as rows of plain files are.

What a source does not say is what may lack there: a status, a price beside what a line costs. Where
rows are order lines, the columns of an order may stand on any of its rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.file_contracts import Field, FileContract, file_contract
from services.runtime.csv_files.csv_records import Problem
from services.runtime.csv_files.header import Header
from services.runtime.csv_files.row_checks import row_checks
from services.runtime.sources.compilation import TOTAL_EXTRA
from services.runtime.sources.compiled import CompiledSource, KindOutput
from services.validator.reading.arrow_checks import SOURCE_LINE, Texts, arrow_checks
from services.validator.reading.arrow_texts import Held, ReadColumn
from services.validator.reading.staged_rows import LINE_AMOUNT

ROW = SOURCE_LINE
"""In checked rows: the number of the row in its block; lines come later."""
PRICE, ADDED_TO_TOTAL = "unit_price_cents", "added_to_total"
_MOST = Decimal("9999999999.99")
_ANY = Held(is_ascii=False, is_printable=False, has_blanks=True, has_spaces=True, has_formulas=True)
_OPTIONAL = {
    "orders": ("user_id", "status", "currency"),
    "order_items": ("line_id", "currency"),
    "products": ("category", "name", "price"),
}


@dataclass(frozen=True)
class KindRows:
    """Checked rows of one kind, each with its number (ROW); and what is wrong with the others."""

    right: Any
    problems: dict[int, list[Problem]]


class KindChecks:
    """Judges rows of one kind of one file; `today` bounds dates."""

    def __init__(self, kind: KindOutput, compiled: CompiledSource, today: date) -> None:
        self.kind, self.contract = kind.kind, _contract(kind, compiled)
        given = [output.column for output in kind.outputs]
        self._columns = [field.name for field in self.contract.fields if field.name in given]
        positions = tuple(
            self._columns.index(field.name) if field.name in given else None
            for field in self.contract.fields
        )
        header = Header(len(self._columns), positions, (), tuple(self._columns))
        checks = arrow_checks(self.contract, header, today)
        self._arrow = replace(checks, readers=tuple(map(_by_distinct, checks.readers)))
        self._judges = dict(
            zip(self.contract.columns, row_checks(self.contract, header, today).judges, strict=True)
        )

    def check(self, rows: Any) -> KindRows:
        """`rows`: one of Shaped.kinds."""
        columns = [_without_nulls(rows[name].combine_chunks()) for name in self._columns]
        texts = Texts(rows.num_rows, len(columns), columns, [], _ANY)
        right, doubts = self._arrow.read(texts, rows["row"].to_numpy())
        problems: dict[int, list[Problem]] = {}
        if doubts is None:
            return KindRows(self._priced(right, problems), problems)
        again: list[list[Any]] = []
        doubtful = [column.take(pa.array(doubts.rows)).to_pylist() for column in columns]
        numbers = rows["row"].take(pa.array(doubts.rows)).to_pylist()
        for number, *cells in zip(numbers, *doubtful, strict=True):
            judged = dict(zip(self._columns, cells, strict=True))
            found = [self._judges[name](cell) for name, cell in judged.items()]
            wrong = [each for each in found if isinstance(each, Problem)]
            if wrong:
                problems[number] = wrong
            else:
                values = dict(zip(self._columns, found, strict=True))
                again.append([*(values.get(name) for name in self.contract.columns), number])
        if again:
            more = [
                pa.array(list(column), field.type)
                for column, field in zip(zip(*again, strict=True), self._arrow.schema, strict=True)
            ]
            table = pa.Table.from_arrays(more, schema=self._arrow.schema)
            right = pa.concat_tables([right, table]).sort_by(ROW)
        return KindRows(self._priced(right, problems), problems)

    def _priced(self, right: Any, problems: dict[int, list[Problem]]) -> Any:
        """The rows without lines that say neither a price nor an amount."""
        if "line_amount" not in self._columns or "unit_price" not in self._columns:
            return right
        costs = pc.or_(pc.is_valid(right[PRICE]), pc.is_valid(right[LINE_AMOUNT]))
        if pc.all(costs, min_count=0).as_py():
            return right
        for row in right[ROW].filter(pc.invert(costs)).to_pylist():
            problems[row] = [
                Problem("unit_price.required", "unit_price is empty", column="unit_price")
            ]
        return right.filter(costs)

    @property
    def schema(self) -> Any:
        """Of checked rows."""
        return self._arrow.schema


def _without_nulls(column: Any) -> Any:
    """Texts that say nothing in place of none."""
    if not pa.types.is_dictionary(column.type):
        return pc.fill_null(column, "")
    texts = pa.concat_arrays([column.dictionary, pa.array([None], pa.string())])
    return pa.DictionaryArray.from_arrays(
        pc.fill_null(column.indices, len(column.dictionary)), pc.fill_null(texts, "")
    )


def _by_distinct(reader: ReadColumn) -> ReadColumn:
    """Reads each distinct text of an encoded column once."""

    def read(texts: Any, held: Held) -> tuple[Any, Any]:
        if not pa.types.is_dictionary(texts.type):
            return reader(texts, held)
        certain, values = reader(texts.dictionary, held)
        certain = None if certain is None else certain.take(texts.indices)
        return certain, values.take(texts.indices)

    return read


def _contract(kind: KindOutput, compiled: CompiledSource) -> FileContract:
    """The kind's contract as far as the source's rows can keep it."""
    of_files = file_contract(kind.kind)
    given = {output.column for output in kind.outputs}
    may_lack = {*_OPTIONAL[kind.kind]} - {"status"} | ({"status"} - given)
    if "line_amount" in given:
        may_lack.add("unit_price")
    mapping = compiled.source.mapping(kind.kind)
    amount = mapping.columns.get("line_amount") if mapping else None
    is_product = amount is not None and amount.key.endswith("unit_price")
    required = {"line_amount"} if "unit_price" not in given else set()
    if compiled.source.rows == "order_lines" and kind.kind == "orders":
        may_lack |= set(of_files.columns) - {"order_id"}
    fields = []
    for field in of_files.fields:
        if field.name == "total_amount" and compiled.total_from_lines:
            continue
        if field.name in may_lack | required:
            field = replace(field, required=field.name in required, optional=True)
        if field.name == "line_amount" and is_product:
            field = replace(field, maximum=None)
        fields.append(field)
    return replace(of_files, fields=(*fields, *_beside(kind)))


def _beside(kind: KindOutput) -> Iterator[Field]:
    """Amounts that plain files do not have; they may be negative."""
    names = {"orders": TOTAL_EXTRA, "order_items": ADDED_TO_TOTAL}
    name = names.get(kind.kind)
    if name in [output.column for output in kind.outputs] and name:
        yield Field(
            name, "number", "", required=False, optional=True, minimum=-_MOST, maximum=_MOST,
            decimal_places=2,
        )  # fmt: skip


def as_rows(numbers: Sequence[int], rows: int) -> Any:
    """True for each of these rows."""
    found = np.zeros(rows, bool)
    found[np.array(numbers, np.int64)] = True
    return found
