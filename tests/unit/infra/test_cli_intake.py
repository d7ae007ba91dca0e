"""Which files a submission has and what each of them is."""

import gzip
from pathlib import Path

import pytest

from infra.cli import intake
from infra.cli.errors import WrongUsage
from infra.cli.intake import gather, kind_by_header
from tests.support.shop import ITEMS_HEADER, ORDERS_HEADER, PRODUCTS_HEADER


def write(folder: Path, *names: str, text: str = "") -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def found_in(*paths: Path) -> list[tuple[str, str]]:
    return [(file.kind, file.key) for file in gather(paths)]


def test_a_directory_gives_its_three_folders_and_a_bare_file_named_like_a_kind(
    tmp_path: Path,
) -> None:
    folder = write(
        tmp_path,
        "orders/b.csv",
        "orders/a.csv",
        "orders/2025/07.CSV.GZ",
        "order_items/a.csv.gz",
        "products.csv",
        "orders/notes.txt",
        "other/x.csv",
    )
    assert found_in(folder) == [
        ("orders", "orders/2025/07.CSV.GZ"),
        ("orders", "orders/a.csv"),
        ("orders", "orders/b.csv"),
        ("order_items", "order_items/a.csv.gz"),
        ("products", "products/products.csv"),
    ]


def test_a_directory_that_is_itself_named_like_a_kind_gives_its_files(tmp_path: Path) -> None:
    write(tmp_path, "orders/a.csv", "orders/deeper/b.csv")
    assert found_in(tmp_path / "orders") == [("orders", "orders/a.csv")]


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        (ORDERS_HEADER, "orders"),
        (ITEMS_HEADER, "order_items"),
        (PRODUCTS_HEADER, "products"),
        (" STATUS , order_date,total_amount,user_id,order_id,note", "orders"),
    ],
)
def test_a_file_elsewhere_is_known_by_its_header(tmp_path: Path, header: str, kind: str) -> None:
    write(tmp_path, "export.csv", text=f"\ufeff{header}\n1,2\n")
    assert found_in(tmp_path / "export.csv") == [(kind, f"{kind}/export.csv")]


def test_a_packed_file_is_unpacked_to_read_its_header(tmp_path: Path) -> None:
    path = tmp_path / "export.csv.gz"
    path.write_bytes(gzip.compress(ORDERS_HEADER.encode()))
    assert found_in(path) == [("orders", "orders/export.csv.gz")]


def test_the_folder_of_a_file_wins_over_its_header(tmp_path: Path) -> None:
    write(tmp_path, "products/a.csv", text=ORDERS_HEADER)
    assert found_in(tmp_path / "products" / "a.csv") == [("products", "products/a.csv")]


def test_a_header_that_fits_two_kinds_is_ambiguous() -> None:
    both = f"{ORDERS_HEADER},{ITEMS_HEADER}".split(",")
    assert kind_by_header(both) is None


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("notes.txt", "", "not a CSV file by its name"),
        ("a.csv", "a,b\n", "cannot tell whether it holds orders, order_items or products"),
        ("empty.csv", "", "cannot tell"),
        ("a.csv.gz", "plain", "not a gzip file, though its name says so"),
    ],
)
def test_a_file_that_cannot_be_told_is_wrong_usage(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    write(tmp_path, name, text=text)
    with pytest.raises(WrongUsage, match=said):
        gather([tmp_path / name])


def test_a_path_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="there is no such file or directory"):
        gather([tmp_path / "nowhere"])


def test_a_directory_without_csv_files_says_where_they_belong(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="no CSV files; put them into orders/, order_items/"):
        gather([write(tmp_path, "readme.txt")])


def test_two_files_for_one_key_are_refused_and_the_same_file_named_twice_is_one(
    tmp_path: Path,
) -> None:
    write(tmp_path, "one/orders/a.csv", "two/orders/a.csv")
    first, second = tmp_path / "one/orders/a.csv", tmp_path / "two/orders/a.csv"
    with pytest.raises(WrongUsage, match=r"would both be uploaded as orders/a\.csv"):
        gather([first, second])
    assert found_in(first, first) == [("orders", "orders/a.csv")]


def test_more_files_than_a_batch_takes_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_FILES", 2)
    write(tmp_path, *(f"orders/{n}.csv" for n in range(3)))
    with pytest.raises(WrongUsage, match="3 files; one batch takes 2: submit them in parts"):
        gather([tmp_path])
    assert len(gather([write(tmp_path / "fewer", "orders/1.csv", "orders/2.csv")])) == 2
