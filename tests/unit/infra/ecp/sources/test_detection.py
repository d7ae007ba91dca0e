"""`ecp sources detect`: a platform is named for sure, or not at all."""

import csv
import gzip
import json
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from contracts.printable import is_shown
from contracts.sources.parser import parse_source
from contracts.sources.shipped import shipped_source, shipped_sources
from infra.ecp.app import app
from infra.ecp.sources import commands, detection, measuring
from infra.ecp.sources.detection import fit_of, known_exports, needed_columns, sure_source
from infra.ecp.sources.measuring import HEAD_BYTES
from tests.support.sources import a_source

EXPORTS = yaml.safe_load(
    Path(detection.__file__).with_name("known_exports.yaml").read_text(encoding="utf-8")
)
HEADERS = [
    (name, next(csv.reader([entry["header"]], skipinitialspace=True)))
    for name, entries in EXPORTS.items()
    for entry in entries
]


def detect(*paths: Path) -> Result:
    return CliRunner().invoke(app, ["sources", "detect", *map(str, paths), "--json"])


def a_file(path: Path, header: Sequence[str], source: str = "shopify-orders") -> Path:
    """A file of a header and one row of empty cells, in the format of a source."""
    file = shipped_source(source).file
    lines = [header, [""] * len(header)]
    quoted = ([f'"{cell}"' if "," in cell else cell for cell in line] for line in lines)
    text = "".join(file.delimiter.join(line) + "\n" for line in quoted)
    path.write_bytes(text.encode(file.encoding))
    return path


@pytest.mark.medium
@pytest.mark.parametrize(("name", "header"), HEADERS)
def test_each_known_export_is_named_with_its_version(
    name: str, header: list[str], tmp_path: Path
) -> None:
    said = json.loads(detect(a_file(tmp_path / "x.csv", header, name)).stdout)
    assert (said["source"], said["version"], said["confidence"]) == (name, 1, 1.0)
    assert said["export"] in {entry["export"] for entry in EXPORTS[name]}
    assert said["draft"] is None
    assert sure_source(header) == name


def test_every_shipped_source_has_a_header_that_is_known() -> None:
    for name in shipped_sources():
        source = shipped_source(name)
        known = known_exports(source)
        assert known, name
        assert all(set(needed_columns(source)) <= export.columns for export in known), name


@pytest.mark.parametrize(("name", "header"), HEADERS)
def test_order_of_columns_and_further_ones_do_not_matter(name: str, header: list[str]) -> None:
    assert sure_source([*reversed(header), "Something new"]) == name


@pytest.mark.parametrize(("name", "header"), HEADERS)
def test_a_needed_column_that_lacks_is_renamed_or_stands_twice_makes_it_unsure(
    name: str, header: list[str]
) -> None:
    needed = needed_columns(shipped_source(name))[0]
    others = [column for column in header if column != needed]
    assert sure_source(others) is None
    assert sure_source([*others, needed.swapcase()]) is None
    assert sure_source([*header, needed]) is None


@pytest.mark.medium
def test_what_keeps_a_header_from_its_source_is_named(tmp_path: Path) -> None:
    [header] = [header for name, header in HEADERS if name == "shopify-orders"]
    renamed = ["Created" if column == "Created at" else column for column in header]
    path = a_file(tmp_path / "x.csv", renamed)
    found = json.loads(detect(path).stdout)
    assert found["source"] is None
    assert found["nearest"] == {"source": "shopify-orders", "missing": ["Created at"]}
    said = CliRunner().invoke(app, ["sources", "detect", str(path)]).stdout
    assert 'that of shopify-orders, but it does not have "Created at" once' in said


def test_a_header_that_is_mostly_another_one_s_is_not_sure() -> None:
    needed = needed_columns(shipped_source("northwind-products"))
    assert sure_source([*needed, *(f"More {number}" for number in range(40))]) is None


def test_two_sources_that_fit_as_well_make_neither_sure() -> None:
    own = [a_source(source=f"shop-{letter}") for letter in "ab"]
    assert sure_source(["id", "bought", "total"], own[:1]) == "shop-a"
    assert sure_source(["id", "bought", "total"], own) is None


def test_a_source_of_one_s_own_is_known_by_any_of_its_whole_headers() -> None:
    header = ["id", "bought", "total", *(f"More {number}" for number in range(20))]
    other = [*header[:3], *(f"Else {number}" for number in range(20))]
    known = a_source(source="shop-a", headers=[header, other])
    unknown = a_source(source="shop-b")
    assert fit_of(known, header).share == fit_of(known, list(reversed(other))).share == 1
    assert 0.9 < fit_of(known, [*header, "New"]).share < 1
    assert sure_source([*header, "New"], [known, unknown]) == "shop-a"
    assert sure_source(header, [unknown]) == "shop-b"
    assert sure_source([*header[:3], *map(str, range(99))], [known]) is None


@pytest.mark.parametrize("is_known", [True, False])
def test_the_first_rows_are_shown_as_they_would_be_kept(
    is_known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = a_source(orders={
        "order_id": "id", "order_date": "bought", "total_amount": "total", "status": "state",
    })  # fmt: skip
    monkeypatch.setattr(commands, "own_of_the_cloud", lambda: [own] if is_known else [])
    path = tmp_path / "orders.csv"
    rows = "".join(f"{number},2026-10-{number:02d},{number}.50,paid\n" for number in range(1, 13))
    path.write_text(f"id,bought,total,state\n{rows}13,2026-10-32,1,paid\n")
    said = json.loads(detect(path).stdout)
    assert said["source"] == ("my-shop" if is_known else None)
    first = said["first_rows"]
    if not is_known:  # a day that is none makes the column none of days
        assert (first["accepted"], first["quarantined"]) == (0, 13)
        return
    assert (first["rows_in"], first["accepted"], first["quarantined"]) == (13, 12, 1)
    assert "2026-10-32" in first["first_fault"]
    assert [row["order_id"] for row in first["rows"]["orders"]] == [*"123456789", "10"]
    assert first["rows"]["orders"][0] == {
        "order_id": "1", "user_id": None, "order_date": "2026-10-01", "total_amount": 1.5,
        "status": "paid",
    }  # fmt: skip
    shown = CliRunner().invoke(app, ["sources", "detect", str(path)]).stdout
    assert "12 of 13 rows that were read would pass, 1 quarantined" in shown
    assert "2026-10-10" in shown
    assert "2026-10-11" not in shown


def test_a_fit_says_what_lacks() -> None:
    assert fit_of(a_source(), ["id", "Bought"]).missing == ("bought", "total")


def test_a_file_in_another_format_than_its_source_says_is_not_sure(tmp_path: Path) -> None:
    [header] = [header for name, header in HEADERS if name == "amazon-orders"]
    path = tmp_path / "report.csv"
    path.write_text(",".join(header) + "\n")
    said = json.loads(detect(path).stdout)
    assert said["source"] is None
    parse_source(said["draft"].encode(), "draft")


LOOKUPS = {
    "Returned,Order ID\nYes,CA-1\n": ("superstore-orders", "returns"),
    "Order ID,Region,Returned\nCA-1,West,Yes\n": ("superstore-orders", "returns"),
    "CategoryID,CategoryName,Description,Picture\n1,Tea,,\n": ("northwind-products", "categories"),
    "CategoryID,CategoryName\n1,Tea\n": ("northwind-products", "categories"),
}


@pytest.mark.parametrize("text", LOOKUPS)
def test_a_lookup_of_a_shipped_source_is_named_as_that(text: str, tmp_path: Path) -> None:
    source, lookup = LOOKUPS[text]
    path = tmp_path / "\x1b[2Jx.csv"
    path.write_text(text)
    said = json.loads(detect(path).stdout)
    assert said["lookup_of"] == {
        "source": source,
        "lookup": lookup,
        "key": f"incoming/{source}/lookups/{lookup}.csv",
    }
    assert (said["source"], said["draft"]) == (None, None)
    shown = CliRunner().invoke(app, ["sources", "detect", str(path)]).stdout
    assert f"lookup {lookup} of {source} v1" in shown
    assert f"--source {source} --lookup {lookup}=" in shown
    assert all(map(is_shown, shown.replace("\n", "")))


@pytest.mark.parametrize(
    "header",
    ["Order ID,Amount", "Order ID", "CategoryID,Name", "CategoryName,CategoryID,CategoryID"],
)
def test_what_only_has_a_key_or_has_one_twice_is_no_lookup(header: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"{header}\n" + ",".join("1" for _ in header.split(",")) + "\n")
    assert json.loads(detect(path).stdout)["lookup_of"] is None


@pytest.mark.medium
def test_several_files_are_told_in_their_order(tmp_path: Path) -> None:
    paths = [a_file(tmp_path / f"{name}.csv", header, name) for name, header in HEADERS[:3]]
    assert [one["source"] for one in json.loads(detect(*paths).stdout)] == [
        name for name, _ in HEADERS[:3]
    ]


def test_gzip_is_looked_into(tmp_path: Path) -> None:
    plain = a_file(tmp_path / "x.csv", HEADERS[0][1])
    packed = tmp_path / "x.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert json.loads(detect(packed).stdout)["source"] == "shopify-orders"


HOSTILE = {
    "empty.csv": (b"", "it is empty"),
    "blank.csv": (b"\xef\xbb\xbf\r\n \n", "it is empty"),
    "binary.csv": (b"\x00\x01\x02" * 50, "NUL bytes"),
    "utf16.csv": ("a,b\n1,2\n".encode("utf-16-le"), "UTF-16 without its mark"),
    "book.csv": (b"PK\x03\x04rest", "export the sheet as CSV"),
    "cut.csv.gz": (b"\x1f\x8b\x08\x00nothing", "cannot be unpacked"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_table_of_texts_is_refused(name: str, tmp_path: Path) -> None:
    content, why = HOSTILE[name]
    (tmp_path / name).write_bytes(content)
    said = detect(tmp_path / name)
    assert said.exit_code == 1
    assert why in said.stderr


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    said = detect(tmp_path)
    assert (said.exit_code, "this is a directory" in said.stderr) == (2, True)


@pytest.mark.medium
@pytest.mark.parametrize(
    "header",
    ["\x1b[2J,\u202eid,[red]x[/],total", "one", ",,,", '"', "a,a,a", '\'""\',"x""y",#:{}'],
)
def test_a_hostile_header_is_shown_as_text_and_drafted(header: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"{header}\n\x1b[31m1,2,3,4\n")
    for more in ([], ["--json"]):
        for command in ("detect", "draft"):
            said = CliRunner().invoke(app, ["sources", command, str(path), *more])
            assert said.exit_code == 0, said.stderr
            assert all(map(is_shown, said.stdout.replace("\n", "")))
    parse_source(json.loads(said.stdout)["draft"].encode(), "draft")


def peak_bytes(path: Path) -> int:
    """What reading the head of a file takes at most."""
    tracemalloc.start()
    try:
        head = measuring.read_head(path)
        assert (len(head.content), head.is_all) == (HEAD_BYTES, False)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.medium
def test_only_the_head_of_a_large_file_is_read(tmp_path: Path) -> None:
    path = a_file(tmp_path / "large.csv", HEADERS[0][1])
    empty_row = b"," * (len(HEADERS[0][1]) - 1) + b"\n"
    with path.open("ab") as file:
        file.write(empty_row * (HEAD_BYTES // len(empty_row)))
        file.truncate(500 << 20)  # the rest are zeros, which take no room, and would be binary
    assert peak_bytes(path) < 4 * HEAD_BYTES
    assert json.loads(detect(path).stdout)["source"] == "shopify-orders"


@pytest.mark.medium
def test_gzip_that_unpacks_without_end_is_read_by_its_head(tmp_path: Path) -> None:
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * (32 << 18)))
    assert peak_bytes(path) < 6 * HEAD_BYTES
