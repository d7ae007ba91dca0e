"""What a staged row is: the columns that the transformer reads, made of checked ones."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.file_contracts import FileContract
from services.runtime.csv_files.row_checks import CURRENCY
from services.validator.reading.arrow_checks import checked_schema

LINE_AMOUNT = "line_amount_cents"


def accepted_schema(contract: FileContract) -> Any:
    """The columns of staged rows, `source_line` last.

    A file has one currency, which its report names, so rows do not say it.
    """
    return pa.schema([field for field in checked_schema(contract) if field.name != CURRENCY])


def as_staged(checked: Any) -> Any:
    """Checked rows (`arrow_checks.checked_schema`) with what they say between the lines.

    A line that does not say what it costs costs its quantity times its unit_price; no product of
    the two is beyond 64 bits, by the contract's limits.
    """
    names = checked.column_names
    if CURRENCY in names:
        checked = checked.drop_columns([CURRENCY])
    if LINE_AMOUNT not in names:
        return checked
    computed = pc.multiply(checked["quantity"], checked["unit_price_cents"])
    amounts = checked[LINE_AMOUNT]
    filled = computed if amounts.null_count == len(amounts) else pc.coalesce(amounts, computed)
    return checked.set_column(checked.column_names.index(LINE_AMOUNT), LINE_AMOUNT, filled)
