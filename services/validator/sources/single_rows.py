"""A file whose rows are orders, or products: a key is stated once, as in plain files.

Of several rows of one key the last stands (reading/duplicates.py); the file is read again where
keys repeat.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from contracts.file_contracts import FileContract
from services.runtime.sources.shaping import Shaper
from services.validator.reading.duplicate_candidates import Candidates, KeyHashes, hashes_of
from services.validator.reading.duplicates import Pile, Removed, as_candidates, look
from services.validator.reading.regular_rows import RAW
from services.validator.sources.file_reading import Reading, with_lines
from services.validator.sources.judging import Judge, Judged
from services.validator.sources.kind_checks import ROW
from services.validator.sources.staged_columns import as_staged_kind

_KEYS = {"orders": "order_id", "products": "product_id"}


class SingleRows(Reading):
    """Rows are handed on block by block."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._key = _KEYS[self.own_kind]
        self._keys = self.stack.enter_context(KeyHashes())

    def take_rows(self, judged: Judged) -> None:
        """Right rows go on; their keys are kept by hash."""
        rows = judged.kinds[self.own_kind].right
        if not rows.num_rows:
            return
        staged = self._staged(rows, judged.lines)
        if self.own_kind == "orders":
            self.counts.guests += staged["user_id"].null_count
        self._keys.add(hashes_of([staged[self._key].combine_chunks()], self._keys.seed))
        self.on_accepted(self.own_kind, staged)

    def _staged(self, rows: Any, lines: Any) -> Any:
        total = self.compiled.total_from_lines
        return as_staged_kind(self.own_kind, with_lines(rows, lines), total_from_lines=total)

    def settle(self) -> None:
        """Repeated keys: the same again is a duplicate, anything else a contradiction."""
        candidates = self._keys.candidates()
        if not candidates:
            return
        source, found = self.file.source, self.kinds[self.own_kind]
        contract = FileContract(source.name, source.version, (), (self._key,))
        removed, duplicates, contradicted = Removed(found.read), 0, 0
        with Pile() as pile:
            for rows in self._again(candidates):
                pile.add(rows)
            for read in pile.parts():
                for each in look(read, self.file.name, contract):
                    removed.add(each.ordinals)
                    contradicted += len(each.contradictions)
                    duplicates += len(each.ordinals) - len(each.contradictions)
                    self.counts.remove(each, removed)
                    if each.contradictions:
                        self.on_quarantined(each.contradictions)
        self.kinds[self.own_kind] = replace(
            found,
            accepted=found.accepted - removed.count,
            quarantined=found.quarantined + contradicted,
            duplicates=duplicates,
            removed=removed,
        )

    def _again(self, candidates: Candidates) -> Iterator[Any]:
        """The rows whose keys may repeat, with their texts."""
        file, first = self.file, 0
        with Shaper(self.compiled, file.lookups) as shaper, file.open_stream() as stream:
            judge = Judge(file.name, self.compiled, shaper, file.today, self.currency)
            for cells in file.cells(file.opened(stream)):
                if cells is None or not len(cells.lines):
                    continue
                judged = judge.judge(cells)
                right = judged.kinds[self.own_kind].right
                ordinals = np.arange(first, first + right.num_rows)
                first += right.num_rows
                staged = self._staged(right, judged.lines)
                hashes = hashes_of([staged[self._key].combine_chunks()], self._keys.seed)
                chosen = candidates.holds(hashes)
                if chosen.any():
                    raw = cells.raw.take(right[ROW].combine_chunks())
                    rows = staged.append_column(RAW, raw).filter(pa.array(chosen))
                    yield as_candidates(rows, (self._key,), hashes[chosen], ordinals[chosen])
