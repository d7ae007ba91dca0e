"""Expressions that are more than a value of the row: each is refused, with line, key and advice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.sources.faults import InvalidSource
from services.runtime.sources.compilation import check_source, compile_source
from services.runtime.sources.compiled import InvalidHeader
from tests.support.sources import ORDERS, a_source, shaped

HOSTILE = {
    # queries
    "(select 1)": "queries are refused",
    "exists(select 1)": "queries are refused",
    "a in (select 1)": "queries are refused",
    "a = any(select 1)": "queries are refused",
    "a from range(10)": "this is a query (FROM)",
    "a limit 1": "this is a query",
    "a; drop table block": "",
    "1 union select 2": "",
    "a) from block where (true": "",
    "a, b": "several values",
    "a as b": "a name behind a value",
    "distinct a": "this is a query",
    "read_csv('/etc/passwd')": "there is no function",
    "a from '/etc/passwd'": "this is a query",
    "a where true": "this is a query (WHERE)",
    # other rows
    "sum(a)": "write sum_of_lines",
    "count(*)": "",
    "max(a)": "there is no function",
    "string_agg(a, ',')": "there is no function",
    "sum(a) over ()": "windows over other rows",
    "row_number() over ()": "windows over other rows",
    "lag(a) over ()": "windows over other rows",
    "upper(a) filter (where true)": "called plainly",
    "upper(distinct a)": "called plainly",
    "upper(a order by a)": "called plainly",
    "unnest([a])": "there is no function",
    "generate_subscripts([1], 1)": "there is no function",
    # outside
    "getenv('HOME')": "there is no function",
    "current_setting('threads')": "there is no function",
    "getvariable('x')": "there is no function",
    "read_text('/etc/passwd')": "there is no function",
    "read_blob('/etc/passwd')": "there is no function",
    "glob('/*')": "there is no function",
    "query('select 1')": "there is no function",
    "query_table('block')": "there is no function",
    "pg_sleep(10)": "there is no function",
    "sleep(10)": "there is no function",
    "version()": "there is no function",
    "current_database()": "there is no function",
    "txid_current()": "there is no function",
    "write_log('x')": "there is no function",
    "nextval('x')": "there is no function",
    "error('x')": "there is no function",
    "json_execute_serialized_sql('x')": "there is no function",
    # not the same each time
    "random()": "there is no function",
    "uuid()": "there is no function",
    "gen_random_uuid()": "there is no function",
    "now()": "write a column of the file",
    "today()": "write a column of the file",
    "setseed(0.5)": "there is no function",
    "hash(a)": "there is no function",
    # memory and time
    "repeat(a, 1000000000)": "there is no function",
    "lpad(a, 1000000000, 'x')": "a whole number up to 1000",
    "rpad(a, length(a), 'x')": "a constant here",
    "printf('%1000000000d', 1)": "write ||",
    "format('{:1000000000}', a)": "write ||",
    "bar(1, 0, 1, 1000000000)": "there is no function",
    "range(1000000000)": "there is no function",
    "generate_series(1, 1000000000)": "there is no function",
    "list_transform([1], x -> x)": "there is no function",
    "list_reduce([1, 2], (x, y) -> x + y)": "there is no function",
    "apply([1], lambda x: x)": "there is no function",
    "[x for x in [1]]": "",
    "x -> x": "lambdas are refused",
    "lambda x: x": "",
    "factorial(20)": "there is no function",
    "a!": "there is no function",
    "2 ** 9999": "",
    "replace(replace(a, 'a', repeat('x', 9)), 'x', 'y')": "there is no function",
    "replace(a, '', '" + "x" * 100 + "')": "grow without end",
    "replace(replace(a, 'a', 'bbbbbbbbbb'), 'b', 'cccccccccc')": "grow without end",
    r"regexp_replace(a, '.', '" + r"\0" * 60 + "', 'g')": "grow without end",
    "regexp_replace(regexp_replace(a, 'a', 'aaaaaaaaa', 'g'), 'a', 'aaaaaaaaa', 'g')": "grow",
    " || ".join(["a"] * 65): "grow without end",
    "regexp_matches(a, '((a{1,100}){1,100}){1,100}')": "too large",
    "regexp_matches(a, '(a{1000}){1000}')": "too large",
    "regexp_matches(a, 'a{99999999999}')": "too large",
    "regexp_matches(a, '(')": "is no regular expression",
    r"regexp_matches(a, '(a)\1')": "is no regular expression",
    "regexp_matches(a, '(?=a)')": "is no regular expression",
    "regexp_matches(a, a)": "a constant here",
    "a ~ a": "a constant here",
    "a similar to a": "",
    "a like a": "a constant here",
    "regexp_matches(a, 'x', 'zzz')": "options of",
    "not " * 450 + "a": "nested too deep",
    "round(" * 101 + "amount(a)" + ")" * 101: "nested too deep",
    "nullif(" * 40 + "a" + ", 'x')" * 40: "too large",
    "text(" * 40 + "a" + ")" * 40: "too large",
    "case a " * 3 + "when 1 then 2 end " * 3: "write `case when a = 'b'`",
    "+".join(["amount(a)"] * 1500): "",
    "case when true then " * 300 + "a" + " end" * 300: "",
    "text(amount(" * 10 + "a" + "))" * 10: "",
    "day(" * 10 + "a" + ", '%Y-%m-%d')" * 10: "calls stand within calls too deep",
    # what is no value of the row
    "?": "parameters are refused",
    "$1": "parameters are refused",
    "$name": "parameters are refused",
    "*": "* is refused",
    "columns('a')": "* is refused",
    "#1": "bound by name, never by position",
    "default": "",
    "a collate nocase": "collations are refused",
    "[1, 2]": "there is no function",
    "{'a': 1}": "called plainly",
    "map {'a': 1}": "",
    "a[1]": "is refused",
    "a[1:2]": "is refused",
    "row(a, b)": "there is no function",
    "struct_pack(x := a)": "called plainly",
    "x'00'": "constants",
    "interval 1 day": "",
    "a.b": "a name with a dot is written in quotes",
    "main.upper(a)": "called plainly",
    "a.upper()": "called plainly",
    "try(a)": "try is refused",
    "grouping(a)": "",
    # types
    "a::int": "write amount(text)",
    "cast(a as decimal(10, 2))": "write amount(text)",
    "try_cast(a as double)": "write amount(text)",
    "a::date": "write day(text, format)",
    "a::timestamptz": "write day(text, format)",
    "date '2026-01-01'": "write day(text, format)",
    "a::boolean": "",
    "a::json": "casts to",
    "a::blob": "casts to",
    "a + 1": 'write amount("a")',
    "a * b": 'write amount("a")',
    "-a": 'write amount("a")',
    "a > 1": 'write amount("a")',
    "a = 1": 'write amount("a")',
    "coalesce(a, 0)": 'write amount("a")',
    "case when a then 'x' end": "when needs a condition",
    "a and b": "and needs a condition",
    "not a": "not needs a condition",
    "a is null": "a condition is no value",
    "amount(a = 'x')": "a boolean",
    "1e5": "without exponent",
    "1.12345678901": "10 decimals",
    "12345678901234567890": "18 digits",
    "amount(a) // 2": "write floor(a / b)",
    # our macros
    "day(a)": "day takes 2 to 3 values",
    "day(a, b)": "a constant here",
    "day(a, '%Y-%m')": "names no day",
    "day(a, '%H:%M')": "names no day",
    "day(a, '%Y-%m-%d %Z')": "names of zones",
    "day(a, '%z %Y-%m-%d')": "%z has to stand at the end",
    "day(a, '%Y-%m-%d %q')": "means nothing",
    "day(a, '%Y-%m-%d %')": "means nothing",
    "day(a, '%Y-%m-%d %Y')": "names a part twice",
    "day(a, '%Y-%m-%d', 'Europe/Berln')": "did you mean 'Europe/Berlin'?",
    "day(a, '%Y-%m-%d', a)": "a constant here",
    "amount()": "amount takes 1 values",
    "amount(a, b)": "amount takes 1 values",
    "lookup('none', a)": 'there is no lookup "none"',
    "lookup(a, b)": "there is no lookup",
    "row_number": "stands only in order_items",
    "row_text": "stands only in leave_out and where",
    "sum_of_lines": "stands only in orders.total_amount",
    "optional('a')": "optional takes a column",
    "uper(a)": 'did you mean "upper"?',
    "amont(a)": 'did you mean "amount"?',
    "strptime(a, '%Y')": "write day(text, format)",
    "Order ID": 'a column whose name is more than one word is written as "Order ID"',
    "Lineitem price paid": "no DuckDB expression",
    "a +": "no DuckDB expression",
    "'open": "no DuckDB expression",
}


@pytest.mark.medium
@pytest.mark.parametrize("expression", HOSTILE)
def test_what_is_no_value_of_the_row_is_refused_where_it_stands(expression: str) -> None:
    source = a_source(orders=ORDERS | {"status": expression[:2000]})
    with pytest.raises(InvalidSource) as refused:
        check_source(source)
    [fault] = refused.value.faults
    line = source.mappings[0].columns["status"].line
    assert (fault.line, fault.key) == (line, "orders.status")
    assert HOSTILE[expression] in fault.message
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("word", ["current_timestamp", "current_date", "rowid", "a1", "m0", "n"])
def test_only_columns_of_the_header_are_names(word: str) -> None:
    """Not the database's words, nor the names that we give in our own query."""
    source = a_source(orders=ORDERS | {"status": word})
    with pytest.raises(InvalidHeader, match=f'there is no column "{word}"'):
        compile_source(source, ["id", "bought", "total"])


PIECES = st.sampled_from(
    [
        "a", '"a"', "'x'", "1", "1.5", "null", "true", "(", ")", ",", " ", "+", "-", "*", "/", "%",
        "||", "=", "<>", "<", " and ", " or ", " not ", " is null", " in ", " between ", " like ",
        "case when ", " then ", " else ", " end", "::", "text", "int", "amount(", "day(", "text(",
        "lookup(", "in_lookup(", "optional(", "upper(", "replace(", "regexp_matches(", "coalesce(",
        "nullif(", "round(", "if(", "'%Y-%m-%d'", "'['", "row_number", "row_text", "sum_of_lines",
        "->", "[", "]", "{", "}", "$1", "?", ";", "--", "/*", "select ", " over ()", "é", "\n",
    ]
)  # fmt: skip
"""What expressions are made of, in no order."""


@given(
    st.lists(PIECES, min_size=1, max_size=25).map("".join),
    st.sampled_from(["status", "total_amount"]),
)
def test_no_expression_breaks_the_compiler_and_what_it_lets_through_runs(
    expression: str, column: str
) -> None:
    if not expression.strip():
        return
    source = a_source(orders=ORDERS | {column: expression})
    try:
        compiled = compile_source(source, ["id", "bought", "total", "a"])
    except (InvalidSource, InvalidHeader):
        return
    rows = [["1", "2026-01-01", "5", text] for text in ("", "x", "1.50", "2026-01-01", "é'\"")]
    found, _ = shaped(compiled, compiled.header, rows)
    assert found.kinds["orders"].num_rows == len(rows)


@pytest.mark.medium
@pytest.mark.parametrize(
    "expression",
    [
        "+".join(["amount(a)"] * 95),
        "*".join(["amount(a)"] * 95),
        "/".join(["amount(a)"] * 95),
        " or ".join(["a = 'x'"] * 95).join(["case when ", " then a end"]),
        "case when a = 'x' then amount(a) else " * 25 + "amount(a)" + " end" * 25,
        "coalesce(amount(a), " * 45 + "amount(a)" + ")" * 45,
        "round(" * 90 + "amount(a)" + ")" * 90,
        "trim(" * 90 + "a" + ")" * 90,
        "nullif(" * 8 + "a" + ", 'x')" * 8,
        "case " * 2 + "a" + (" when '1' then '2'" * 15 + " end") * 2,
        "case when " + "not (" * 60 + "amount(a) > 1" + ")" * 60 + " then a end",
    ],
    ids=lambda expression: expression[:20],
)
def test_what_is_as_deep_as_it_may_be_runs(expression: str) -> None:
    rows = [["1", "2026-01-01", "5", text] for text in ("1", "x")]
    source = a_source(orders=ORDERS | {"status": expression})
    found, _ = shaped(source, ["id", "bought", "total", "a"], rows)
    assert found.kinds["orders"].num_rows == len(rows)
