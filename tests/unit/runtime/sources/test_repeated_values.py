"""What is worked out once for each distinct value is what each row by itself gives."""

from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.sources.model import Source
from services.runtime.sources import statement
from services.runtime.sources.compilation import compile_source
from services.runtime.sources.numbers import cent_texts, narrowed, number_texts
from services.runtime.sources.shaping import Shaper
from services.runtime.sources.steps import steps_to
from tests.support.examples import examples
from tests.support.sources import ORDERS, a_block, a_source, shaped

HEADER = ["id", "pay", "bought", "sku", "n", "price", "off"]


def a_source_of_lines() -> Source:
    """Every kind of column: cells, calls of one column and of several, reasons, positions."""
    line = "amount(n) * amount(price) - coalesce(amount(off), 0)"
    return a_source(
        rows="order_lines",
        carried_down={"within": "id", "columns": ["pay"]},
        leave_out={"draft": "pay = 'draft'", "odd": "amount(off) > amount(price)"},
        orders=ORDERS
        | {
            "order_date": "day(bought, '%d.%m.%Y')",
            "total_amount": "price",
            "status": "case when pay = 'card' then 'paid' else pay || sku end",
            "where": "bought <> 'never'",
        },
        order_items={
            "order_id": "id",
            "line_id": "row_number || sku",
            "product_id": "coalesce(text(sku), 'none')",
            "quantity": "n",
            "line_amount": line,
            "leave_out": {"free": "amount(price) = 0"},
        },
    )


CELLS = {
    "id": ["1", "2", ""],
    "pay": ["", "", "card", "draft"],
    "bought": ["01.02.2026", "30.02.2026", "", "never"],
    "sku": ["", "'7", '="8"', "x"],
    "n": ["1", "2", "-1", "", "x", "9" * 28],
    "price": ["0", "1.005", "12.50", "", "1e5", "999999999", "1000000000", ".5"],
    "off": ["", "0.00", "3", "?"],
}


@pytest.mark.slow
@settings(max_examples=examples(30))
@given(st.lists(st.tuples(*map(st.sampled_from, CELLS.values())), min_size=1, max_size=40))
def test_a_block_gives_what_its_rows_give_one_by_one(rows: list[tuple[str, ...]]) -> None:
    compiled = compile_source(a_source_of_lines(), HEADER)
    with Shaper(compiled) as together, Shaper(compiled) as alone:
        whole = said(together, a_block(HEADER, rows))
        each = [said(alone, a_block(HEADER, [row])) for row in rows]
    assert whole == {
        what: [row | {"row": number} for number, one in enumerate(each) for row in one[what]]
        for what in whole
    }


def said(shaper: Shaper, block: pa.Table) -> dict[str, list[Any]]:
    found = shaper.shape(block)
    tables = {f"faults of {kind}": found.faults.filter(of_kind(found.faults, kind))
              for kind in (None, *found.kinds)}  # fmt: skip
    tables |= {**found.kinds, "left out": found.left_out, "of no kind": found.of_no_kind}
    tables |= {f"left out of {kind}": table for kind, table in found.left_out_of.items()}
    ids = pa.table({"row": range(found.rows), "order": found.order_ids})
    named = {what: table.to_pylist() for what, table in (tables | {"ids": ids}).items()}
    return {
        what: sorted(
            ({key: value for key, value in row.items() if key != "line"} for row in table),
            key=lambda row: (row["row"], row.get("column", "")),
        )
        for what, table in named.items()
    }


def of_kind(faults: pa.Table, kind: str | None) -> pa.Array:
    return pa.array([each == kind for each in faults["kind"].to_pylist()], pa.bool_())


NUMBERS = st.integers(-(10**38) + 1, 10**38 - 1) | st.integers(-(10**19), 10**19)


@given(st.lists(st.none() | NUMBERS, max_size=20))
@example([-(2**63), 2**63 - 1, 2**62, -(2**62), 5 * 10**7, -5 * 10**7, 49_999_999, 0, None])
@example([125 * 10**8, 10**12, -(10**10), 0, None])
def test_numbers_are_written_in_full(units: list[int | None]) -> None:
    with localcontext(prec=60):
        numbers = [None if each is None else Decimal(each).scaleb(-10) for each in units]
        column = pa.array(numbers, pa.decimal128(38, 10))
        plain = [each if each is None else written(each) for each in numbers]
        cents = [None if each is None else f"{in_cents(each):f}" for each in numbers]
    for start in (0, len(units) // 2):
        assert number_texts(column[start:]).to_pylist() == plain[start:]
        assert cent_texts(column[start:]).to_pylist() == cents[start:]


def written(number: Decimal) -> str:
    return f"{number:f}".rstrip("0").rstrip(".") if number else "0"


def in_cents(number: Decimal) -> Decimal:
    rounded = number.quantize(Decimal("0.01"), ROUND_HALF_UP)
    return rounded if rounded else Decimal("0.00")


FACTORS = ["3", "-2.5", "0.0001", "99999.9999", "999999999", "1000000000", "0.00001", "9" * 18]


@pytest.mark.parametrize("other", FACTORS)
def test_a_product_of_narrow_numbers_is_that_of_wide_ones(other: str) -> None:
    """A sum with 0 is no factor by itself, so that it is multiplied as it is."""
    rows = [[one, two] for one in ("7", "-0.33", "12.3456") for two in ("3", "0.5", other)]
    products = [
        shaped(
            a_source(
                rows="products", orders=None, products={"product_id": "'p'", "name": expression}
            ),
            ["a", "b"],
            rows,
        )[0]
        .kinds["products"]["name"]
        .to_pylist()
        for expression in ("amount(a) * amount(b)", "(amount(a) + 0) * (amount(b) + 0)")
    ]
    assert products[0] == products[1]
    assert (None in products[0]) == (len(other) > 17)


def test_numbers_are_narrow_only_where_all_of_them_fit() -> None:
    def of(*texts: str) -> Any:
        found = narrowed(pa.array(map(Decimal, texts), pa.decimal128(38, 10)))
        return found if found is None else found.type

    assert of("999999999") == pa.decimal128(9, 0)
    assert of("1", "-9999999.99") == pa.decimal128(9, 2)
    assert of("99999.9999") == pa.decimal128(9, 4)
    assert [of("1000000000"), of("0.00001"), of("999999999", "0.5")] == [None] * 3


def test_a_step_reads_the_columns_that_its_values_are_made_of() -> None:
    compiled = compile_source(a_source_of_lines(), HEADER)
    steps = steps_to(statement.wanted(compiled), compiled)
    named = {step.columns: step.reads for step in steps}
    assert len(named) == len(steps)
    by_name = {f"c{place}": name for name, place in compiled.used.items()}
    columns = {tuple(sorted(by_name.get(each, each) for each in step)) for step in named}
    assert {("bought",), ("price",), ("n", "off", "price"), ("position", "sku")} <= columns
    assert all(
        name[0] not in "c" for step in steps if len(step.columns) == 3 for name in step.reads
    )
