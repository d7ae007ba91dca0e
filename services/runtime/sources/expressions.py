"""A parsed expression as a `Value`: SQL written anew from the tree, or refused with what to write.

Whatever the tree holds that is not named here is refused: queries, windows, aggregates, lambdas,
lists, parameters, casts, and every function that is not in `functions.py`.
"""

import re
from collections.abc import Callable, Sequence

from contracts.sources.faults import did_you_mean, quoted
from contracts.sources.model import FileFormat
from services.runtime.sources.conditions import Conditions
from services.runtime.sources.functions import FUNCTIONS, INSTEAD, checked_argument
from services.runtime.sources.macros import text_sql
from services.runtime.sources.scope import Scope
from services.runtime.sources.syntax import BadExpression, Tree
from services.runtime.sources.terms import type_of
from services.runtime.sources.values import (
    NARROW,
    NUMBER,
    Size,
    Value,
    name_in_sql,
    text_literal,
)

MACROS = ("amount", "day", "text", "lookup", "in_lookup", "optional")
WORDS = ("row_number", "row_text", "sum_of_lines")
MAX_SQL = 100_000
MAX_DEPTH = 100
_CALL = re.compile(r"m[0-9]+")
_NUMERAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,10})?")
_REFUSED = {
    "SUBQUERY": "queries are refused; a file beside this one is asked by lookup('name', key)",
    "WINDOW": "windows over other rows are refused; row_number and carried_down look at other rows",
    "LAMBDA": "lambdas are refused",
    "STAR": "* is refused; name the column",
    "PARAMETER": "parameters are refused; write the value",
    "COLLATE": "collations are refused; compare lower(a) with lower(b)",
    "POSITIONAL_REFERENCE": "columns are bound by name, never by position; name the column",
}
_CONSTANTS = {"STRING", "INTEGER", "NUMERIC", "BOOLEAN", "NULL_LITERAL"}


class Compiler(Conditions):
    """Compiles the expressions of one source; `words` says which of WORDS this one may use."""

    def __init__(
        self, scope: Scope, file: FileFormat, words: Sequence[str] = (), *, calls: bool = True
    ) -> None:
        super().__init__(scope, file)
        self._depth = 0
        self._words = words
        self._calls = calls

    def compile(self, tree: Tree) -> Value:
        """The value of a tree; raises BadExpression."""
        value = self.settled(self.value(tree))
        if len(value.sql) + len(value.failure or "") > MAX_SQL:
            raise BadExpression("this is too large; write it shorter")
        return value

    def value(self, tree: Tree) -> Value:
        kind = tree["class"]
        makers: dict[str, Callable[[Tree], Value]] = {
            "COLUMN_REF": self._column,
            "CONSTANT": self._constant,
            "CASE": self.case,
            "COMPARISON": self.comparison,
            "BETWEEN": self.between,
            "CONJUNCTION": self.conjunction,
            "OPERATOR": self.operator,
            "CAST": self._cast,
            "FUNCTION": self._function,
        }
        if kind not in makers:
            raise BadExpression(_REFUSED.get(kind, f"{kind.lower()} is refused"))
        if self._depth > MAX_DEPTH:
            raise BadExpression("this is nested too deep; write it shorter")
        self._depth += 1
        value = makers[kind](tree)
        self._depth -= 1
        if value.size.is_too_large:
            raise BadExpression("texts could grow without end here; replace or join less")
        if len(value.sql) > MAX_SQL:
            raise BadExpression("this is too large; write it shorter")
        return value

    def _column(self, tree: Tree) -> Value:
        names = tree["column_names"]
        if len(names) > 1:
            raise BadExpression(
                f"a name with a dot is written in quotes: {name_in_sql('.'.join(names))}"
            )
        [name] = names
        if name.lower() not in WORDS:
            return self._scope.column(name)
        word = name.lower()
        if word not in self._words:
            raise BadExpression(_WHERE[word])
        if word == "row_number":
            return Value("CAST(position AS VARCHAR)", "text", size=Size(0, 20))
        return Value("row_text", "text", frozenset(), Size(1))

    def _constant(self, tree: Tree) -> Value:
        literal = tree.get("literal", {})
        kind, text = literal.get("kind"), literal.get("text", "")
        if kind not in _CONSTANTS:
            raise BadExpression("only texts in quotes, numbers, true, false and null are constants")
        if kind == "NULL_LITERAL":
            return Value("NULL", "nothing")
        if kind == "STRING":
            return Value(text_literal(text), "text", size=Size(0, len(text)), literal=text)
        if kind == "BOOLEAN":
            return Value("true" if text.lower() == "true" else "false", "boolean")
        if not _NUMERAL.fullmatch(text):
            raise BadExpression(
                f"{text[:40]} is written without exponent, with at most 18 digits and 10 decimals"
            )
        return Value(f"CAST('{text}' AS {NUMBER})", "number", literal=text)

    def _cast(self, tree: Tree) -> Value:
        wanted = str(tree["type_expr"].get("type_name", "")).upper()
        if wanted in ("VARCHAR", "TEXT", "STRING"):
            return self.as_text(self.settled(self.value(tree["child"])))
        if wanted == "BOOLEAN":
            child = self.value(tree["child"])
            if child.type in ("boolean", "nothing"):
                return child
        instead = "day(text, format)" if wanted.startswith(("DATE", "TIME")) else "amount(text)"
        raise BadExpression(f"casts to {wanted.lower()[:40]} are refused; write {instead}")

    def _function(self, tree: Tree) -> Value:
        name = tree["function_name"].lower()
        if (
            len(tree["qualified_name"]["path"]) > 1
            or tree.get("filter")
            or tree.get("distinct")
            or (tree.get("order_bys") or {}).get("orders")
            or any(argument["name"] for argument in tree["arguments"])
        ):
            raise BadExpression(f"{quoted(name)} is called plainly, as in upper(a)")
        trees = [argument["expression"] for argument in tree["arguments"]]
        if name in MACROS:
            return self._macro(name, trees)
        if name in ("+", "-", "*", "/", "%"):
            return self._arithmetic(name, [self.value(each) for each in trees])
        if name in ("nullif", "if", "greatest", "least"):
            return self._choice(name, trees)
        if name not in FUNCTIONS:
            raise BadExpression(_unknown_function(name))
        return self._listed(name, [self.value(each) for each in trees])

    def _listed(self, name: str, values: list[Value]) -> Value:
        function = FUNCTIONS[name]
        if not function.required <= len(values) <= len(function.takes):
            raise BadExpression(f"{name} takes {_count(function.required, len(function.takes))}")
        arguments = [
            checked_argument(name, takes, value)
            for takes, value in zip(function.takes, values, strict=False)
        ]
        is_arithmetic = function.takes[0] == "number"
        if not is_arithmetic:
            values = [self.settled(value) for value in values]
        sql = ", ".join(argument.sql for argument in arguments)
        sql = function.written(arguments) if function.written else f"{name}({sql})"
        size = function.size(arguments) if function.size else Size()
        joined = self.joined(sql, function.gives, values, size=size)
        return self._with_operands(joined, arguments) if is_arithmetic else joined

    def _arithmetic(self, sign: str, values: list[Value]) -> Value:
        """Numbers, exact to ten decimals, a quotient to six; an overflow is a failure."""
        parts = [self.number(sign, value) for value in values]
        if len(parts) == 1:
            sql = parts[0].sql if sign == "+" else f"(-{parts[0].sql})"
        elif sign == "/":
            sql = f"TRY(CAST(CAST({parts[0].sql} / {parts[1].sql} AS DECIMAL(38,6)) AS {NUMBER}))"
        else:
            sides = [part.sql for part in parts]
            if sign == "*" and all(_CALL.fullmatch(side) for side in sides):
                sides = [side.replace("m", NARROW) for side in sides]
            sql = f"TRY(CAST({sides[0]} {sign} {sides[1]} AS {NUMBER}))"
        return self._with_operands(self.joined(sql, "number", parts), parts)

    def _with_operands(self, value: Value, parts: Sequence[Value]) -> Value:
        operands = [operand for part in parts for operand in part.operands or (part.sql,)]
        return Value(
            value.sql, "number", value.columns, failure=value.failure, level=value.level,
            operands=tuple(dict.fromkeys(operands)),
        )  # fmt: skip

    def _choice(self, name: str, trees: list[Tree]) -> Value:
        if name == "if":
            if len(trees) != 3:
                raise BadExpression("if takes a condition and two values")
            check = {"when_expr": trees[0], "then_expr": trees[1]}
            return self.case({"case_checks": [check], "else_expr": trees[2]})
        values = self.alike(name, [self.value(tree) for tree in trees])
        if len(values) < 2 or (name == "nullif" and len(values) > 2):
            raise BadExpression(f"{name} takes two values")
        sql = f"{name}({', '.join(each.sql for each in values)})"
        if name == "nullif":
            same = f"{values[0].sql} = {values[-1].sql}"
            sql = f"(CASE WHEN {same} THEN NULL ELSE {values[0].sql} END)"
        kind = values[0].type if name == "nullif" else type_of(values)
        return self.joined(sql, kind, values)

    def _macro(self, name: str, trees: list[Tree]) -> Value:
        if name == "optional":
            if len(trees) != 1 or trees[0]["class"] != "COLUMN_REF":
                raise BadExpression('optional takes a column, as in optional("Currency")')
            return self._scope.column(trees[0]["column_names"][-1], may_lack=True)
        values = [self.settled(self.value(tree)) for tree in trees]
        least, most = {"day": (2, 3), "lookup": (2, 2), "in_lookup": (2, 2)}.get(name, (1, 1))
        if not least <= len(values) <= most:
            raise BadExpression(f"{name} takes {_count(least, most)}")
        if name == "text":
            [value] = [self.as_text(value) for value in values]
            return self.joined(text_sql(value.sql), "text", [value])
        if not self._calls:
            raise BadExpression(f"{name} is refused here; name columns alone")
        if name == "amount":
            return self.amount(values[0])
        return self.day(values) if name == "day" else self.looked_up(name, values)


_WHERE = {
    "row_number": "row_number stands only in order_items, and not in its order_id or where",
    "row_text": "row_text stands only in leave_out and where",
    "sum_of_lines": "sum_of_lines stands only in orders.total_amount, alone or with + expression",
}


def _unknown_function(name: str) -> str:
    if name in INSTEAD:
        return f"{name} is refused; write {INSTEAD[name]}"
    guess = did_you_mean(name, [*MACROS, *(each for each in FUNCTIONS if each.isidentifier())])
    return f"there is no function {quoted(name)} for sources{guess}"


def _count(least: int, most: int) -> str:
    return f"{least} values" if least == most else f"{least} to {most} values"
