"""Which keys may be inputs by their name, and what was probably meant by one that may not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.input_names import nearest_folder, why_not_an_input
from contracts.layout import (
    KINDS,
    is_csv,
    is_input,
    kind_of,
    lookup_of,
    source_of,
    stored_input,
)


@pytest.mark.parametrize(
    "key",
    [
        "orders/a.csv",
        "orders/A.CSV",
        "orders/2025/07/a.csv.GZ",
        "order_items/i 1+2 ü 100%.csv",
        "products/_new.csv",
        "orders/a (1).csv",
        "orders/a..csv",
        "orders/../../../x/evil.csv",
    ],
)
def test_a_csv_below_one_of_the_folders_may_be_an_input(key: str) -> None:
    assert why_not_an_input(key) is None


@pytest.mark.parametrize(
    ("key", "source", "lookup"),
    [
        ("incoming/my-shop/a.csv", "my-shop", None),
        ("incoming/my-shop/2025/07.CSV.GZ", "my-shop", None),
        ("incoming/my-shop/report.txt", "my-shop", None),
        ("incoming/my-shop/report.tsv.gz", "my-shop", None),
        ("incoming/my-shop/lookups/names.csv", None, ("my-shop", "names")),
    ],
)
def test_a_file_of_a_source_and_a_lookup_may_be_there(
    key: str, source: str | None, lookup: tuple[str, str] | None
) -> None:
    assert why_not_an_input(key) is None
    assert (source_of(key), lookup_of(key), kind_of(key)) == (source, lookup, None)


@pytest.mark.parametrize(
    ("key", "why", "meant"),
    [
        ("incoming/a.csv", "in the folder of its source: incoming/<source>/", None),
        ("incoming/my-shop/a.xlsx", "spreadsheet", "incoming/my-shop/a.csv"),
        ("incoming/my-shop/a.json", "export it as CSV", "incoming/my-shop/a.csv"),
        (
            "incoming/my-shop/lookups/2025/names.csv",
            "a lookup lies at incoming/my-shop/lookups/<lookup>.csv",
            "incoming/my-shop/lookups/names.csv",
        ),
        (
            "incoming/my-shop/lookups/names.txt",
            "a lookup lies at incoming/my-shop/lookups/<lookup>.csv",
            "incoming/my-shop/lookups/names.csv",
        ),
        ("Incoming/my-shop/a.csv", "it lies in none of", "incoming/my-shop/a.csv"),
    ],
)
def test_what_is_no_file_of_a_source_is_told_where_it_belongs(
    key: str, why: str, meant: str | None
) -> None:
    fault = why_not_an_input(key)
    assert fault is not None
    assert why in fault.reason
    assert (fault.did_you_mean, fault.is_hidden) == (meant, False)


@pytest.mark.parametrize(
    ("key", "came"),
    [
        ("archive/3f2a9c0d1e4b5a67/incoming/my-shop/a.csv", "incoming/my-shop/a.csv"),
        ("archive/3f2a9c0d1e4b5a67/orders/2025/a.csv", "orders/2025/a.csv"),
        ("archive/3f2a9c0d1e4b5a67/_audit/manifest.json", None),
        ("quarantine/3f2a9c0d1e4b5a67/files/incoming/my-shop/a.csv", "incoming/my-shop/a.csv"),
        ("quarantine/3f2a9c0d1e4b5a67/rows/0000.parquet", None),
        ("quarantine/answers/r.json", None),
    ],
)
def test_a_stored_input_is_known_by_the_key_that_it_came_under(key: str, came: str | None) -> None:
    assert stored_input(key) == came


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("Order_Items/a.csv", "order_items/a.csv"),
        ("order-items/x.csv", "order_items/x.csv"),
        ("order_item/x.csv", "order_items/x.csv"),
        ("OrderItems/2025/x.csv.gz", "order_items/2025/x.csv.gz"),
        ("Orders/a.csv", "orders/a.csv"),
        ("Orders /a.csv", "orders/a.csv"),
        ("oders/a.csv", "orders/a.csv"),
        ("product/p.csv", "products/p.csv"),
        ("line_items/a.csv", "order_items/a.csv"),
        ("/orders/a.csv", "orders/a.csv"),
        ("shop/Order Items/2025/a.tsv", "order_items/2025/a.csv"),
        ("orders%2Fa.csv", "orders/a.csv"),
        ("orders\\a.csv", "orders/a.csv"),
        ("orders.csv", "orders/orders.csv"),
        ("order_items_2025.csv", "order_items/order_items_2025.csv"),
        ("manifest/x.json", "manifests/x.json"),
        ("returns/a.csv", None),
        ("items/a.csv", None),
        ("a.csv", None),
        ("../a.csv", None),
    ],
)
def test_a_folder_that_is_none_of_ours_leads_to_the_nearest_one(
    key: str, meant: str | None
) -> None:
    fault = why_not_an_input(key)
    assert fault is not None
    assert "it lies in none of orders/, order_items/ or products/" in fault.reason
    assert (fault.did_you_mean, fault.is_hidden) == (meant, False)


@pytest.mark.parametrize(
    ("name", "meant", "said"),
    [
        ("b.tsv", "b.csv", "does not end in .csv or .csv.gz"),
        ("c.txt", "c.csv", "does not end in .csv or .csv.gz"),
        ("part-00000", "part-00000.csv", "does not end in"),
        ("2025.07.07", "2025.07.07.csv", "does not end in"),
        ("a.cvs", "a.csv", "does not end in"),
        ("000.gz", "000.csv.gz", "does not end in"),
        ("0000_part_00.gz", "0000_part_00.csv.gz", "does not end in"),
        ("a.csv.gzip", "a.csv.gz", "does not end in"),
        ("d.csv.zip", "d.csv", ".zip is not unpacked"),
        ("d.zip", "d.csv", ".zip is not unpacked"),
        ("e.xlsx", "e.csv", "spreadsheet"),
        ("f.parquet", "f.csv", "export it as CSV"),
        ("g.csv.part", "g.csv", "unfinished transfer"),
        ("h.csv.1", "h.csv", "does not end in"),
        ("i.csv~", "i.csv", "does not end in"),
        ("j.csv ", "j.csv", "does not end in"),
        ("k.csv.gz (2)", "k.csv.gz", "does not end in"),
        ("l.csv.bak", "l.csv", "copy"),
        ("m.csv.txt", "m.csv", "does not end in"),
    ],
)
def test_an_ending_that_is_not_read_leads_to_one_that_is(name: str, meant: str, said: str) -> None:
    fault = why_not_an_input(f"orders/{name}")
    assert fault is not None
    assert said in fault.reason
    assert (fault.did_you_mean, fault.is_hidden) == (f"orders/{meant}", False)


@pytest.mark.parametrize(
    "key",
    [
        "orders/._A.csv",
        "orders/.DS_Store",
        "orders/.csv",
        "orders/.hidden.csv",
        "orders/.a.csv.swp",
        "orders/.part-0000.csv.crc",
        "orders/.git/a.csv",
        "orders/.~lock.A.csv#",
        "orders/~$a.csv",
        "orders/_SUCCESS",
        "orders/_temporary/0/a.csv",
        "orders/Thumbs.db",
        "__MACOSX/orders/._a.csv",
        "orders/__MACOSX/a.csv",
        "orders/",
    ],
)
def test_what_a_program_left_for_itself_is_hidden_and_stands_for_nothing(key: str) -> None:
    fault = why_not_an_input(key)
    assert fault is not None
    assert fault.is_hidden
    assert fault.did_you_mean is None


@pytest.mark.parametrize("name", ["returns", "customers", "items", "data", "", "...", "käse"])
def test_a_folder_that_is_like_none_of_ours_leads_nowhere(name: str) -> None:
    assert nearest_folder(name) is None


PARTS = st.one_of(
    st.sampled_from(
        (
            *KINDS,
            "incoming",
            "Incoming",
            "lookups",
            "my-shop",
            "Orders",
            "order-items",
            "shop",
            ".",
            "..",
            "",
            "._x",
            "~$a",
            "%2F",
        )
    ),
    st.text(max_size=6),
)
ENDINGS = st.sampled_from((".csv", ".csv.gz", ".gz", ".zip", ".tsv", ".csv.1", "", ".csv ", "~"))


@pytest.mark.medium
@given(st.lists(PARTS, min_size=1, max_size=4), ENDINGS)
def test_what_was_meant_is_always_a_name_that_would_be_taken(parts: list[str], end: str) -> None:
    key = "/".join(parts) + end
    fault = why_not_an_input(key)
    if fault is None:
        assert is_input(key) or lookup_of(key)
        assert not kind_of(key) or is_csv(key)
    elif fault.did_you_mean is not None and not fault.did_you_mean.startswith("manifests/"):
        assert why_not_an_input(fault.did_you_mean) is None


@pytest.mark.parametrize(
    "key",
    [
        "orders/#recycle/a.csv",
        "orders/Network Trash Folder/a.csv",
        "orders/Temporary Items/a.csv",
        "orders/ehthumbs.db",
        "orders/Icon\r",
        "orders/_spark_metadata/0",
        "orders/#a.csv#",
        "orders/a.csv:Zone.Identifier",
    ],
)
def test_what_disks_editors_and_jobs_leave_behind_is_hidden(key: str) -> None:
    fault = why_not_an_input(key)
    assert fault is not None
    assert fault.is_hidden
    assert fault.did_you_mean is None
