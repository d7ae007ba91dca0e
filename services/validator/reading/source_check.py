"""A whole file of a source, from its bytes to an outcome: the worker, `ecp validate --source` and
`ecp sources test` all call this. Nothing here knows AWS or keeps rows.

The sibling of `file_check.py`: the same blocks and records, the same contracts for what comes of
them, the same verdict (docs/design.md, Sources).
"""

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import date

import pyarrow as pa

from contracts.errors import DataRejected
from contracts.sources.model import Source
from services.runtime.csv_files.bad_file import BadFile
from services.runtime.csv_files.row_checks import OneCurrency
from services.validator.reading.line_blocks import BLOCK_BYTES
from services.validator.reading.verdict import Counts, FileCheck
from services.validator.sources.bound_header import BoundFile
from services.validator.sources.file_reading import AcceptedRows, BadRows, OpenStream, SourceFile
from services.validator.sources.order_lines import OrderLines
from services.validator.sources.single_rows import SingleRows

_GIVEN = "which this pipeline counts in (CURRENCY)"


def check_by_source(
    open_stream: OpenStream,
    source: Source,
    *,
    name: str,
    today: date,
    max_rejected_fraction: float,
    on_accepted: AcceptedRows,
    on_quarantined: BadRows,
    currency: str | None = None,
    lookups: Mapping[str, pa.Table] | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> FileCheck:
    """Read and judge every row of a file by a source; as `check_file`, which see.

    `lookups` are the files beside it, as tables of text (`lookups.lookup_table`). A row that is
    quarantined only because another one of its order is does not count as bad where the file's bad
    rows may reject it. Orders and products that order lines state are handed on once the whole file
    is read.
    """
    file = SourceFile(open_stream, source, name, today, lookups or {}, block_bytes)
    counts = Counts(max_rejected_fraction, file.count_lines)
    only = OneCurrency(currency, _GIVEN) if currency else None
    make = OrderLines if source.rows == "order_lines" else SingleRows
    opened: BoundFile | None = None
    try:
        with ExitStack() as stack:
            opened = file.opened(stack.enter_context(open_stream()))
            reading = stack.enter_context(
                make(file, opened, only, counts, on_accepted, on_quarantined)
            )
            for judged in counts.counted(reading.blocks()):
                reading.take(judged)
                if judged.quarantined:
                    on_quarantined(judged.quarantined)
            if not counts.are_too_many:
                reading.settle()
            return reading.concluded()
    except BadFile as bad:
        return FileCheck(bad.rule, bad.reason, header=opened.header if opened else None)
    except DataRejected as error:
        return FileCheck("file.source", str(error), header=opened.header if opened else None)
