"""What a source makes of rows: kinds, what is left out, and what has a value and gives none."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import DataRejected
from services.runtime.sources.compilation import compile_source
from services.runtime.sources.compiled import InvalidHeader
from services.runtime.sources.shaping import Shaper, SourceTooSlow
from tests.support.sources import ORDERS, a_block, a_source, shaped

LINES = {
    "order_id": "id",
    "line_id": "row_number",
    "product_id": "sku",
    "quantity": "1",
    "line_amount": "1",
}
HEADER = ["id", "sku"]


def line_ids(cuts: list[int], orders: list[str]) -> list[tuple[str, str]]:
    """Order and line_id of each row, read in blocks that end at the cuts."""
    compiled = compile_source(
        a_source(
            rows="order_lines", orders=None, order_items=LINES, leave_out={"gift": "sku = 'gift'"}
        ),
        HEADER,
    )
    rows = [[order, "gift" if order == "g" else "a"] for order in orders]
    found = []
    with Shaper(compiled) as shaper:
        for start, end in zip([0, *cuts], [*cuts, len(rows)], strict=True):
            items = shaper.shape(a_block(HEADER, rows[start:end])).kinds["order_items"]
            found += [(row["order_id"], row["line_id"]) for row in items.to_pylist()]
    return found


@pytest.mark.medium
@given(st.lists(st.sampled_from("abcg"), max_size=30), st.data())
def test_row_number_counts_the_lines_of_an_order_however_the_file_is_cut(
    orders: list[str], data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(orders)), max_size=4)))
    kept = [order for order in orders if order != "g"]
    expected = [(order, str(kept[: at + 1].count(order))) for at, order in enumerate(kept)]
    assert line_ids(cuts, orders) == expected


@pytest.mark.medium
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", ""]), st.sampled_from(["", "", "x", "y"])), max_size=20
    ),
    st.data(),
)
def test_a_value_is_carried_down_within_its_group_however_the_file_is_cut(
    rows: list[tuple[str, str]], data: st.DataObject
) -> None:
    source = a_source(
        rows="products",
        orders=None,
        products={"product_id": "sku", "category": "kind"},
        carried_down={"within": "handle", "columns": ["kind"]},
    )
    compiled = compile_source(source, ["handle", "kind", "sku"])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    found: list[str | None] = []
    with Shaper(compiled) as shaper:
        for start, end in zip([0, *cuts], [*cuts, len(rows)], strict=True):
            block = a_block(compiled.header, [[*row, "1"] for row in rows[start:end]])
            found += shaper.shape(block).kinds["products"].column("category").to_pylist()
    first: dict[str, str] = {}
    expected = []
    for handle, kind in rows:
        if handle and kind:
            first.setdefault(handle, kind)
        expected.append(kind or first.get(handle) or None)
    assert found == expected


def test_the_first_true_condition_names_the_reason_and_no_row_is_lost() -> None:
    source = a_source(
        leave_out={"test": "total = '0'", "draft": "total in ('0', '1')"},
        orders=ORDERS | {"where": "id <> 'none'"},
    )
    rows = [
        [id_, "2026-01-01", total]
        for id_, total in [("1", "0"), ("2", "1"), ("none", "2"), ("4", "3")]
    ]
    found, _ = shaped(source, ["id", "bought", "total"], rows)
    assert [(row["line"], row["reason"]) for row in found.left_out.to_pylist()] == [
        (2, "test"),
        (3, "draft"),
    ]
    assert found.of_no_kind.to_pylist() == [{"row": 2, "line": 4}]
    assert found.kinds["orders"].to_pylist() == [
        {"row": 3, "line": 5, "order_id": "4", "order_date": "2026-01-01", "total_amount": "3"}
    ]


FAULTS = [
    ("amount(a)", "abc", 'a = "abc" gives no amount (name)'),
    ("amount(a)", "", None),
    ("day(a, '%d.%m.%Y')", "32.10.2026", 'a = "32.10.2026" gives no day (name)'),
    ("coalesce(amount(a), 0)", "abc", 'a = "abc" gives no amount (name)'),
    ("case when a = 'free' then 0 else amount(a) end", "free", None),
    ("case when a = 'free' then 0 else amount(a) end", "5 E", 'a = "5 E" gives no amount (name)'),
    ("if(a <> 'x' and amount(a) > 0, 'y', 'n')", "x", None),
    ("if(a = 'x' or amount(a) > 0, 'y', 'n')", "x", None),
    ("if(a = 'z' or amount(a) > 0, 'y', 'n')", "x", 'a = "x" gives no amount (name)'),
    ("coalesce(b, amount(a) || '')", "x", None),
    ("amount(a) * amount(b)", "9" * 25, f'a = "{"9" * 25}", b = "10000" gives no number (name)'),
    ("amount(a) / (amount(b) - 10000)", "1", 'a = "1", b = "10000" gives no number (name)'),
    ("nullif(a, '0')", "0", None),
    ("amount(a || b)", "x", 'a = "x", b = "10000" gives no amount (name)'),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "text", "said"), FAULTS)
def test_a_value_that_gives_none_is_told_where_it_was_asked_for(
    expression: str, text: str, said: str | None
) -> None:
    source = a_source(
        rows="products", orders=None, products={"product_id": "'p'", "name": expression}
    )
    _, faults = shaped(source, ["a", "b"], [["", ""], [text, "10000"]])
    assert [fault.message for fault in faults] == ([said] if said else [])
    assert all((fault.row, fault.line, fault.kind) == (1, 3, "products") for fault in faults)


def test_a_condition_that_cannot_be_judged_is_told() -> None:
    source = a_source(
        leave_out={"credit": "amount(total) < 0"},
        orders=ORDERS | {"where": "day(bought, '%Y-%m-%d') > '2000'"},
    )
    rows = [["1", "2026-01-01", "abc"], ["2", "soon", "1"], ["3", "2026-01-01", "-1"]]
    found, faults = shaped(source, ["id", "bought", "total"], rows)
    assert [fault.message for fault in faults] == [
        'total = "abc" gives no amount (leave_out)',
        'bought = "soon" gives no day (where)',
    ]
    assert found.kinds["orders"].num_rows == 0
    assert found.of_no_kind.num_rows == 0
    assert found.left_out.to_pylist() == [{"row": 2, "line": 4, "reason": "credit"}]


def test_a_lookup_gives_its_value_or_none() -> None:
    source = a_source(
        rows="products",
        orders=None,
        products={
            "product_id": "id",
            "category": "lookup('cats', cat)",
            "name": "if(in_lookup('gone', id), 'gone', 'here')",
        },
        lookups={"cats": {"key": "No", "value": "Name"}, "gone": {"key": "id"}},
    )
    compiled = compile_source(source, ["id", "cat"])
    cats = pa.table({"Name": ["Books ", "", "Toys"], "no": ["1", "2", "3"]})
    gone = pa.table({"id": ["a", "a"]})
    rows = [["a", "1"], ["b", "2"], ["c", "9"], ["d", ""]]
    with Shaper(compiled, {"cats": cats, "gone": gone}) as shaper:
        products = shaper.shape(a_block(compiled.header, rows)).kinds["products"].to_pylist()
    assert [(p["product_id"], p["category"], p["name"]) for p in products] == [
        ("a", "Books", "gone"), ("b", None, "here"), ("c", None, "here"), ("d", None, "here"),
    ]  # fmt: skip
    for lookups, said in [
        ({"gone": gone}, "the file of lookup cats of source my-shop v1 is not there"),
        ({"cats": gone, "gone": gone}, 'has no column "No"; it has "id"'),
        (
            {"cats": pa.table({"No": ["1", "1"], "Name": ["a", "b"]}), "gone": gone},
            "several things",
        ),
    ]:
        with pytest.raises(DataRejected, match=said):
            Shaper(compiled, lookups)


def test_a_header_names_what_lacks_and_what_stands_twice() -> None:
    with pytest.raises(InvalidHeader) as refused:
        compile_source(a_source(), ["ID", "Bought", "bought ", "Totl"])
    assert [(fault.name, fault.key, fault.doubled) for fault in refused.value.faults] == [
        ("total", "orders.total_amount", False)
    ]
    with pytest.raises(InvalidHeader, match='"bought" stands in the header more than once'):
        compile_source(a_source(), ["id", "Bought", "BOUGHT", "total"])


def test_columns_are_bound_by_name_in_any_order_and_case() -> None:
    compiled = compile_source(a_source(), ["\ufeffTotal", "extra", " ID ", "Bought"])
    assert compiled.unknown_columns == ("extra",)
    found, _ = shaped(compiled, compiled.header, [["5", "x", "1", "2026-01-01"]])
    assert found.kinds["orders"].to_pylist()[0]["order_id"] == "1"


def test_an_optional_column_may_lack() -> None:
    source = a_source(orders=ORDERS | {"currency": 'optional("Currency")'})
    compiled = compile_source(source, ["id", "bought", "total"])
    assert compiled.absent_columns == ("Currency",)
    row = ["1", "2026-01-01", "5"]
    assert shaped(compiled, compiled.header, [row])[0].kinds["orders"]["currency"].to_pylist() == [
        None
    ]
    full, _ = shaped(source, ["id", "bought", "total", "currency"], [[*row, "EUR"]])
    assert full.kinds["orders"]["currency"].to_pylist() == ["EUR"]


@pytest.mark.parametrize(
    ("total", "extra"),
    [
        ("sum_of_lines", "0.00"),
        ("sum_of_lines + amount(ship)", "4.99"),
        ("amount(ship) + sum_of_lines - 1.005", "3.98"),
        ("sum_of_lines - amount(ship)", "-4.99"),
        ("sum_of_lines + amount(ship) * 2 + 1", "10.97"),
    ],
)
def test_a_total_from_lines_says_what_is_added(total: str, extra: str) -> None:
    source = a_source(orders=ORDERS | {"total_amount": total})
    compiled = compile_source(source, ["id", "bought", "ship"])
    assert compiled.total_from_lines
    orders = shaped(compiled, compiled.header, [["1", "2026-01-01", "4.985"]])[0].kinds["orders"]
    assert "total_amount" not in orders.column_names
    assert orders["total_extra"].to_pylist() == [extra]


SLOW = "regexp_replace(a, '" + "(a|b|c|d|e|f)*" * 12 + "x', 'y', 'g')"


@pytest.mark.medium
def test_an_expression_that_is_allowed_and_slow_is_stopped() -> None:
    """RE2 tries the pattern from every character of a long text: quadratic, and allowed."""
    source = a_source(rows="products", orders=None, products={"product_id": "'p'", "name": SLOW})
    compiled = compile_source(source, ["a"])
    block = a_block(["a"], [[f"{number}{'abcdef' * 300}"] for number in range(20_000)])
    with (
        Shaper(compiled, block_seconds=0.3) as shaper,
        pytest.raises(SourceTooSlow, match=r"more than 0\.3 seconds"),
    ):
        shaper.shape(block)
