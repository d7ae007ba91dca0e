"""How a source is compiled: every expression judged, bound to columns and written as SQL."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from contracts.sources.faults import InvalidSource, SourceFault
from contracts.sources.model import Expression, Mapping, Source
from services.runtime.sources.compiled import (
    ColumnFault,
    CompiledSource,
    Form,
    InvalidHeader,
    KindOutput,
    Output,
)
from services.runtime.sources.expressions import Compiler
from services.runtime.sources.scope import Columns, DoubledColumn, Scope, UnknownColumn, compared
from services.runtime.sources.syntax import BadExpression, Tree, parse
from services.runtime.sources.totals import split_total
from services.runtime.sources.values import NUMBER, Value, number_text

TOTAL_EXTRA = "total_extra"
NUMBERS = frozenset(
    {
        "total_amount",
        TOTAL_EXTRA,
        "quantity",
        "unit_price",
        "line_amount",
        "added_to_total",
        "price",
    }
)
"""Columns of numbers: a text there is read by `amount`."""
CENTS = frozenset({TOTAL_EXTRA, "line_amount", "added_to_total"})
"""Rounded half up to cents, row by row, before anything is added; so is a unit_price beside the
line_amount that counts."""


def check_source(source: Source) -> None:
    """Judge every expression without a header; raises InvalidSource with all that are refused."""
    _Compilation(source, None).compiled()


def compile_source(source: Source, header: Sequence[str]) -> CompiledSource:
    """A source bound to the columns of a file.

    Raises InvalidSource when an expression is refused, InvalidHeader when a column that is needed
    lacks or stands twice.
    """
    return _Compilation(source, tuple(map(compared, header))).compiled()


class _Compilation:
    """Goes through a source once and gathers what is wrong."""

    def __init__(self, source: Source, header: tuple[str, ...] | None) -> None:
        self._source = source
        self._header = header
        self._scope = Scope(Columns(header), source.lookups)
        self._faults: list[SourceFault] = []
        self._columns: dict[str, ColumnFault] = {}
        self._total_from_lines = False
        self._needs: set[str] = set()

    def compiled(self) -> CompiledSource:
        source = self._source
        carried = self._carried()
        self._explode()
        leave_out = self._reasons(source.leave_out)
        kinds = [self._kind(mapping) for mapping in source.mappings]
        for lookup in source.lookups.values():
            asked = any(call.lookup == lookup.name for call in self._scope.calls)
            if not asked and not self._columns:  # else a column may lack that would ask it
                why = "nothing asks this lookup; take it out, or ask lookup() or in_lookup()"
                self._faults.append(SourceFault(lookup.line, f"lookups.{lookup.name}", why))
        if self._faults:
            raise InvalidSource(source.name_of_document, self._faults)
        if self._columns:
            raise InvalidHeader(source, [*self._columns.values()], self._header or ())
        header, used = self._header or (), self._scope.used
        users = [
            output.columns
            for kind in kinds
            for output in kind.outputs
            if output.column == "user_id"
        ]
        return CompiledSource(
            source=source,
            header=header,
            used=dict(used),
            unknown_columns=tuple(name for name in header if name and name not in used),
            absent_columns=tuple(self._scope.absent),
            user_columns=tuple(sorted(frozenset().union(*users))),
            total_from_lines=self._total_from_lines,
            calls=tuple(self._scope.calls),
            leave_out=leave_out,
            kinds=tuple(kinds),
            carried=carried,
            needs_row_text="row_text" in self._needs,
            needs_position="row_number" in self._needs,
        )

    def _reasons(self, leave_out: dict[str, Expression]) -> dict[str, Value]:
        return {
            reason: value
            for reason, expression in leave_out.items()
            if (value := self._value(expression, ("row_text",), self._condition))
        }

    def _carried(self) -> tuple[str, tuple[int, ...]] | None:
        carried = self._source.carried_down
        if carried is None:
            return None
        group = self._value(carried.within, (), self._text, calls=False)
        places = []
        for column in carried.columns:
            expression = Expression(column, carried.line, "carried_down.columns")
            if self._guarded(expression, partial(self._scope.column, column)):
                places.append(self._scope.used[self._title(column)])
        return (group.sql, tuple(places)) if group else None

    def _explode(self) -> None:
        """Columns that rows are taken apart by are needed, too."""
        if explode := self._source.explode:
            for column in (*explode.columns, *explode.numbered):
                expression = Expression(column, explode.line, "explode")
                self._guarded(expression, partial(self._scope.column, column))

    def _title(self, column: str) -> str:
        place = Columns(self._header).find(column)
        return column if place is None or not self._header else self._header[place]

    def _kind(self, mapping: Mapping) -> KindOutput:
        where = mapping.where and self._value(mapping.where, ("row_text",), self._condition)
        outputs: list[Output] = []
        values: dict[str, str] = {}
        for column, expression in mapping.columns.items():
            if column == "total_amount":
                outputs += self._total(expression)
                continue
            is_line = mapping.kind == "order_items" and column != "order_id"
            words = ("row_number",) if is_line else ()
            value = self._value(expression, words, partial(self._fitted, column))
            if value:
                outputs.append(_output(column, value))
                values[column] = value.sql
        leave_out = self._reasons(mapping.leave_out)
        if {"unit_price", "line_amount"} <= values.keys():
            amount, price = values["line_amount"], values["unit_price"]
            cents = number_text(f"TRY_CAST({price} AS DECIMAL(38,2))")
            rounded = f"CASE WHEN ({amount}) IS NULL THEN {number_text(price)} ELSE {cents} END"
            outputs = [
                replace(output, sql=rounded, form="text")
                if output.column == "unit_price"
                else output
                for output in outputs
            ]
        order_id = values.get("order_id")
        return KindOutput(mapping.kind, tuple(outputs), where or None, leave_out, order_id)

    def _total(self, expression: Expression) -> list[Output]:
        """The order's total, or what is added to the sum of its lines."""
        found: list[Output] = []

        def compile_total() -> Value:
            from_lines, rest = split_total(parse(expression.text))
            column = TOTAL_EXTRA if from_lines else "total_amount"
            self._total_from_lines |= from_lines
            zero = Value(f"CAST('0' AS {NUMBER})", "number")
            value = self._compiler(()).compile(rest) if rest else zero
            found.append(_output(column, self._fitted(column, value)))
            return value

        self._guarded(expression, compile_total)
        return found

    def _value(
        self,
        expression: Expression,
        words: Sequence[str],
        fit: Callable[[Value], Value],
        *,
        calls: bool = True,
    ) -> Value | None:
        return self._guarded(
            expression,
            lambda: fit(self._compiler(words, calls=calls).compile(self._tree(expression))),
        )

    def _tree(self, expression: Expression) -> Tree:
        tree = parse(expression.text)
        text = expression.text.lower()
        self._needs |= {word for word in ("row_text", "row_number") if word in text}
        return tree

    def _compiler(self, words: Sequence[str], *, calls: bool = True) -> Compiler:
        return Compiler(self._scope, self._source.file, words, calls=calls)

    def _guarded(self, expression: Expression, make: Callable[[], Value]) -> Value | None:
        try:
            return make()
        except (UnknownColumn, DoubledColumn) as error:
            place = f"{expression.key}, line {expression.line} of {self._source.name_of_document}"
            self._columns.setdefault(
                error.name,
                ColumnFault(
                    error.name, expression.key, expression.line, f"{error} ({place})",
                    isinstance(error, DoubledColumn),
                ),
            )  # fmt: skip
        except BadExpression as error:
            self._faults.append(SourceFault(expression.line, expression.key, str(error)))
        return None

    def _condition(self, value: Value) -> Value:
        if value.type not in ("boolean", "nothing"):
            raise BadExpression(f"this is a condition, and a {value.type} is none; write a = 'b'")
        return value

    def _text(self, value: Value) -> Value:
        if value.type == "boolean":
            raise BadExpression("a condition is no value; write case when … then … else … end")
        return value

    def _fitted(self, column: str, value: Value) -> Value:
        """The value as the column has it: a text, or a number where it is one."""
        self._text(value)
        if column in NUMBERS and value.type == "text":
            return self._compiler(()).amount(value)
        return value


_CELL = re.compile(r"c[0-9]+")
"""A cell as it stands, which is trimmed already."""


def _output(column: str, value: Value) -> Output:
    sql = value.sql
    form: Form = "text"
    if column in CENTS or value.type == "number":
        sql = f"CAST({sql} AS {NUMBER})"
        form = "cents" if column in CENTS else "number"
    elif _CELL.fullmatch(sql):
        form = "cell"
    else:
        sql = f"nullif(trim(CAST({sql} AS VARCHAR)), '')"
    return Output(column, sql, value.failure, value.columns, form)
