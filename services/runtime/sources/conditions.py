"""Conditions, and values that depend on them: what failed counts only where it was asked for."""

from services.runtime.sources.syntax import BadExpression, Tree
from services.runtime.sources.terms import Terms, type_of
from services.runtime.sources.values import Value, first_failure

_COMPARISONS = {
    "COMPARE_EQUAL": "=",
    "COMPARE_NOTEQUAL": "<>",
    "COMPARE_LESSTHAN": "<",
    "COMPARE_GREATERTHAN": ">",
    "COMPARE_LESSTHANOREQUALTO": "<=",
    "COMPARE_GREATERTHANOREQUALTO": ">=",
    "COMPARE_DISTINCT_FROM": "IS DISTINCT FROM",
    "COMPARE_NOT_DISTINCT_FROM": "IS NOT DISTINCT FROM",
}
_ALLOWED = "what there is: columns, texts, numbers, case, comparisons, and the functions of sources"


class Conditions(Terms):
    """Compiles what compares and chooses."""

    def case(self, tree: Tree) -> Value:
        """A failure counts only in the branch that is taken, and in conditions."""
        conditions = [self.boolean("when", check["when_expr"]) for check in tree["case_checks"]]
        branches = [check["then_expr"] for check in tree["case_checks"]] + [tree["else_expr"]]
        results = self.alike("case", [self.value(branch) for branch in branches])
        pairs = list(zip(conditions, results, strict=False))
        parts = [f"WHEN {condition.sql} THEN {result.sql}" for condition, result in pairs]
        sql = f"CASE {' '.join(parts)} ELSE {results[-1].sql} END"
        failure = None
        if any(result.failure for result in results):
            taken = [
                f"WHEN {condition.sql} THEN {result.failure or 'NULL'}"
                for condition, result in pairs
            ]
            failure = f"CASE {' '.join(taken)} ELSE {results[-1].failure or 'NULL'} END"
        failures = first_failure(*(condition.failure for condition in conditions), failure)
        return self.joined(sql, type_of(results), [*conditions, *results], failure=failures)

    def comparison(self, tree: Tree) -> Value:
        sign = _COMPARISONS.get(tree["type"])
        if sign is None:
            raise BadExpression("this comparison is refused")
        sides = self.alike(sign, [self.value(tree["left"]), self.value(tree["right"])])
        return self.joined(f"({sides[0].sql} {sign} {sides[1].sql})", "boolean", sides)

    def between(self, tree: Tree) -> Value:
        parts = [self.value(tree[part]) for part in ("input", "lower", "upper")]
        value, low, high = self.alike("between", parts)
        sql = f"({value.sql} BETWEEN {low.sql} AND {high.sql})"
        return self.joined(sql, "boolean", [value, low, high])

    def conjunction(self, tree: Tree) -> Value:
        """A failure counts only where the others do not settle what it is."""
        word = "AND" if tree["type"] == "CONJUNCTION_AND" else "OR"
        parts = [self.boolean(word.lower(), child) for child in tree["children"]]
        sql = f"({f' {word} '.join(part.sql for part in parts)})"
        failure = first_failure(*(part.failure for part in parts))
        failure = failure and f"CASE WHEN {sql} IS NULL THEN {failure} END"
        return self.joined(sql, "boolean", parts, failure=failure)

    def operator(self, tree: Tree) -> Value:
        kind, children = tree["type"], tree["children"]
        if kind == "OPERATOR_NOT":
            [child] = [self.boolean("not", each) for each in children]
            return self.joined(f"(NOT {child.sql})", "boolean", [child])
        if kind in ("OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL"):
            [child] = [self.settled(self.value(each)) for each in children]
            word = "IS NULL" if kind == "OPERATOR_IS_NULL" else "IS NOT NULL"
            return self.joined(f"({child.sql} {word})", "boolean", [child])
        if kind in ("COMPARE_IN", "COMPARE_NOT_IN"):
            first, *rest = self.alike("in", [self.value(each) for each in children])
            word = "IN" if kind == "COMPARE_IN" else "NOT IN"
            sql = f"({first.sql} {word} ({', '.join(each.sql for each in rest)}))"
            return self.joined(sql, "boolean", [first, *rest])
        if kind == "OPERATOR_COALESCE":
            return self.coalesce([self.value(each) for each in children])
        raise BadExpression(f"{_plain(kind)} is refused; {_ALLOWED}")

    def coalesce(self, values: list[Value]) -> Value:
        """A failure counts where nothing before it gave a value."""
        parts = self.alike("coalesce", values)
        sql = f"coalesce({', '.join(part.sql for part in parts)})"
        failure = None
        for part in reversed(parts):
            later = failure and f"CASE WHEN {part.sql} IS NULL THEN {failure} END"
            failure = first_failure(part.failure, later)
        return self.joined(sql, type_of(parts), parts, failure=failure)


def _plain(kind: str) -> str:
    return kind.removeprefix("OPERATOR_").lower().replace("_", " ")
