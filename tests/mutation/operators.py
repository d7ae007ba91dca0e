"""Which faults are put in: those of mutmut that change what code does, and three of our own.

Left out are wordings (texts with spaces in them, arguments of `raise` and of the logger), which no
test should hold word by word. Added are what mutmut has not: a call, a check or an error left out,
and a condition turned round.
"""

from collections.abc import Iterator
from typing import Any

import libcst as cst
import libcst.matchers as m
from mutmut.mutation import file_mutation, mutators

_LOGGER = m.Call(func=m.Attribute(value=m.Name("logger")))


def install() -> None:
    """Make mutmut, in this process and its children, use the operators of this module."""
    kept = {
        cst.BaseNumber: mutators.operator_number,
        cst.Name: mutators.operator_name,
        cst.Assign: mutators.operator_assignment,
        cst.AnnAssign: mutators.operator_assignment,
        cst.AugAssign: mutators.operator_augmented_assignment,
        cst.UnaryOperation: mutators.operator_remove_unary_ops,
        cst.Lambda: mutators.operator_lambda,
        cst.Match: mutators.operator_match,
        cst.IfExp: mutators.operator_if_exp,
        cst.SimpleString: name_changed,
        cst.Call: argument_lost,
        cst.Expr: call_left_out,
        cst.Raise: error_left_out,
        cst.If: condition_turned_round,
    }
    mutators.mutation_operators[:] = [  # type: ignore[index]
        *kept.items(),
        (cst.Call, mutators.operator_symmetric_string_methods_swap),
        (cst.Call, mutators.operator_unsymmetrical_string_methods_swap),
        (cst.CSTNode, mutators.operator_keywords),
        (cst.CSTNode, mutators.operator_swap_op),
    ]
    file_mutation.MutationVisitor.on_visit = _on_visit  # type: ignore[method-assign]


def name_changed(node: cst.SimpleString) -> Iterator[cst.SimpleString]:
    """A key, a code or a name becomes another; texts stay."""
    text = node.raw_value
    if " " not in text and "\\" not in text and not node.value.endswith('"""'):
        quote = node.value[len(node.prefix)]
        yield node.with_changes(value=f"{node.prefix}{quote}XX{text}XX{quote}")


def argument_lost(node: cst.Call) -> Iterator[cst.Call]:
    """An argument by name is not given, one by position is None."""
    for i, arg in enumerate(node.args):
        before, after = node.args[:i], node.args[i + 1 :]
        if arg.keyword is not None:
            yield node.with_changes(args=[*before, *after])
        elif arg.star == "" and not m.matches(arg.value, m.Name("None")):
            yield node.with_changes(
                args=[*before, arg.with_changes(value=cst.Name("None")), *after]
            )


def call_left_out(node: cst.Expr) -> Iterator[cst.BaseSmallStatement]:
    """A call whose value nobody wants is not made."""
    if isinstance(node.value, cst.Call):
        yield cst.Pass(semicolon=node.semicolon)


def error_left_out(node: cst.Raise) -> Iterator[cst.BaseSmallStatement]:
    """What was refused is let through."""
    yield cst.Pass(semicolon=node.semicolon)


def condition_turned_round(node: cst.If) -> Iterator[cst.If]:
    """The other branch is taken; comparisons, `and`, `or` and `not` have operators of their own."""
    if not isinstance(node.test, cst.Comparison | cst.BooleanOperation | cst.UnaryOperation):
        test = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        yield node.with_changes(test=cst.UnaryOperation(cst.Not(), test))


_mutmuts_on_visit = file_mutation.MutationVisitor.on_visit


def _on_visit(self: Any, node: cst.CSTNode) -> bool:
    if m.matches(node, _LOGGER | m.Expr(value=_LOGGER)):
        return False
    goes_on = _mutmuts_on_visit(self, node)
    return goes_on and not isinstance(node, cst.Raise)
