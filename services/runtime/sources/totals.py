"""`sum_of_lines`: the part of an order's total that is known only where its lines are."""

from typing import Any

from services.runtime.sources.syntax import Tree

WORD = "sum_of_lines"


def split_total(tree: Tree) -> tuple[bool, Tree | None]:
    """Whether the total is the sum of the order's lines, and what is added to it, if anything.

    `sum_of_lines + a - b` is (True, a - b). Where it stands anywhere else it stays in the tree, and
    is refused there.
    """
    if tree["class"] == "COLUMN_REF" and tree["column_names"][-1].lower() == WORD:
        return True, None
    sign = tree.get("function_name")
    arguments = tree.get("arguments", [])
    if tree["class"] != "FUNCTION" or sign not in ("+", "-") or len(arguments) != 2:
        return False, tree
    left, right = (argument["expression"] for argument in arguments)
    is_left, rest = split_total(left)
    if is_left:
        if rest is not None:
            return True, _with_arguments(tree, [rest, right])
        return True, right if sign == "+" else _with_arguments(tree, [right])
    is_right, rest = split_total(right) if sign == "+" else (False, right)
    if not is_right:
        return False, tree
    return True, left if rest is None else _with_arguments(tree, [left, rest])


def _with_arguments(tree: Tree, expressions: list[Any]) -> Tree:
    return {**tree, "arguments": [{"name": "", "expression": each} for each in expressions]}
