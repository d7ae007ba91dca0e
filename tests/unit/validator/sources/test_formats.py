"""Files of a source as bytes: encodings, delimiters, quotes, what stands before rows."""

import pytest

from tests.support.source_files import read_by

PRODUCTS = """\
source: my-products
version: 1
title: Mine
file: {FILE}
rows: products
products:
  product_id: '"Art. Nr"'
  name: '"Name"'
  price: '"Preis"'
"""


def products(file: str = "{}") -> str:
    return PRODUCTS.replace("{FILE}", file)


ROWS = "Art. Nr,Name,Preis\n1,Käse „gut“,2.50\n2,Öl,3\n"


@pytest.mark.parametrize("block_bytes", [1, 7, 1 << 20])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("name", ["incoming/s/a.csv", "incoming/s/a.csv.gz"])
def test_a_declared_encoding_is_read(encoding: str, block_bytes: int, name: str) -> None:
    source = products(f"{{encoding: {encoding}}}")
    read = read_by(source, ROWS.encode(encoding), block_bytes=block_bytes, name=name)
    assert [(row["name"], row["source_line"]) for row in read.rows["products"]] == [
        ("Käse „gut“", 2),
        ("Öl", 3),
    ]


def test_latin_1_has_every_byte() -> None:
    read = read_by(products("{encoding: latin-1}"), "Art. Nr,Name,Preis\n1,né,1\n")
    assert read.ids("products", "name") == ["né"]


@pytest.mark.parametrize("mark", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_known_by_its_nuls(mark: str) -> None:
    read = read_by(products("{encoding: utf-16}"), ROWS.encode(mark))
    assert read.ids("products", "name") == ["Käse „gut“", "Öl"]


@pytest.mark.parametrize(
    ("encoding", "content", "said"),
    [
        ("utf-16", ROWS.encode("utf-16")[:-1], "line 3 is not UTF-16"),
        ("utf-16", ROWS.encode("utf-16-le") + b"\x00\xd8\x20\x00", "line 4 is not UTF-16"),
        ("utf-16", ROWS.encode(), "the file is not UTF-16"),
        ("utf-8", ROWS.encode("utf-16"), "the file is UTF-16, not UTF-8"),
        ("cp1252", ROWS.encode("utf-16"), "the file is UTF-16, not Windows-1252"),
        ("cp1252", b"Art. Nr,Name,Preis\n1,a,2\n2,\x81,3\n", "line 3 holds byte 0x81, which Win"),
        ("cp1252", ROWS.encode("utf-8-sig"), "the file is UTF-8, not Windows-1252"),
        ("latin-1", ROWS.encode("utf-8-sig"), "the file is UTF-8, not Latin-1"),
        ("utf-8", ROWS.encode("cp1252"), "line 2 holds byte 0xE4, which is not UTF-8"),
    ],
)
@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
def test_another_encoding_than_the_declared_one_rejects_the_file(
    encoding: str, content: bytes, said: str, block_bytes: int
) -> None:
    read = read_by(products(f"{{encoding: {encoding}}}"), content, block_bytes=block_bytes)
    assert read.check.rule == "file.encoding"
    assert said in (read.check.reason or "")


@pytest.mark.parametrize(("delimiter", "sign"), [(";", ";"), ("tab", "\t"), ("'|'", "|")])
def test_a_declared_delimiter_is_read(delimiter: str, sign: str) -> None:
    source = products(f'{{delimiter: {delimiter}, decimal: ",", thousands: "."}}')
    content = f'Art. Nr{sign}Name{sign}Preis\n1{sign}"a{sign}b"{sign}"1.234,50"\n'
    [row] = read_by(source, content).rows["products"]
    assert (row["name"], row["price_cents"]) == (f"a{sign}b", 123450)


def test_another_delimiter_is_told_with_the_columns_that_lack() -> None:
    read = read_by(products(), ROWS.replace(",", ";"))
    assert read.check.rule == "file.header"
    assert "seem to be separated by semicolons, and the source says commas" in (
        read.check.reason or ""
    )


@pytest.mark.parametrize("block_bytes", [1, 3, 1 << 20])
def test_without_quoting_a_quote_is_a_letter(block_bytes: int) -> None:
    source = products("{delimiter: tab, quoting: none}")
    content = 'Art. Nr\tName\tPreis\n1\t"Bild 24"" gross\t1\n2\t""\t2\n"3"\t5" Rohr\tx"\n'
    read = read_by(source, content, block_bytes=block_bytes)
    assert [(row["product_id"], row["name"]) for row in read.rows["products"]] == [
        ("1", '"Bild 24"" gross'),
        ("2", '""'),
    ]
    assert read.raw(4) == '"3"\t5" Rohr\tx"'
    assert 'Preis = "x"" gives no amount (price)' in read.message(4)


@pytest.mark.parametrize("block_bytes", [1, 3, 1 << 20])
def test_a_backslash_escapes_where_that_is_declared(block_bytes: int) -> None:
    source = products("{quoting: backslash}")
    content = (
        "Art. Nr,Name,Preis\n"
        r'1,"a \"b\", c",1' + "\n"
        r'2,"ends in \\",2' + "\n"
        r'3,"doubled """,3' + "\n"
        r'4,"a \"line' + "\n" + r'more\"",4' + "\n"
        r"5,c:\dir,5" + "\n"
        r'6,"\"",x\\' + "\n"
    )  # fmt: skip
    read = read_by(source, content, block_bytes=block_bytes)
    assert [(row["name"], row["source_line"]) for row in read.rows["products"]] == [
        ('a "b", c', 2),
        ("ends in \\", 3),
        ('doubled "', 4),
        ('a "line\nmore"', 5),
        ("c:\\dir", 7),
    ]
    assert read.raw(8) == r'6,"\"",x\\'


def test_a_backslash_is_a_letter_where_quotes_are_doubled() -> None:
    read = read_by(products(), 'Art. Nr,Name,Preis\n1,"a \\"b\\"",1\n2,b,1\n')
    assert read.said() == [(2, "record.quote")]
    assert read.ids("products", "product_id") == ["2"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("block_bytes", [1, 5, 1 << 20])
def test_lines_count_as_they_stand_in_the_file(end: str, block_bytes: int) -> None:
    content = end.join(
        [
            'A title, of "any" kind',
            "",
            "Art. Nr,Name,Preis",
            "1,a,1",
            "",
            '2,"b',
            'c",x',
            "3,c,1",
            "",
        ]
    )
    read = read_by(products("{skip_lines: 2}"), content, block_bytes=block_bytes)
    assert [row["source_line"] for row in read.rows["products"]] == [4, 8]
    assert read.said() == [(6, "price.format")]
    assert read.raw(6) == f'2,"b{end}c",x'


def test_utf_16_counts_lines_of_the_text() -> None:
    content = '\ufeffArt. Nr,Name,Preis\r\n1,"a\r\nb",1\r\n2,ä,x\r\n'.encode("utf-16-le")
    read = read_by(products("{encoding: utf-16}"), content)
    assert read.said() == [(4, "price.format")]
    assert read.raw(4) == "2,ä,x"


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("Art. Nr,Name", 'there is no column "Preis"'),
        ("Art. Nr,Name,Preise", 'there is no column "Preis"; did you mean "Preise"?'),
        ("Art. Nr,Name,Preis,Preis", 'column "Preis" stands in the header more than once'),
        ('Art. Nr,"Name,Preis', "the header line is not readable"),
        ("1,Milch,2.50", 'there is no column "Art. Nr"'),
    ],
)
def test_a_header_that_lacks_a_column_rejects_the_file(header: str, said: str) -> None:
    read = read_by(products(), f"{header}\n1,a,1,1\n")
    assert (read.check.rule, read.rows) == ("file.header", {})
    assert said in (read.check.reason or "")


def test_columns_are_bound_by_name_and_others_ignored() -> None:
    read = read_by(products(), "Lager,preis,Name,Lager,Art. Nr,\n7,2,a,8,1,\n")
    [row] = read.rows["products"]
    assert (row["product_id"], row["name"], row["price_cents"]) == ("1", "a", 200)
    assert read.check.unknown_columns == ("Lager", "Lager")


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("", "file.empty"),
        ("\n\n", "file.empty"),
        ("Art. Nr,Name,Preis\n", "file.no_rows"),
        ("PK\x03\x04rest", "file.binary"),
    ],
)
def test_a_file_without_rows_is_rejected(content: str, rule: str) -> None:
    assert read_by(products(), content).check.rule == rule
    skipping = read_by(products("{skip_lines: 5}"), content)
    assert skipping.check.rule == ("file.binary" if "PK" in content else "file.empty")


def test_a_source_that_names_no_column_is_read_and_its_rows_are_told() -> None:
    source = products()
    for column, value in (("Art. Nr", "nullif('', '')"), ("Name", "lower('x')"), ("Preis", "1")):
        source = source.replace(f"""'"{column}"'""", value)
    read = read_by(source, ROWS)
    assert read.said() == [(2, "product_id.required"), (3, "product_id.required")]
    assert "product_id is empty" in read.message(2)
