"""What is said of rows that were right by themselves, and fall with their order."""

from typing import Any

import pyarrow as pa

from services.validator.reading.arrow_checks import SOURCE_LINE
from services.validator.sources.judging import ORDER_ID
from services.validator.sources.whole_orders import LACKS, LINE_AGAIN, LINE_ID, ORDER_AGAIN

INCOMPLETE = "order.incomplete"
CONTRADICTED = "order_id.contradicted"
LINE_CONTRADICTED = "line_id.contradicted"


def said_of_fallen(name: str, label: str, fallen: Any) -> tuple[Any, Any, Any]:
    """Column, rule and message of each fallen row; `name` is the file, `label` the source."""
    columns, rules, messages = [], [], []
    for row in fallen.to_pylist():
        order, at_line = row[ORDER_ID], f"{row['at_line']:,}"
        if row["rule"] == LINE_AGAIN:
            column, rule = LINE_ID, LINE_CONTRADICTED
            what = f"a line of order {order} is stated again, and otherwise, in line {at_line}"
        elif row["rule"] == ORDER_AGAIN:
            column, rule = ORDER_ID, CONTRADICTED
            what = f"order {order} is stated otherwise in line {at_line}: {row['detail']}"
        elif row["rule"] == LACKS:
            column = row["column"]
            rule, what = f"{column}.required", f"no row of order {order} says its {column}"
        else:
            column, rule = ORDER_ID, INCOMPLETE
            other = f"its line {at_line}"
            if row["at_line"] == row[SOURCE_LINE]:
                other = "another line that stands in this row"
            what = (
                f"order {order} counts whole or not at all, and {other} is quarantined: "
                "correct that one"
            )
        columns.append(column)
        rules.append(rule)
        messages.append(f"{name} line {row[SOURCE_LINE]}: {what} (rule {rule}, {label})")
    return pa.array(columns, pa.string()), pa.array(rules, pa.string()), pa.array(messages)
