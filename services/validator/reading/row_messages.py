"""What quarantine says of a bad row: where it is, what is wrong with it, and by which rules."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.runtime.csv_files.csv_records import Problem
from services.runtime.csv_files.rule_names import rule_named
from services.validator.reading.quarantined_rows import QuarantinedRows


@dataclass(frozen=True)
class RowMessages:
    """Of one file: what messages call it, and the label of its contract."""

    name: str
    label: str

    def of(
        self, lines: Any, problems: Sequence[Sequence[Problem]], codes: Any, raw: Any
    ) -> QuarantinedRows:
        """`problems[codes[n]]` is wrong with the n-th row, which is in line `lines[n]` of the file.

        `raw` are their texts, without line ends. The first problem of a row gives column and rule.
        """
        distinct, indexes = np.unique(codes, return_inverse=True)
        found = [problems[code] for code in distinct.tolist()]
        taken, numbers = pa.array(indexes), pa.array(lines, pa.int64())

        def each(values: Iterable[str | None]) -> Any:
            return pa.array(values, pa.string()).take(taken)

        where = f"{self.name} line ", pc.cast(numbers, pa.string()), ": "
        return QuarantinedRows.by_columns(
            numbers,
            each(of[0].column for of in found),
            each(of[0].rule for of in found),
            pc.binary_join_element_wise(*where, each(map(self._text, found)), ""),
            raw,
        )

    def _text(self, problems: Sequence[Problem]) -> str:
        texts = [f"{problem.text}{rule_named(problem.rule, self.label)}" for problem in problems]
        return "; ".join(texts)
