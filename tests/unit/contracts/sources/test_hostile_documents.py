"""YAML that is no source: each is refused, with the line and key where it stops being one."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from contracts.sources.documents import MAX_BYTES
from contracts.sources.faults import InvalidSource, SourceFault
from contracts.sources.parser import parse_source
from tests.support.sources import a_document

HEAD = b"source: my-shop\nversion: 1\ntitle: My shop\nrows: orders\n"
ORDERS = b"orders:\n  order_id: id\n  order_date: bought\n  total_amount: total\n"
BOMB = b"a: &a [x, x]\n" + b"".join(
    b"%c: &%c [*%c, *%c]\n" % (at, at, at - 1, at - 1) for at in range(ord("b"), ord("k"))
)

HOSTILE: list[tuple[str, bytes, int, str, str]] = [
    ("an alias bomb", BOMB, 1, "a", "anchors and aliases are refused"),
    ("an anchor on a text", b"source: &x my-shop\n", 1, "source", "anchors"),
    ("an alias", b"source: my-shop\ntitle: *x\n", 2, "title", "aliases"),
    ("an anchor on a mapping", HEAD + b"orders: &o\n  order_id: id\n", 5, "orders", "anchors"),
    ("an object tag", b"source: !!python/object:os.system x\n", 1, "source", "tags"),
    ("a tag on a mapping", HEAD + b"file: !!map\n  decimal: '.'\n", 5, "file", "tags"),
    ("a tag of one's own", b"source: !my x\n", 1, "source", "tags (!my) are refused"),
    ("a key that stands twice", HEAD + b"title: Again\n", 5, "title", "stood in line 3 already"),
    (
        "a key that stands twice below another",
        HEAD + ORDERS + b"  order_id: other\n",
        9,
        "orders.order_id",
        '"order_id" stands twice',
    ),
    ("a list as a key", b"? [a]\n: b\n", 1, "", "a key is a plain word"),
    ("a second document", HEAD + ORDERS + b"---\nsource: x\n", 10, "", "one source"),
    ("a list", b"- a\n", 1, "", "begin with `source: <name>`"),
    ("nothing", b"", 1, "", "begin with `source: <name>`"),
    ("a comment alone", b"# here\n", 1, "", "begin with `source: <name>`"),
    ("a text alone", b"hello\n", 1, "", "begin with `source: <name>`"),
    ("broken YAML", b"source: my-shop\ntitle: [\n", 3, "", "this is not YAML"),
    ("an expression without quotes", HEAD + b'orders:\n  status: "a" || x\n', 6, "", "quotes"),
    ("a directive of the future", b"%YAML 9.9\n---\nsource: x\n", 1, "", "this is not YAML"),
    ("a tab in the margin", HEAD + b"orders:\n\torder_id: id\n", 6, "", "this is not YAML"),
    ("a NUL", b"source: my-shop\ntitle: a\x00b\n", 2, "", "U+0000"),
    ("an escape character", b"source: my-shop\ntitle: '\x1b[2J'\n", 2, "", "U+001B"),
    ("a NUL by escape", b'source: my-shop\ntitle: "a\\0b"\n', 2, "title", "U+0000"),
    ("a mark that turns writing", 'title: "\u202e"\n'.encode(), 1, "", "U+202E"),
    ("a mark that turns writing, by escape", b'title: "\\u202e"\n', 1, "title", "U+202E"),
    ("a hidden character in a key", b'"a\\0": 1\n', 1, "", "U+0000"),
    ("Latin-1", b"source: my-shop\ntitle: Caf\xe9\n", 2, "", "not UTF-8"),
    ("UTF-16", "source: x".encode("utf-16"), 1, "", "not UTF-8"),
    ("too many bytes", b"#" * (MAX_BYTES + 1), 1, "", "at most 65,536 bytes"),
    ("a deep list", b"source: " + b"[" * 500 + b"]" * 500, 1, "source" + "[1]" * 8, "levels deep"),
    ("a deep mapping", b"a: " + b"{a: " * 99 + b"}" * 99, 1, "a" + ".a" * 8, "levels deep"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "line", "key", "said"), [c[1:] for c in HOSTILE], ids=[c[0] for c in HOSTILE]
)
def test_what_is_more_than_plain_values_is_refused_where_it_stands(
    content: bytes, line: int, key: str, said: str
) -> None:
    with pytest.raises(InvalidSource) as refused:
        parse_source(content, "my.yaml")
    [fault] = refused.value.faults
    assert (fault.line, fault.key) == (line, key)
    assert said in fault.message
    assert str(refused.value).startswith(f"my.yaml line {line}")


def test_several_faults_are_told_at_once_each_with_the_nearest_name() -> None:
    content = b"""\
source: My-Shop
version: '1'
titel: My shop
rows: order
file: {delimiter: tabs, skip_lines: -1, missing: [a, a]}
leave_out: {No Order: 'x', draft: }
orders:
  order_id: id
  oder_date: bought
  total_amount: [total]
lookups: {cats: {value: x}}
order_items: {order_id: a, product_id: b, quantity: 1}
"""
    with pytest.raises(InvalidSource) as refused:
        parse_source(content, "my.yaml")
    said = [(fault.line, fault.key, fault.message) for fault in refused.value.faults]
    assert said == [
        (1, "", "title is missing"),
        (1, "source", '"My-Shop" must be 2 to 40 of a-z, 0-9 and -, and begin with a letter'),
        (2, "version", "this has to be a whole number without quotes"),
        (3, "titel", 'there is no such key; did you mean "title"?'),
        (4, "rows", '"order" is none of "order_lines", "orders", "products"'),
        (5, "file.delimiter", '"tabs" is none of ",", ";", "tab", "|"'),
        (5, "file.missing", "a value stands in the list twice"),
        (5, "file.skip_lines", "-1 is less than the minimum of 0"),
        (6, "leave_out.No Order", '"No Order" must be a word of a-z, 0-9 and _, at most 40 long'),
        (6, "leave_out.draft", "there is no value here"),
        (7, "orders", "order_date is missing"),
        (9, "orders.oder_date", 'there is no such key; did you mean "order_date"?'),
        (10, "orders.total_amount", "this has to be a text; put it in quotes"),
        (11, "lookups.cats", "key is missing"),
        (12, "order_items", "unit_price or line_amount is missing: what does a line cost?"),
    ]


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"rows": "products"}, "rows", "products is missing"),
        ({"rows": "order_lines"}, "rows", "order_items is missing"),
        ({"products": {"product_id": "a"}}, "products", "a row gives orders and no products"),
        ({"file": {"thousands": ","} | {"decimal": ","}}, "file.thousands", "decimal mark"),
        ({"file": {"thousands": "."}}, "file.thousands", "decimal mark"),
        (
            {"carried_down": {"within": "a", "columns": ["b"]}},
            "carried_down",
            "each row is an order of its own",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(
    changes: dict[str, object], key: str, said: str
) -> None:
    with pytest.raises(InvalidSource) as refused:
        parse_source(yaml.safe_dump(a_document(**changes)).encode(), "my.yaml")
    assert any(fault.key == key and said in fault.message for fault in refused.value.faults)


def test_texts_that_yaml_reads_as_something_else_are_texts() -> None:
    content = HEAD + b"file: {missing: [no, on, 1_000, 12:30, 0x10, 2026-01-01]}\n" + ORDERS
    assert parse_source(content, "my.yaml").file.missing == (
        "", "no", "on", "1_000", "12:30", "0x10", "2026-01-01",
    )  # fmt: skip


def test_an_expression_knows_its_line_and_key() -> None:
    source = parse_source(HEAD + ORDERS + b"  status: |-\n    a ||\n    b\n", "my.yaml")
    status = source.mappings[0].columns["status"]
    assert (status.text, status.line, status.key) == ("a ||\nb", 9, "orders.status")


def faults_of(content: bytes) -> tuple[SourceFault, ...]:
    """What is wrong with a document; any other error than InvalidSource fails the test."""
    try:
        parse_source(content, "my.yaml")
    except InvalidSource as refused:
        return refused.faults
    return ()


@given(st.binary(max_size=300))
def test_no_bytes_break_the_parser(content: bytes) -> None:
    assert all(fault.message for fault in faults_of(content))


PIECES = st.sampled_from(
    [*"[]{}:,&*!|>'\"%@`#?- \n\t", "a", "orders", "&a", "*a", "!!str", "<<", "---", "\\0", "'1'"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=60).map("".join))
def test_no_yaml_breaks_the_parser(text: str) -> None:
    content = HEAD + text.encode()
    assert all(1 <= fault.line <= content.count(b"\n") + 2 for fault in faults_of(content))
