"""A user who asks is erased: no byte of any bucket or table names them, and every number stays."""

import gzip
import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.ecp.privacy.erasing import Erasing
from infra.ecp.target import Target
from infra.ecp.terminal.errors import CommandFailed
from infra.local.cloud import RunningCloud
from tests.support.ecp import Said, ecp
from tests.support.pipeline import ARCHIVE_BUCKET, DATA_BUCKET, Pipeline, eventually
from tests.support.shop import a_product, an_item, an_order, items_csv, orders_csv, products_csv
from tests.support.traces import traces

pytestmark = pytest.mark.integration
USER = "shopper-4711"
OTHER_ORDER = (
    "note,USER_ID,status,total_amount,order_date,order_id\r\n"
    f'"a\r\nb", {USER} ,new,5.00,2025-07-07,6\r\n'
    "x,bob,new,1,2025-07-07,1\r\n"
)
"""Order 1 is somebody else's from here on."""
FIRST = {
    "orders/one.csv": orders_csv(
        an_order("1", USER, "2025-07-07", "20.00"),
        an_order("2", "bob", "2025-07-07", "3.33"),
        an_order("3", USER, "2025-07-08", "1.00", "returned"),
        an_order("4", USER, "2025-02-30"),
        f'5,"{USER},2025-07-07,10.00,new',
        *(an_order(str(number), "carol", "2025-07-01") for number in range(10, 40)),
    ),
    "order_items/one.csv": items_csv(an_item("1", "p1", "2"), an_item("2", "p1")),
    "products/one.csv": products_csv(a_product("p1", "Books")),
}
SECOND = {
    "orders/two.csv.gz": gzip.compress(OTHER_ORDER.encode()),
    "order_items/two.csv": items_csv(an_item("6", "p1")).encode(),
}
BAD = {
    "orders/bad.csv": orders_csv(an_order("7", USER, "soon"), an_order("8", "bob")),
    "order_items/bad.csv": items_csv(an_item("8", "p1")),
}


def run(cloud: RunningCloud, *arguments: object) -> Said:
    return ecp(*arguments, directory=cloud.directory)


def submit(cloud: RunningCloud, folder: Path, files: dict[str, Any], exit_code: int = 0) -> str:
    for key, content in files.items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        whole = content if isinstance(content, bytes) else content.encode()
        (folder / key).write_bytes(whole)
    said = run(cloud, "submit", folder, "--wait", "--json")
    assert said.exit_code == exit_code, said.err
    return str(said.document["batch_id"])


def pseudonym_of(pipeline: Pipeline, user: str) -> str:
    secrets = pipeline.client("secretsmanager")
    [name] = [
        each["ARN"] for each in secrets.list_secrets()["SecretList"] if "Pseudonym" in each["Name"]
    ]
    key = secrets.get_secret_value(SecretId=name)["SecretString"]
    return hmac.new(key.encode(), user.encode(), hashlib.sha256).hexdigest()


def everything(pipeline: Pipeline) -> Iterator[tuple[str, bytes]]:
    """Every version of every object, and every item of every table, with where it is."""
    s3, dynamodb = pipeline.client("s3"), pipeline.client("dynamodb")
    for bucket in (each["Name"] for each in s3.list_buckets()["Buckets"]):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for entry in page.get("Versions", []):
                which = {"Bucket": bucket, "Key": entry["Key"]}
                if entry["VersionId"] != "null":
                    which["VersionId"] = entry["VersionId"]
                answer = s3.get_object(**which)
                told = json.dumps(answer["Metadata"]).encode()
                yield f"s3://{bucket}/{entry['Key']} {entry['VersionId']}", answer["Body"].read()
                yield f"s3://{bucket}/{entry['Key']}", entry["Key"].encode() + told
    for table in dynamodb.list_tables()["TableNames"]:
        for page in dynamodb.get_paginator("scan").paginate(TableName=table):
            for item in page["Items"]:
                yield table, json.dumps(item, default=str).encode()


def left_of(pipeline: Pipeline, user: str) -> set[str]:
    pseudonym = pseudonym_of(pipeline, user)
    return {
        where
        for where, content in everything(pipeline)
        if traces(content, user, pseudonym, pseudonym[:16])
    }


def kpis(pipeline: Pipeline) -> tuple[Any, Any]:
    return pipeline.order_kpis(), pipeline.category_kpis()


@pytest.fixture(scope="module")
def some_batches(
    running_cloud: RunningCloud, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Two published batches, one rejected whose file was put right, and files that wait."""
    folder = tmp_path_factory.mktemp("files")
    ids = {
        "first": submit(running_cloud, folder / "first", FIRST),
        "second": submit(running_cloud, folder / "second", SECOND),
        "rejected": submit(running_cloud, folder / "bad", BAD, exit_code=1),
    }
    pipeline = Pipeline(running_cloud.environment())
    pipeline.upload("orders/bad.csv", orders_csv(an_order("8", "bob")))
    ids["corrected"] = pipeline.batch_of("order_items/bad.csv", after=1)["batch_id"]
    return ids


def test_a_user_is_erased_everywhere_and_every_number_stays(
    running_cloud: RunningCloud,
    pipeline: Pipeline,
    some_batches: dict[str, str],
    tmp_path: Path,
) -> None:
    before = kpis(pipeline)
    held = left_of(pipeline, USER)
    for part in (
        f"{ARCHIVE_BUCKET}/archive/{some_batches['first']}/orders/one.csv",
        f"{ARCHIVE_BUCKET}/archive/{some_batches['second']}/orders/two.csv.gz",
        f"quarantine/{some_batches['first']}/rows/",
        f"quarantine/{some_batches['rejected']}/files/orders/bad.csv",
        f"processing/{some_batches['first']}/orders/",
        f"{DATA_BUCKET}/orders/bad.csv",
        "facts/orders/data/",
        "facts/orders/metadata/",
    ):
        assert any(part in where for where in held), part

    planned = run(running_cloud, "privacy", "erase", USER, "--dry-run", "--json")
    assert planned.exit_code == 0, planned.err
    plan = planned.document
    assert plan["obstacles"] == []
    assert {each["place"] for each in plan["objects"]} == {"uploads", "quarantine", "archive"}
    assert (plan["facts"]["days"], plan["facts"]["rows"]) == (2, 2)
    assert left_of(pipeline, USER) == held

    said = run(running_cloud, "privacy", "erase", USER, "--yes", "--json")

    assert said.exit_code == 0, said.err
    receipt = said.document
    places = {place["place"]: place for place in receipt["places"]}
    assert receipt["changed"]
    assert (receipt["facts"]["days"], receipt["facts"]["rows"]) == (2, 2)
    assert (places["archive"]["rewritten_objects"], places["archive"]["rows"]) == (2, 4)
    assert places["archive"]["uncertain_rows"] == 1
    assert places["uploads"]["deleted_versions"] == 1
    assert receipt["unsearched"] == []
    assert left_of(pipeline, USER) == set()
    assert kpis(pipeline) == before
    assert pipeline.dead_letters() == {}

    archived = pipeline.client("s3").get_object(
        Bucket=ARCHIVE_BUCKET, Key=f"archive/{some_batches['first']}/orders/one.csv"
    )
    text = archived["Body"].read().decode()
    [token] = {row.split(",")[1] for row in text.splitlines()[1:3]} - {"bob"}
    assert text.replace(token, USER) == FIRST["orders/one.csv"]
    assert "source-version-id" in archived["Metadata"]
    assert any("facts/orders/data/" in where for where in left_of(pipeline, token))
    assert token not in json.dumps(receipt)

    rebuilt = run(running_cloud, "rebuild", "--dry-run", "--json").document
    assert (rebuilt["order_kpis"], rebuilt["category_kpis"], rebuilt["deleted"]) == (0, 0, 0)
    compared = run(running_cloud, "diff", some_batches["first"], "--json")
    assert compared.exit_code == 0, compared.err
    assert sum(day["orders_added"] for day in compared.document["days"]) > 0
    listed = run(running_cloud, "quarantine", "list", "--json").document
    assert {row["rule"] for row in listed if row["batch_id"] == some_batches["first"]} == {
        "order_date.format",
        "record.quote",
    }


def test_a_second_erasure_changes_nothing_and_the_receipt_is_found(
    running_cloud: RunningCloud, pipeline: Pipeline, some_batches: dict[str, str]
) -> None:
    first = run(running_cloud, "privacy", "erase", USER, "--yes", "--json").document
    versions = {where for where, _ in everything(pipeline) if "erasures/" not in where}

    again = run(running_cloud, "privacy", "erase", USER, "--yes", "--json")

    assert again.exit_code == 0, again.err
    assert not again.document["changed"]
    assert first["erasure_id"] in again.document["erased_before"]
    after = {where for where, _ in everything(pipeline) if "erasures/" not in where}
    assert {where for where in after - versions if where.startswith("s3://")} == set()
    found = run(running_cloud, "privacy", "receipts", USER, "--json").document
    assert again.document["erasure_id"] in {each["erasure_id"] for each in found}
    assert run(running_cloud, "privacy", "receipts", "nobody", "--json").document == []
    shown = run(running_cloud, "privacy", "receipts")
    assert first["erasure_id"] in shown.out
    assert USER not in shown.out


def test_what_waits_or_failed_is_named_and_nothing_is_erased(
    running_cloud: RunningCloud, pipeline: Pipeline, some_batches: dict[str, str]
) -> None:
    pipeline.upload("orders/waiting.csv", orders_csv(an_order("70", "dora")))

    def refused() -> Said | None:
        said = run(running_cloud, "privacy", "erase", "dora", "--yes", "--json")
        return said if "waits in the open set" in said.err else None

    said = eventually(refused)
    assert said.exit_code == 3
    assert "orders/waiting.csv waits in the open set and holds the user" in said.err
    pipeline.upload("order_items/waiting.csv", items_csv(an_item("70", "p1")))
    pipeline.batch_of("orders/waiting.csv")
    done = run(running_cloud, "privacy", "erase", "dora", "--yes", "--json")
    assert done.exit_code == 0, done.err
    assert left_of(pipeline, "dora") == set()


@pytest.mark.thorough
def test_what_comes_while_it_erases_is_noticed_and_erased_by_asking_again(
    running_cloud: RunningCloud,
    pipeline: Pipeline,
    some_batches: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    have_done, late = Erasing._have_done, orders_csv(an_order("61", "shopper-eve"))
    files = {"orders/late.csv": late, "order_items/late.csv": items_csv(an_item("61", "p1"))}

    def after_a_batch(self: Any, *given: Any, **more: Any) -> Any:
        submit(running_cloud, tmp_path, files)
        return have_done(self, *given, **more)

    work = Erasing(Target(running_cloud.environment(), "the test"), "shopper-eve")
    with monkeypatch.context() as patched:
        patched.setattr(Erasing, "_have_done", after_a_batch)
        with pytest.raises(CommandFailed, match=r"orders/.* came meanwhile and holds the user"):
            work.run(work.uploads(), quietly=True)

    said = run(running_cloud, "privacy", "erase", "shopper-eve", "--yes", "--json")

    assert said.exit_code == 0, said.err
    assert said.document["facts"]["rows"] == 1
    assert left_of(pipeline, "shopper-eve") == set()


class Killed(Exception):
    """The test's own: what was about to happen did not."""


STEPS = ("_put_requests", "_commands", "_have_done", "_delete", "_receipt", "_close")


@pytest.mark.thorough
def test_an_erasure_that_is_cut_short_anywhere_is_finished_by_asking_again(
    running_cloud: RunningCloud,
    pipeline: Pipeline,
    some_batches: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    users = {step: f"shopper{step.replace('_', '-')}" for step in STEPS}
    rows = [an_order(f"9{n}", user, "2025-07-09") for n, user in enumerate(users.values())]
    bad = [an_order(f"8{n}", user, "never") for n, user in enumerate(users.values())]
    good = [an_order(f"7{n:02d}", "bob", "2025-07-09") for n in range(40)]
    files = {
        "orders/many.csv": orders_csv(*rows, *bad, *good),
        "order_items/many.csv": items_csv(an_item("90", "p1")),
    }
    submit(running_cloud, tmp_path, files)
    before = kpis(pipeline)
    for step, user in users.items():
        work = Erasing(Target(running_cloud.environment(), "the test"), user)
        then = getattr(Erasing, step)

        def dies_after(self: Any, *given: Any, _then: Any = then, **more: Any) -> Any:
            _then(self, *given, **more)
            raise Killed(step)  # noqa: B023

        with monkeypatch.context() as patched:
            patched.setattr(Erasing, step, dies_after)
            with pytest.raises(Killed):
                work.run(work.uploads(), quietly=True)

        said = run(running_cloud, "privacy", "erase", user, "--yes", "--json")

        assert said.exit_code == 0, said.err
        if step != "_close":
            assert said.document["erasure_id"] == work.request.erasure_id
            assert said.document["facts"]["rows"] == 1
        assert left_of(pipeline, user) == set()
    assert kpis(pipeline) == before
