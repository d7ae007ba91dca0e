"""Bad rows whose problems are known without reading each: cells that come again are judged once.

Only what `row_checks.py` says of each row by itself is said here; rows that it would look at as a
whole (a header again, a total, an order's next line) are left to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.runtime.csv_files.advice import is_total
from services.runtime.csv_files.csv_records import Problem
from services.runtime.csv_files.row_checks import CURRENCY, RowChecks
from services.runtime.csv_files.texts import FORMULA_START
from services.validator.reading.arrow_checks import Doubts, Texts
from services.validator.reading.quarantined_rows import without_line_ends

Problems = tuple[Problem, ...]


@dataclass(frozen=True)
class ExplainedRows:
    """Bad rows: the n-th is line `places[n]` of a block, `problems[codes[n]]` is wrong with it.

    Its text is `raw[rows[n]]`, with its line end. Places grow.
    """

    places: Any
    codes: Any
    problems: Sequence[Problems]
    raw: Any
    rows: Any

    def texts(self) -> Any:
        """What each row says, without its line end."""
        return without_line_ends(self.raw.take(pa.array(self.rows)))

    def between(self, low: int, high: int) -> "ExplainedRows":
        """Those in the lines from `low` to before `high`."""
        part = slice(*np.searchsorted(self.places, (low, high)))
        return replace(self, places=self.places[part], codes=self.codes[part], rows=self.rows[part])


def explained_rows(
    checks: RowChecks, texts: Texts, doubts: Doubts, raw: Any, places: Any
) -> ExplainedRows:
    """Those of the doubtful rows that are bad for sure; `places` are the lines of all rows."""
    rows = doubts.rows
    problems = _Problems(len(rows))
    other_currency = _Problems(len(rows))
    known = [n for n, position in enumerate(checks.header.positions) if position is not None]
    for number, column, is_right in zip(known, texts.columns, doubts.are_right, strict=True):
        wrong = np.flatnonzero(~is_right) if is_right is not None else ()
        if not len(wrong):
            continue
        cells = pc.dictionary_encode(column.take(rows[wrong]))
        judged = list(map(checks.judges[number], cells.dictionary.to_pylist()))
        codes = cells.indices.to_numpy()
        found = [(each,) if isinstance(each, Problem) else () for each in judged]
        problems.add(wrong, codes, found)
        if checks.names[number] == CURRENCY:
            others = [
                () if isinstance(each, Problem) else checks.in_other_currency(each)
                for each in judged
            ]
            other_currency.add(wrong, codes, others)
    problems.add_where_none(other_currency)
    is_explained = problems.counts() > 0
    is_explained &= ~_to_be_looked_at(checks, texts, rows, problems, known)
    if doubts.are_fitting is not None:
        too_wide = tuple(checks.read([""] * texts.width)[1])
        problems.set(np.flatnonzero(~doubts.are_fitting), too_wide)
        is_explained |= ~doubts.are_fitting
    is_explained &= ~_are_read_otherwise(texts, raw, rows)
    chosen = np.flatnonzero(is_explained)
    codes, rows = problems.codes[chosen], rows[chosen]
    return ExplainedRows(places[rows], codes, problems.distinct, raw, rows)


def explained_narrow_rows(checks: RowChecks, counts: Any, raw: Any, places: Any) -> ExplainedRows:
    """Rows of too few fields, of which `counts` says how many, as far as no quote is in them."""
    rows = np.flatnonzero((counts > 0) & (counts < checks.width))
    rows = rows[~_bools(pc.match_substring(raw.take(rows), '"'))]
    problems = [tuple(checks.read([""] * count)[1]) for count in range(checks.width)]
    return ExplainedRows(places[rows], counts[rows], problems, raw, rows)


class _Problems:
    """What is wrong with each of some rows: `distinct[codes[n]]`."""

    def __init__(self, rows: int) -> None:
        self.codes = np.zeros(rows, np.int64)
        self.distinct: list[Problems] = [()]

    def add(self, rows: Any, codes: Any, found: Sequence[Problems]) -> None:
        """`found[codes[n]]` is wrong as well with row `rows[n]`."""
        combined = self.codes * (len(found) + 1)
        combined[rows] += codes + 1
        distinct, self.codes = np.unique(combined, return_inverse=True)
        before, more = np.divmod(distinct, len(found) + 1)
        self.distinct = [
            self.distinct[one] + (found[other - 1] if other else ())
            for one, other in zip(before.tolist(), more.tolist(), strict=True)
        ]

    def add_where_none(self, others: "_Problems") -> None:
        """What is wrong with rows that have no other problem."""
        rows = np.flatnonzero((self.counts() == 0) & (others.counts() > 0))
        if len(rows):
            self.add(rows, others.codes[rows], others.distinct)

    def set(self, rows: Any, problems: Problems) -> None:
        """Only these are wrong with some rows."""
        self.codes[rows] = len(self.distinct)
        self.distinct.append(problems)

    def counts(self) -> Any:
        """How many problems each row has."""
        return np.array([len(each) for each in self.distinct])[self.codes]


def _to_be_looked_at(
    checks: RowChecks, texts: Texts, rows: Any, problems: _Problems, known: Sequence[int]
) -> Any:
    """True for rows of which more may be said than of their cells (`RowChecks.read`)."""
    at = {checks.header.positions[number]: texts.columns[n] for n, number in enumerate(known)}
    if 0 not in at:
        return np.ones(len(rows), bool)
    first = at[0].take(rows)
    names = pa.array(checks.header.names, pa.string())
    found = ~_bools(pc.string_is_ascii(first))
    found |= _bools(pc.is_in(pc.ascii_lower(first), value_set=names))
    found |= _are_empty(texts, rows, first)
    several = np.flatnonzero((problems.counts() > 1) & ~found)
    if not len(several):
        return found
    if 1 not in at:
        found[several] = True
        return found
    for column in (at[0], at[1]):
        cells = pc.dictionary_encode(column.take(rows[several]))
        are_totals = pa.array(map(is_total, cells.dictionary.to_pylist()), pa.bool_())
        found[several] |= _bools(are_totals.take(cells.indices))
    are_empty = [all(each.rule.endswith(".required") for each in of) for of in problems.distinct]
    found[several] |= np.array(are_empty)[problems.codes[several]]
    return found


def _are_empty(texts: Texts, rows: Any, first: Any) -> Any:
    """True for rows without a value in any column that is known."""
    found = _bools(pc.equal(first, "")).copy()
    for column in texts.columns:
        empty = np.flatnonzero(found)
        found[empty] = _bools(pc.equal(column.take(rows[empty]), ""))
    return found


def _are_read_otherwise(texts: Texts, raw: Any, rows: Any) -> Any:
    """True for rows whose cells were changed before they came here: messages quote the old ones."""
    found = _bools(pc.match_substring(raw.take(rows), FORMULA_START))
    if texts.held.has_spaces:
        found |= ~_bools(pc.string_is_ascii(raw.take(rows)))
    return found


def _bools(array: Any) -> Any:
    return array.to_numpy(zero_copy_only=False)
