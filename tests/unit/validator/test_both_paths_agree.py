"""The block-wise reader against a plain one: same accepted values, same bad rows, any blocks."""

import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.file_contracts import file_contract
from services.validator.reading.file_check import check_file
from tests.support.examples import examples
from tests.support.standing_rows import that_stand
from tests.unit.validator.plain_reader import COLUMNS, TODAY, read_plainly

SNIPPETS = st.sampled_from(
    [
        '"',
        '""',
        ",",
        ",,",
        " ",
        "\t",
        "\r",
        "\n",
        "\r\n",
        "a",
        "ä",
        "x y",
        "é\u200b",
        "-",
        ".",
        "7",
        "\x07",
        "\0",
        "\x01",
        "=",
        '="',
        '" ',
        ' "',
    ]
)
HEALTHY = {
    "orders": [
        "1,u1,2025-07-07,10.00,paid",
        ' 2, "u, 2" ,2025-07-08,"5",Returned',
        "3,u,2026-11-24,0,x",
    ],
    "order_items": ["1,2001,2,75.00", '1,"20""01",1,.5', "2,p,1000000,9999999999.99"],
    "products": ["1,Toys,Bear,5.00", '2,Toys,"Big\nBear",5.1', '3,"a,b","c""d",7', "4,Spiel,Bär,1"],
}
UNUSUAL = {
    "orders": [
        '="07",u1,2025-07-07,1,paid',
        '8,"u" ,2025-07-07, "2",="a""b"',
        '9,="",2025-07-07,1,x',
    ],
    "order_items": [
        '="1", "2001" ,2,="75.00"',
        '2,="a,b",3,4',
        '3,"=""7""",1,1',
        '4,="=7",1,1',
        '5,="=""7""",1,1',
    ],
    "products": [
        '5,Toys,"Big\r\nBear\n",5.00',
        "6,Toys,a\rb\rc,5",
        '7,"To\nys","two\nlines",5',
        '8,Toys,"a\n1,Toys,Bear,5.00\nb",5',
        "9,Toys,a\x01b,5",
        '="10","Toys" , "a ""big"" one\n,, of it", 5',
        '13,Toys,="a\nb",5',
        '14,Toys,"a\nb",5,6',
        '15,Toys,"a\rb",5',
        "\r16,Toys,b,5",
        '17,"a,b"\rc,5',
        "18,Toys,b,5\r ",
        '11,Toys,"x\n' + "y" * 1023 + '",5',
    ],
}
CELLS = st.one_of(
    st.sampled_from(
        [
            "",
            "1",
            "1001",
            '"1"',
            "2025-02-30",
            "2025-02-28",
            "2026-11-25",
            "1969-12-31",
            "2025-7-1",
            "0.005",
            "12.5",
            "12.50",
            "-1",
            "-0.00",
            "1e3",
            "10000000000",
            "0" * 20 + "1",
            "1,000",
            "NaN",
            "+1",
            "5.",
            "1000001",
            "9" * 30,
            "completed",
            "Returned",
            "ß" * 64,
            "İ",
            "x" * 65,
            '"a\nb"',
            '"a',
            'b"',
            'c"d',
        ]
    ),
    st.text(max_size=6).filter(str.isprintable),
)


def lines_of(kind):
    row = st.lists(CELLS, min_size=len(COLUMNS[kind]), max_size=len(COLUMNS[kind])).map(",".join)
    ragged = st.lists(CELLS, max_size=7).map(",".join)
    noise = st.lists(SNIPPETS, max_size=12).map("".join)
    changed = st.builds(
        lambda line, at, what: line[:at] + what + line[at:],
        st.sampled_from(HEALTHY[kind] + UNUSUAL[kind]),
        st.integers(0, 30),
        SNIPPETS,
    )
    return st.one_of(
        st.sampled_from(HEALTHY[kind] + UNUSUAL[kind]), changed, row, ragged, noise, st.just("")
    )


@st.composite
def texts(draw, kind):
    lines = draw(st.lists(lines_of(kind), max_size=12))
    ends = draw(
        st.lists(st.sampled_from(["\n", "\r\n", "\r"]), min_size=len(lines), max_size=len(lines))
    )
    text = "".join(line + end for line, end in zip(lines, ends, strict=True))
    return text if draw(st.booleans()) else text.removesuffix("\n").removesuffix("\r")


def read_in_blocks(text, kind, block_bytes):
    accepted, bad = [], []
    header = ",".join(COLUMNS[kind]) + "\n"
    check = check_file(
        lambda: io.BytesIO((header + text).encode()),
        file_contract(kind),
        name=f"{kind}/a.csv",
        today=TODAY,
        max_rejected_fraction=1.0,
        on_accepted=lambda table: accepted.extend(tuple(row.values()) for row in table.to_pylist()),
        on_quarantined=lambda rows: bad.extend((r.line, r.rule, r.column, r.raw) for r in rows),
        block_bytes=block_bytes,
    )
    accepted = that_stand(check, accepted)
    assert check.rows_in == len(accepted) + len(bad) + check.duplicates
    return accepted, sorted(bad)


@pytest.mark.medium
@settings(max_examples=examples(300))
@given(
    kind_and_text=st.sampled_from(sorted(COLUMNS)).flatmap(
        lambda kind: st.tuples(st.just(kind), texts(kind))
    ),
    block_bytes=st.sampled_from([1, 7, 40, 200, 8 << 20]),
)
@example(("orders", '1,"u,2025-07-07,1,paid\n2,u,2025-07-07,1,paid\n'), 8 << 20)
@example(("products", "\n".join(UNUSUAL["products"]) + "\n"), 8 << 20)
@example(("orders", "\n".join(UNUSUAL["orders"]) + "\n"), 8 << 20)
@example(("order_items", "\n".join(UNUSUAL["order_items"]) + "\n"), 8 << 20)
@example(("products", "1,a,b\rc\rd,5\n2,a,b,5\n"), 8 << 20)
@example(("products", '1,a,"b\nc",5\n2,a,b",5\n3,a,b,5\n'), 40)
def test_blocks_of_any_size_read_as_the_plain_reader_does(kind_and_text, block_bytes):
    kind, text = kind_and_text
    assert read_in_blocks(text, kind, block_bytes) == read_plainly(text, kind)
