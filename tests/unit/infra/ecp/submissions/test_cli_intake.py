"""Which files a submission has and what each of them is."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from infra.ecp.submissions import directories, intake
from infra.ecp.submissions.directories import LeftOut
from infra.ecp.submissions.file_headers import kind_by_names
from infra.ecp.submissions.intake import gather
from infra.ecp.terminal.errors import WrongUsage
from tests.support.shop import ITEMS_HEADER, ORDERS_HEADER, PRODUCTS_HEADER


def write(folder: Path, *names: str, text: str = "") -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def found_in(*paths: Path) -> list[tuple[str, str]]:
    return [(file.kind, file.key) for file in gather(paths).files]


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
    assert found_in(tmp_path / "orders") == [
        ("orders", "orders/a.csv"),
        ("orders", "orders/deeper/b.csv"),
    ]


def test_a_directory_named_like_a_kind_that_holds_a_whole_shop_is_a_shop(tmp_path: Path) -> None:
    shop = write(tmp_path / "orders", "orders/a.csv", "order_items/b.csv")
    assert found_in(shop) == [("orders", "orders/a.csv"), ("order_items", "order_items/b.csv")]


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        (ORDERS_HEADER, "orders"),
        (ITEMS_HEADER, "order_items"),
        (PRODUCTS_HEADER, "products"),
        (" STATUS , order_date,total_amount,user_id,order_id,note", "orders"),
        (f"\ufeffsep=;\n{ORDERS_HEADER.replace(',', ';')}", "orders"),
        (f"\n{ITEMS_HEADER},line_id,,", "order_items"),
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


def test_a_file_deeper_below_a_kinds_folder_keeps_the_key_that_the_directory_gives_it(
    tmp_path: Path,
) -> None:
    """So that a corrected `orders/2025/07.csv` is the key that its rejected batch waits for."""
    shop = write(tmp_path, "orders/2025/07.csv", text=f"{ORDERS_HEADER}\n")
    write(tmp_path, "orders/2025/spoilt.csv", text="a,b\n")
    write(tmp_path, "orders/2025/catalogue.csv", text=f"{PRODUCTS_HEADER}\n")
    deep = shop / "orders/2025"
    assert found_in(deep / "07.csv") == [("orders", "orders/2025/07.csv")]
    assert found_in(deep / "spoilt.csv") == [("orders", "orders/2025/spoilt.csv")]
    assert found_in(deep / "catalogue.csv") == [("products", "products/catalogue.csv")]


def test_a_header_that_fits_two_kinds_is_ambiguous() -> None:
    both = f"{ORDERS_HEADER},{ITEMS_HEADER}".split(",")
    assert kind_by_names(both) is None


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("notes.txt", "", r"does not end in \.csv or \.csv\.gz.*did you mean notes\.csv\?"),
        ("._a.csv", "", "was made by macOS"),
        (".a.csv", ORDERS_HEADER, "is a hidden file"),
        ("~$a.csv", "", "lock file of an office program"),
        ("a.xlsx", "", r"spreadsheet.*did you mean a\.csv\?"),
        ("a.csv", "a,b\n", "cannot tell whether it holds orders, order_items or products"),
        ("empty.csv", "", "the file is empty"),
        ("a.csv.gz", "plain", "not readable as gzip"),
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
    assert len(gather([write(tmp_path / "fewer", "orders/1.csv", "orders/2.csv")]).files) == 2


def left_out_of(*paths: Path) -> dict[str, LeftOut]:
    return {one.path: one for one in gather(paths).left_out}


def test_what_is_left_out_of_a_directory_is_told_with_the_nearest_right_name(
    tmp_path: Path,
) -> None:
    shop = write(
        tmp_path,
        "orders/a.csv",
        "orders/b.tsv",
        "orders/2025/part-00000",
        "Order_Items/a.csv",
        "Order_Items/deeper/b.csv",
        "returns/a.csv",
        "export/orders/a.csv",
        "notes.md",
    )
    found = left_out_of(shop)
    assert {path: one.did_you_mean for path, one in found.items()} == {
        "orders/b.tsv": "orders/b.csv",
        "orders/2025/part-00000": "orders/2025/part-00000.csv",
        "Order_Items/": "order_items/",
        "returns/": None,
        "export/": None,
        "notes.md": None,
    }
    assert "(2 files)" in found["Order_Items/"].reason
    assert "it holds orders/: name export/ itself" in found["export/"].reason


@pytest.mark.parametrize(
    "hidden",
    [
        "orders/._a.csv",
        "orders/.DS_Store",
        "orders/~$a.csv",
        "orders/.a.csv.swp",
        "orders/_SUCCESS",
        "orders/.git/a.csv",
        "__MACOSX/orders/._a.csv",
        ".git/config",
    ],
)
def test_hidden_files_are_never_sent_and_always_told(tmp_path: Path, hidden: str) -> None:
    gathered = gather([write(tmp_path, "orders/a.csv", hidden)])
    assert [file.key for file in gathered.files] == ["orders/a.csv"]
    [told] = gathered.left_out
    assert hidden.startswith(told.path)
    assert told.is_hidden
    assert gathered.missing_kinds() == []


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (("orders/a.csv", "Order_Items/a.csv"), ["order_items"]),
        (("orders/a.csv", "order_items/a.tsv"), ["order_items"]),
        (("orders/a.csv", "order_items/._a.csv"), ["order_items"]),
        (("orders/a.csv", "order_items/a.csv", "product/p.csv"), ["products"]),
        (("export/orders/a.csv", "products/p.csv"), ["orders"]),
        (("orders/a.csv", "order_items/a.csv"), []),
        (("orders/a.csv", "order_items/a.csv", "returns/r.csv"), []),
        (("orders/a.csv", "orders/b.tsv"), []),
        (("orders/a.csv", "Orders/a.csv"), []),
    ],
)
def test_a_kind_of_which_nothing_is_left_is_missing_and_an_absent_one_is_not(
    tmp_path: Path, names: tuple[str, ...], missing: list[str]
) -> None:
    assert gather([write(tmp_path / "shop", *names)]).missing_kinds() == missing


def test_an_empty_folder_of_a_kind_is_missing_and_an_empty_folder_below_is_told(
    tmp_path: Path,
) -> None:
    write(tmp_path, "orders/a.csv")
    (tmp_path / "products").mkdir()
    (tmp_path / "orders/2025").mkdir()
    gathered = gather([tmp_path])
    assert gathered.missing_kinds() == ["products"]
    assert {one.path for one in gathered.left_out} == {"products/", "orders/2025/"}


def test_a_csv_beside_the_folders_is_placed_by_its_header(tmp_path: Path) -> None:
    write(tmp_path, "orders/a.csv")
    write(tmp_path, "lines.csv", text=f"{ITEMS_HEADER}\n")
    gathered = gather([tmp_path])
    assert gathered.left_out[0].did_you_mean == "order_items/lines.csv"
    assert gathered.missing_kinds() == ["order_items"]


def test_links_are_followed_once_and_told_where_they_lead_nowhere(tmp_path: Path) -> None:
    write(tmp_path, "elsewhere/orders/a.csv", "elsewhere/b.csv")
    shop = write(tmp_path / "shop", "order_items/i.csv")
    (shop / "orders").symlink_to(tmp_path / "elsewhere/orders")
    (shop / "order_items/linked.csv").symlink_to(tmp_path / "elsewhere/b.csv")
    (shop / "order_items/loop").symlink_to(shop / "order_items")
    (shop / "order_items/up").symlink_to(shop)
    (shop / "order_items/gone.csv").symlink_to(tmp_path / "nowhere.csv")
    assert found_in(shop) == [
        ("orders", "orders/a.csv"),
        ("order_items", "order_items/i.csv"),
        ("order_items", "order_items/linked.csv"),
    ]
    said = left_out_of(shop)
    assert set(said) == {"order_items/loop/", "order_items/up/", "order_items/gone.csv"}
    assert "nowhere.csv, which is not there" in said["order_items/gone.csv"].reason
    assert [one.path for one in gather([shop]).unreadable] == ["order_items/gone.csv"]


def test_a_file_or_folder_that_cannot_be_read_is_told_and_fatal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permission bits stop nobody who runs as root, so the refusal is the system calls' here."""
    shop = write(tmp_path, "orders/a.csv", "orders/locked.csv", "orders/closed/b.csv")
    open_path, scan = Path.open, directories.os.scandir

    def open_or_refuse(path: Path, *args: Any) -> Any:
        if path.name == "locked.csv":
            raise PermissionError(13, "Permission denied", str(path))
        return open_path(path, *args)

    def scan_or_refuse(path: Path) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(Path, "open", open_or_refuse)
    monkeypatch.setattr(directories.os, "scandir", scan_or_refuse)
    gathered = gather([shop])
    assert [file.key for file in gathered.files] == ["orders/a.csv"]
    assert {one.path: one.reason for one in gathered.unreadable} == {
        "orders/closed/": "it cannot be read: permission denied",
        "orders/locked.csv": "it cannot be read: permission denied",
    }


def test_a_pipe_or_a_name_that_no_key_can_have_is_told(tmp_path: Path) -> None:
    shop = write(tmp_path, "orders/a.csv")
    directories.os.mkfifo(shop / "orders/pipe.csv")
    (shop / "orders" / directories.os.fsdecode(b"\xff.csv")).write_text("")
    reasons = [one.reason for one in gather([shop]).unreadable]
    assert reasons[0].startswith("it is no regular file")
    assert reasons[1] == "its name is no valid UTF-8; rename it"
    with pytest.raises(WrongUsage, match="no regular file"):
        gather([shop / "orders/pipe.csv"])


def test_what_is_left_out_of_one_of_several_directories_carries_its_name(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one", "orders/a.csv"), write(tmp_path / "two", "orders/b.txt")
    assert list(left_out_of(one, two)) == [f"{two.as_posix()}/orders/b.txt"]
