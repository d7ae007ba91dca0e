"""A file whose rows are order lines: its orders are stated whole, or not at all."""

import secrets
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from services.validator.reading.arrow_checks import SOURCE_LINE
from services.validator.reading.duplicates import Pile, Removed
from services.validator.reading.quarantined_rows import QuarantinedRows, without_line_ends
from services.validator.sources.fallen_rows import INCOMPLETE, said_of_fallen
from services.validator.sources.file_reading import Reading, required_of, with_lines
from services.validator.sources.judging import Judged
from services.validator.sources.repeated_products import add_products, products_of
from services.validator.sources.staged_columns import as_staged_kind
from services.validator.sources.whole_orders import in_short, settled

_WORD = "row_number"


class OrderLines(Reading):
    """Order lines are handed on block by block, orders and products once all of them are known."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._orders = self.stack.enter_context(Pile())
        self._products = self.stack.enter_context(Pile())
        self._seed = secrets.randbits(64)
        self._lines = 0
        mapping = self.file.source.mapping("order_items")
        line_id = mapping.columns.get("line_id") if mapping else None
        self._has_line_ids = line_id is not None and _WORD not in line_id.text.lower()

    def take_rows(self, judged: Judged) -> None:
        """Lines go on, orders and products on their piles."""
        items = judged.kinds["order_items"].right
        short = in_short(judged, self._lines, self._seed, has_line_ids=self._has_line_ids)
        self._lines += items.num_rows
        if short.num_rows:
            self._orders.add(short)
        if items.num_rows:
            lines = with_lines(items, judged.lines)
            self.on_accepted("order_items", as_staged_kind("order_items", lines))
        if "products" in judged.kinds:
            products = with_lines(judged.kinds["products"].right, judged.lines)
            add_products(self._products, products, self._seed)

    def settle(self) -> None:
        """Orders with a row at fault fall, with all rows; the others stand."""
        items = self.kinds["order_items"]
        removed, fallen = Removed(self._lines), []
        orders_given = [kind for kind in self.compiled.kinds if kind.kind == "orders"]
        required: list[str] = []
        for each in orders_given:
            columns = [output.column for output in each.outputs]
            required = required_of(columns, total_from_lines=self.compiled.total_from_lines)
        fallen_items = fallen_orders = standing = folded = duplicates = 0
        for found in settled(self._orders, required):
            removed.add(found.removed)
            duplicates += found.duplicates
            fallen_items += found.fallen_items
            fallen_orders += found.fallen_orders
            folded += found.folded
            if found.fallen.num_rows:
                fallen.append(found.fallen)
            if found.orders is not None and found.orders.num_rows:
                standing += found.orders.num_rows
                self.counts.guests += found.orders["user_id"].null_count
                total = self.compiled.total_from_lines
                orders = as_staged_kind("orders", found.orders, total_from_lines=total)
                self.on_accepted("orders", orders)
        self.counts.duplicates += duplicates
        self.kinds["order_items"] = replace(
            items,
            accepted=items.accepted - fallen_items - duplicates,
            quarantined=items.quarantined + fallen_items,
            duplicates=duplicates,
            removed=removed if removed.count else None,
        )
        if orders_given:
            self.kinds["orders"] = replace(
                self.kinds["orders"],
                accepted=standing,
                quarantined=self.kinds["orders"].quarantined + fallen_orders,
                duplicates=folded,
                read=standing,
            )
        self._settle_products()
        if fallen:
            self._quarantine(pa.concat_tables(fallen).sort_by(SOURCE_LINE))

    def _settle_products(self) -> None:
        if "products" not in self.kinds:
            return
        standing = 0
        for products in products_of(self._products):
            standing += products.num_rows
            self.on_accepted("products", as_staged_kind("products", products))
        found = self.kinds["products"]
        repeated = found.accepted - standing
        self.kinds["products"] = replace(
            found, accepted=standing, duplicates=repeated, read=standing
        )

    def _quarantine(self, fallen: Any) -> None:
        """Rows of orders that do not stand, with the texts that they have in the file."""
        all_lines = fallen[SOURCE_LINE].to_numpy()
        label = self.file.source.label
        for lines, texts in self.file.texts_of(np.unique(all_lines)):
            rows = fallen.filter(pa.array(np.isin(all_lines, lines)))
            numbers = rows[SOURCE_LINE].combine_chunks()
            column, rule, message = said_of_fallen(self.file.name, label, rows)
            raw = without_line_ends(texts).take(pa.array(np.searchsorted(lines, numbers)))
            found = QuarantinedRows.by_columns(numbers, column, rule, message, raw)
            is_incomplete = pa.compute.equal(found.table["rule"], INCOMPLETE)
            self.incomplete += is_incomplete.to_pylist().count(True)
            self.counts.add_bad(
                QuarantinedRows(found.table.filter(pa.compute.invert(is_incomplete)))
            )
            self.on_quarantined(found)
