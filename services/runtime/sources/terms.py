"""What all parts of an expression are made of: types that go together, calls of ours, failures."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from contracts.sources.faults import did_you_mean, quoted
from contracts.sources.model import FileFormat
from services.runtime.sources.functions import checked_argument, shown
from services.runtime.sources.macros import amount_sql, day_sql
from services.runtime.sources.scope import Scope
from services.runtime.sources.syntax import BadExpression, Tree
from services.runtime.sources.values import Size, Type, Value, first_failure, number_text


class Terms(ABC):
    """Values of one source, made in its scope."""

    def __init__(self, scope: Scope, file: FileFormat) -> None:
        self._scope = scope
        self._file = file

    @abstractmethod
    def value(self, tree: Tree) -> Value:
        """The value of a tree; raises BadExpression."""

    def amount(self, value: Value) -> Value:
        """A number of what is read as one."""
        if value.type != "text":
            return self.number("amount", value)
        call = self._scope.call("amount", value, amount_sql("{}", self._file))
        return self.called(call.number, "number", value, call.level)

    def day(self, values: list[Value]) -> Value:
        text, form, *zone = values
        checked_argument("day", "text", text)
        for each in (form, *zone):
            checked_argument("day", "literal", each)
        sql = day_sql("{}", str(form.literal), zone[0].literal if zone else None)
        call = self._scope.call("day", text, sql)
        return self.called(call.number, "text", text, call.level)

    def looked_up(self, name: str, values: list[Value]) -> Value:
        lookup, key = values[0].literal or "", values[1]
        checked_argument(name, "text", key)
        if lookup not in self._scope.lookups:
            names = [*self._scope.lookups]
            raise BadExpression(
                f"there is no lookup {quoted(lookup)}{did_you_mean(lookup, names)}; "
                "say its file under lookups:"
            )
        if name == "lookup" and self._scope.lookups[lookup].value is None:
            raise BadExpression(f"lookup {quoted(lookup)} has no value; ask in_lookup instead")
        call = self._scope.call("value", key, "v" if name == "lookup" else "k IS NOT NULL", lookup)
        kind: Type = "text" if name == "lookup" else "boolean"
        return Value(
            f"m{call.number}", kind, key.columns, Size(1), failure=key.failure, level=call.level
        )

    def called(self, number: int, kind: Type, argument: Value, level: int) -> Value:
        failure = first_failure(argument.failure, f"f{number}")
        return Value(
            f"m{number}", kind, argument.columns, Size(0, 10), failure=failure, level=level
        )

    def number(self, what: str, value: Value) -> Value:
        checked_argument(what, "number", value)
        return value

    def boolean(self, what: str, tree: Tree) -> Value:
        value = self.settled(self.value(tree))
        if value.type not in ("boolean", "nothing"):
            raise BadExpression(f"{what} needs a condition, and {shown(value)} is a {value.type}")
        return value

    def as_text(self, value: Value) -> Value:
        if value.type != "number":
            checked_argument("text", "text", value)
            return value
        return self.joined(number_text(value.sql), "text", [value], size=Size(0, 40))

    def alike(self, what: str, values: list[Value]) -> list[Value]:
        """Values of one type, or raises BadExpression saying how to make them alike."""
        kinds = {value.type for value in values} - {"nothing"}
        if len(kinds) > 1:
            texts = [value for value in values if value.type == "text"]
            advice = "; give them one type"
            if kinds == {"text", "number"}:
                value = next((text for text in texts if text.columns), texts[0])
                advice = f"; write amount({shown(value)}), or put the number in quotes"
            raise BadExpression(f"{what} is given a {' and a '.join(sorted(kinds))}{advice}")
        return [self.settled(value) for value in values]

    def settled(self, value: Value) -> Value:
        """With the overflow of an arithmetic expression among its failures."""
        if not value.operands:
            return value
        inputs = " AND ".join(f"{operand} IS NOT NULL" for operand in value.operands)
        whole = Value(value.sql, "number", value.columns, level=value.level)
        call = self._scope.call("number", whole, "{}")
        own = f"CASE WHEN {inputs} AND a{call.number} IS NULL THEN {call.number} END"
        return Value(
            f"m{call.number}", "number", value.columns, level=call.level,
            failure=first_failure(value.failure, own),
        )  # fmt: skip

    def joined(
        self, sql: str, kind: Type, parts: Sequence[Value], *,
        size: Size | None = None, failure: str | None = None,
    ) -> Value:  # fmt: skip
        """A value made of others."""
        longest = Size()
        for part in parts:
            longest |= part.size
        return Value(
            sql,
            kind,
            frozenset().union(*(part.columns for part in parts)),
            size or longest,
            failure=failure or first_failure(*(part.failure for part in parts)),
            level=max((part.level for part in parts), default=0),
        )


def type_of(values: Sequence[Value]) -> Type:
    return next((value.type for value in values if value.type != "nothing"), "nothing")
