"""Files of sources: noticed, waited for, pinned with the source and its lookups."""

import pytest

from services.aggregator.open_set.detection import Notification
from tests.unit.aggregator.harness import BUCKET, EVENTS, FILES, BatchHarness, object_created

SHOPIFY = "incoming/shopify-orders/1.csv"
OWN_ORDERS = """
source: my-shop
version: {version}
title: My shop
rows: {rows}
orders: {{order_id: '"No"', user_id: '"Buyer"', order_date: '"Day"', total_amount: '"Total"'}}
"""
OWN_PRODUCTS = """
source: my-products
version: 1
title: My products
rows: products
lookups: {categories: {key: Id, value: Name}}
products:
  product_id: '"No"'
  category: lookup('categories', "Category")
"""
PRODUCTS, CATEGORIES = "incoming/my-products/1.csv", "incoming/my-products/lookups/categories.csv"


def put_source(harness: BatchHarness, text: str, name: str, version: int = 1) -> Notification:
    """Put a source of one's own, and have its notification come."""
    notification = harness.put(f"sources/{name}/v{version}.yaml", text)
    assert harness.deliver(FILES, object_created(notification.key)) == []
    return notification


def own_orders(version: int = 1, rows: str = "orders") -> str:
    return OWN_ORDERS.format(version=version, rows=rows)


def sweep(harness: BatchHarness) -> None:
    assert harness.deliver(EVENTS, f'{{"sweep": "{BUCKET}"}}') == []


def the_files(harness: BatchHarness) -> dict[str, dict[str, object]]:
    return {
        file["key"]: file for file in harness.manifest(harness.the_batch()["batch_id"])["files"]
    }


def test_a_file_of_order_lines_is_orders_and_lines_at_once(harness: BatchHarness) -> None:
    harness.upload(SHOPIFY, "products/1.csv")
    assert harness.waits_for() == ["30 seconds without a new file"]
    harness.settle()
    files = the_files(harness)
    pinned = {"name": "shopify-orders", "version": 1, "ref": None}
    assert files[SHOPIFY]["kind"] == "order_items"
    assert files[SHOPIFY]["source"] == pinned | {"gives": ["orders", "order_items"]}
    assert files["products/1.csv"]["source"] is None


def test_products_of_no_file_are_missing_as_ever(harness: BatchHarness) -> None:
    harness.upload(SHOPIFY)
    assert harness.waits_for() == ["products"]
    harness.settle()
    assert harness.sealed() == []


def test_a_source_that_gives_products_makes_them_known(harness: BatchHarness) -> None:
    harness.upload(SHOPIFY, "incoming/canonical-products/1.csv")
    harness.settle()
    harness.relay()
    harness.close(harness.the_batch()["batch_id"], "COMPLETED")
    harness.upload("incoming/shopify-orders/2.csv")
    harness.settle()
    assert len(harness.sealed()) == 2


def test_a_file_of_an_unknown_source_waits_and_is_taken_in_when_that_comes(
    harness: BatchHarness,
) -> None:
    harness.upload("incoming/my-shop/1.csv")
    [ignored] = harness.said("FileIgnored")
    assert ignored.reason.startswith("no source my-shop: `ecp sources add`")
    assert harness.pending() == []
    assert [row["key"] for row in harness.store.query("AggregatorState", {"pk": "left-out"})] == [
        "incoming/my-shop/1.csv"
    ]
    put_source(harness, own_orders(), "my-shop")
    assert harness.pending() == ["incoming/my-shop/1.csv"]
    assert harness.store.query("AggregatorState", {"pk": "left-out"}) == []
    assert harness.store.query("AggregatorState", {"pk": f"no-source#{BUCKET}"}) == []
    [added] = harness.said("SourceAdded")
    assert (added.source.name, added.source.gives, added.title) == (
        "my-shop",
        ["orders"],
        "My shop",
    )


def test_every_version_that_waits_for_its_source_is_taken_in_and_the_newest_is_sealed(
    harness: BatchHarness,
) -> None:
    first, second = harness.upload("incoming/my-shop/1.csv", "incoming/my-shop/1.csv")
    harness.upload("order_items/1.csv", "products/1.csv")
    put_source(harness, own_orders(), "my-shop")
    assert [one.version_id for one in harness.said("FileDetected") if one.source] == [
        first.version_id,
        second.version_id,
    ]
    harness.settle()
    assert the_files(harness)["incoming/my-shop/1.csv"]["version_id"] == second.version_id
    assert [one.version_id for one in harness.said("FileSuperseded")] == [first.version_id]


def test_the_sweep_finds_a_source_that_nobody_told_of(harness: BatchHarness) -> None:
    harness.put("incoming/my-shop/1.csv")
    sweep(harness)
    assert harness.pending() == []
    harness.put("sources/my-shop/v1.yaml", own_orders())
    sweep(harness)
    sweep(harness)
    assert harness.pending() == ["incoming/my-shop/1.csv"]
    assert len(harness.said("SourceAdded")) == 1


def test_a_file_that_comes_before_the_notification_of_its_source_is_not_ignored(
    harness: BatchHarness,
) -> None:
    harness.put("sources/my-shop/v1.yaml", own_orders())
    harness.upload("incoming/my-shop/1.csv")
    assert harness.pending() == ["incoming/my-shop/1.csv"]
    assert harness.said("FileIgnored") == []


def test_a_name_that_nearly_is_a_source_is_told_the_right_one(harness: BatchHarness) -> None:
    harness.upload("incoming/shopify_order/2025/07.csv")
    [ignored] = harness.said("FileIgnored")
    assert ignored.did_you_mean == "incoming/shopify-orders/2025/07.csv"


@pytest.mark.parametrize(
    ("key", "text", "why"),
    [
        ("sources/my-shop/v1.yaml", "source: [", "line 1"),
        ("sources/my-shop/v1.yaml", own_orders(rows="lines"), "line 5, rows"),
        ("sources/my-shop/v2.yaml", own_orders(), "name, version and path go together"),
        ("sources/my-shop.yaml", own_orders(), "name, version and path go together"),
        ("sources/my-shop/v1.yaml", "#" * 70_000, "more than the 65536"),
        (
            "sources/shopify-orders/v2.yaml",
            own_orders(2).replace("my-shop", "shopify-orders"),
            "comes with the pipeline",
        ),
    ],
)
def test_what_is_no_source_is_refused_with_all_that_is_wrong(
    harness: BatchHarness, key: str, text: str, why: str
) -> None:
    harness.put(key, text)
    sweep(harness)
    sweep(harness)
    [refused] = harness.said("SourceRefused")
    assert refused.key == key
    assert why in refused.reason
    assert harness.said("SourceAdded") == []


def test_a_file_of_a_refused_source_is_told_why_and_waits_for_a_corrected_one(
    harness: BatchHarness,
) -> None:
    put_source(harness, own_orders(rows="lines"), "my-shop")
    harness.upload("incoming/my-shop/1.csv")
    [ignored] = harness.said("FileIgnored")
    assert "source my-shop cannot be used" in ignored.reason
    assert "rows" in ignored.reason
    put_source(harness, own_orders(), "my-shop")
    assert harness.pending() == ["incoming/my-shop/1.csv"]


def test_the_newest_version_of_the_source_is_pinned_at_the_seal(harness: BatchHarness) -> None:
    put_source(harness, own_orders(), "my-shop")
    harness.upload("incoming/my-shop/1.csv", "order_items/1.csv", "products/1.csv")
    newer = harness.put("sources/my-shop/v2.yaml", own_orders(2))  # its notification is lost
    harness.settle()
    source = the_files(harness)["incoming/my-shop/1.csv"]["source"]
    assert isinstance(source, dict)
    assert (source["version"], source["ref"]["version_id"]) == (2, newer.version_id)


def test_a_file_whose_source_was_removed_waits_until_it_is_back(harness: BatchHarness) -> None:
    added = put_source(harness, own_orders(), "my-shop")
    harness.upload("incoming/my-shop/1.csv", "order_items/1.csv", "products/1.csv")
    harness.bucket.hidden.add(added.key)
    harness.settle()
    sweep(harness)
    assert harness.sealed() == []
    assert harness.waits_for()[0] == "source my-shop, which was removed: `ecp sources add`"
    assert [one.name for one in harness.said("SourceRemoved")] == ["my-shop"]
    harness.bucket.hidden.clear()
    sweep(harness)
    assert len(harness.sealed()) == 1


def test_a_set_waits_for_the_lookup_of_its_source_and_says_so(harness: BatchHarness) -> None:
    put_source(harness, OWN_PRODUCTS, "my-products")
    harness.upload(PRODUCTS, "orders/1.csv", "order_items/1.csv")
    harness.settle()
    assert harness.sealed() == []
    assert harness.waits_for()[0] == f"{CATEGORIES}, which source my-products looks values up in"
    [lookup] = harness.upload(CATEGORIES)
    assert harness.said("LookupReceived")[0].lookup == "categories"
    harness.settle()
    assert the_files(harness)[PRODUCTS]["lookups"] == [
        {
            "name": "categories",
            "ref": {
                "bucket": BUCKET,
                "key": CATEGORIES,
                "version_id": lookup.version_id,
                "sha256": harness.said("LookupReceived")[0].sha256,
            },
        }
    ]


def test_the_newest_lookup_is_pinned_also_when_nobody_told_of_it(
    harness: BatchHarness,
) -> None:
    put_source(harness, OWN_PRODUCTS, "my-products")
    harness.upload(CATEGORIES, PRODUCTS, "orders/1.csv", "order_items/1.csv")
    newer = harness.put(CATEGORIES)
    harness.settle()
    [pinned] = the_files(harness)[PRODUCTS]["lookups"]  # type: ignore[misc]
    assert pinned["ref"]["version_id"] == newer.version_id


def test_a_lookup_that_is_deleted_is_waited_for_again(harness: BatchHarness) -> None:
    put_source(harness, OWN_PRODUCTS, "my-products")
    lookup, *_ = harness.upload(CATEGORIES, PRODUCTS, "orders/1.csv", "order_items/1.csv")
    harness.bucket.delete(lookup)
    harness.settle()
    assert harness.sealed() == []
    assert harness.waits_for()[0].startswith(CATEGORIES)


def test_a_start_by_hand_leaves_what_cannot_be_read_and_says_what_it_waits_for(
    harness: BatchHarness,
) -> None:
    put_source(harness, OWN_PRODUCTS, "my-products")
    harness.upload(PRODUCTS)
    answer = harness.seal_by_hand()
    assert answer["outcome"] == "NOTHING_PENDING"
    assert CATEGORIES in answer["message"]
    harness.upload("orders/1.csv")
    assert harness.seal_by_hand(execution="again")["outcome"] == "SEALED"
    assert list(the_files(harness)) == ["orders/1.csv"]
    assert harness.pending() == [PRODUCTS]


def test_a_manifest_names_files_of_sources_and_waits_for_an_unknown_one(
    harness: BatchHarness,
) -> None:
    harness.upload("incoming/my-shop/1.csv", "order_items/1.csv", manifest_key="manifests/m.json")
    harness.notify(harness.put_manifest("m", ["incoming/my-shop/1.csv", "order_items/1.csv"]))
    assert harness.sealed() == []
    assert harness.waits_for() == ["manifests/m.json: incoming/my-shop/1.csv"]
    put_source(harness, own_orders(), "my-shop")
    assert len(harness.sealed()) == 1


def test_equal_content_read_by_two_sources_is_no_duplicate(harness: BatchHarness) -> None:
    put_source(harness, own_orders(), "my-shop")
    harness.upload("order_items/1.csv", "products/1.csv")
    harness.upload("incoming/my-shop/1.csv", "orders/1.csv", content="the same")
    harness.settle()
    assert {file["duplicate_of"] for file in the_files(harness).values()} == {None}


def test_a_rejected_file_of_a_source_is_answered_by_its_key(
    harness: BatchHarness,
) -> None:
    harness.upload(SHOPIFY, "products/1.csv")
    harness.settle()
    harness.relay()
    first = harness.the_batch()["batch_id"]
    harness.close(first, "REJECTED", rejected=[0], reason="no column Name")
    assert harness.said("FilesReturned")[0].awaiting_kinds == ["order_items"]
    assert harness.waits_for() == [f"rejected batch {first}: a corrected {SHOPIFY}"]
    harness.upload(SHOPIFY)
    harness.settle()
    assert sorted(harness.keys_of(harness.sealed()[-1]["batch_id"])) == [SHOPIFY, "products/1.csv"]


def test_people_are_told_of_each_source_that_is_missing(harness: BatchHarness) -> None:
    harness.upload("incoming/one-shop/1.csv", "incoming/two-shop/1.csv", "incoming/two-shop/2.csv")
    assert [notice.subject for notice in harness.people.notices] == [
        "Files under incoming/one-shop/ are ignored",
        "Files under incoming/two-shop/ are ignored",
    ]


def test_the_sources_of_one_set_are_still_known_after_its_seal(harness: BatchHarness) -> None:
    put_source(harness, own_orders(), "my-shop")
    harness.upload("incoming/my-shop/1.csv", "order_items/1.csv", "products/1.csv")
    harness.settle()
    harness.restart()
    harness.upload("incoming/my-shop/2.csv")
    assert harness.pending() == ["incoming/my-shop/2.csv"]
