"""Which rows of a block are left out, and which give a row of each kind."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from contracts.sources.model import Kind
from services.runtime.sources.coded import NONE, Coded
from services.runtime.sources.compiled import CompiledSource
from services.runtime.sources.statement import condition
from services.runtime.sources.values import Value


@dataclass(frozen=True)
class GivenKind:
    """By row: the number of the reason why it gives none (NONE: there is none), the call for which
    that (`unsure`), or whether it states one at all (`doubt`), cannot be judged, and whether it
    does give one."""

    reason: Any
    unsure: Any
    doubt: Any
    gives: Any


@dataclass(frozen=True)
class Given:
    """By row: the number of the reason it is left out for, the call for which nobody knows."""

    reason: Any
    unsure: Any
    kinds: dict[Kind, GivenKind]


def given(compiled: CompiledSource, columns: Mapping[str, Coded], rows: int) -> Given:
    """What the conditions of a source say; `columns` by their SQL (statement.wanted)."""
    everywhere = np.ones(rows, bool)
    reason, unsure = _left_out(compiled.leave_out.values(), columns, everywhere)
    is_open = (reason == NONE) & (unsure == NONE)
    kinds: dict[Kind, GivenKind] = {}
    for kind in compiled.kinds:
        states, doubt = is_open, np.full(rows, NONE, np.int16)
        if kind.where:
            states = is_open & columns[condition(kind.where)].is_true()
            doubt[:] = failures([kind.where.failure], columns, is_open & ~states)
        why, unknown = _left_out(kind.leave_out.values(), columns, states)
        gives = states & (why == NONE) & (unknown == NONE)
        kinds[kind.kind] = GivenKind(why, unknown, doubt, gives)
    return Given(reason, unsure, kinds)


def failures(sqls: Iterable[str | None], columns: Mapping[str, Coded], among: Any) -> Any:
    """By row, the first call that gave nothing, of those that are asked; NONE elsewhere."""
    found = np.full(len(among), NONE, np.int16)
    for sql in reversed([*sqls]):
        if sql is not None and columns[sql].values.null_count < len(columns[sql].values):
            failed = np.flatnonzero(columns[sql].is_valid() & among)
            found[failed] = columns[sql].at(failed).to_numpy()
    return found


def _left_out(
    conditions: Iterable[Value], columns: Mapping[str, Coded], among: Any
) -> tuple[Any, Any]:
    """The first condition that is true, and, where none is, the first call that failed."""
    values = [*conditions]
    reason = np.full(len(among), NONE, np.int16)
    for number, value in reversed([*enumerate(values)]):
        reason[columns[condition(value)].is_true() & among] = number
    unsure = failures([value.failure for value in values], columns, among & (reason == NONE))
    return reason, unsure
