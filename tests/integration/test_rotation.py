"""The key of the pseudonyms is rotated between batches, and under one that is validated."""

import hashlib
import hmac
import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.ecp.privacy.rotating import Rotating
from infra.ecp.target import Target
from infra.local.cloud import RunningCloud
from infra.local.cloud import find as find_cloud
from tests.model import ShopModel
from tests.support.ecp import Said, ecp
from tests.support.kpi_items import BESIDE_MEASURES
from tests.support.pipeline import Pipeline, eventually
from tests.support.shop import a_product, an_item, an_order, items_csv, orders_csv, products_csv

pytestmark = pytest.mark.integration
FIRST = {
    "orders/one.csv": orders_csv(
        an_order("1", "ann"), an_order("2", "bob"), an_order("3", "ann", "2025-07-08")
    ),
    "order_items/one.csv": items_csv(an_item("1", "p1", "2"), an_item("3", "p1")),
    "products/one.csv": products_csv(a_product("p1", "Books")),
}


def run(cloud: RunningCloud, *arguments: object) -> Said:
    return ecp(*arguments, directory=cloud.directory)


def orders(name: str, *rows: str) -> dict[str, str]:
    order_id = rows[0].split(",")[0]
    return {
        f"orders/{name}.csv": orders_csv(*rows),
        f"order_items/{name}.csv": items_csv(an_item(order_id, "p1")),
    }


def write(folder: Path, files: dict[str, str]) -> Path:
    for key, text in files.items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_text(text)
    return folder


def submit(cloud: RunningCloud, folder: Path, files: dict[str, str], model: ShopModel) -> None:
    said = run(cloud, "submit", write(folder, files), "--wait", "--json")
    assert said.exit_code == 0, said.err
    tell(model, files)


def tell(model: ShopModel, files: dict[str, str]) -> None:
    rows: dict[str, list[dict[str, str]]] = {"orders": [], "order_items": [], "products": []}
    for key, text in files.items():
        header, *lines = text.splitlines()
        rows[key.partition("/")[0]] += [
            dict(zip(header.split(","), line.split(","), strict=True)) for line in lines
        ]
    model.apply(**rows)


def kpis(pipeline: Pipeline) -> tuple[Any, Any]:
    return pipeline.order_kpis(), pipeline.category_kpis()


def assert_published_equals(pipeline: Pipeline, model: ShopModel) -> None:
    measures = [
        {name: value for name, value in item.items() if name not in BESIDE_MEASURES}
        for _, item in sorted(pipeline.order_kpis().items())
    ]
    assert measures == model.order_kpis()


def secret(pipeline: Pipeline) -> list[str]:
    """The chain of keys, the oldest first."""
    client = pipeline.client("secretsmanager")
    [name] = [
        each["ARN"] for each in client.list_secrets()["SecretList"] if "Pseudonym" in each["Name"]
    ]
    text = client.get_secret_value(SecretId=name)["SecretString"]
    return list(json.loads(text)["keys"]) if text.startswith("{") else [text]


def users(cloud: RunningCloud) -> dict[str, str]:
    """The user_id of each order in the facts."""
    table = Target(cloud.environment(), "the test").facts.load_table("ecommerce.orders")
    return {row["order_id"]: row["user_id"] for row in table.scan().to_arrow().to_pylist()}


def chained(user: str, keys: list[str]) -> str:
    text = user
    for key in keys:
        text = hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
    return text


@contextmanager
def halted(cloud: RunningCloud, worker: str) -> Iterator[None]:
    """A worker that stands still; modules before this one may have had it started again."""
    current = find_cloud(cloud.directory)
    assert current is not None
    pid = current.workers[worker]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def model(running_cloud: RunningCloud, tmp_path_factory: pytest.TempPathFactory) -> ShopModel:
    shop = ShopModel()
    submit(running_cloud, tmp_path_factory.mktemp("first"), FIRST, shop)
    return shop


def test_users_stay_who_they_are_over_two_rotations(
    running_cloud: RunningCloud, pipeline: Pipeline, model: ShopModel, tmp_path: Path
) -> None:
    for generation in (2, 3):
        before, keys, names = kpis(pipeline), secret(pipeline), users(running_cloud)
        plan = run(running_cloud, "privacy", "rotate-key", "--dry-run", "--json").document
        assert (plan["next_generation"], plan["facts"]["rows"]) == (generation, len(names))
        assert kpis(pipeline) == before

        said = run(running_cloud, "privacy", "rotate-key", "--yes", "--json")

        assert said.exit_code == 0, said.err
        assert (said.document["generation"], said.document["rows"]) == (generation, len(names))
        assert kpis(pipeline) == before
        assert secret(pipeline)[:-1] == keys
        assert not set(users(running_cloud).values()) & set(names.values())
        assert users(running_cloud)["1"] == chained("ann", secret(pipeline))
        late = orders(f"late{generation}", an_order(f"1{generation}", "ann"))
        submit(running_cloud, tmp_path / str(generation), late, model)
        assert pipeline.order_kpis()["2025-07-07"]["unique_customers"] == 2
        assert_published_equals(pipeline, model)
    rebuilt = run(running_cloud, "rebuild", "--dry-run", "--json").document
    assert (rebuilt["order_kpis"], rebuilt["category_kpis"], rebuilt["deleted"]) == (0, 0, 0)


def test_a_batch_validated_before_and_transformed_after_is_right_once_redriven(
    running_cloud: RunningCloud, pipeline: Pipeline, model: ShopModel, tmp_path: Path
) -> None:
    files = orders("between", an_order("50", "ann"), an_order("51", "bob", "2025-07-08"))
    with ThreadPoolExecutor(1) as beside:
        with halted(running_cloud, "transformer"):
            rotation = beside.submit(run, running_cloud, "privacy", "rotate-key", "--yes", "--json")
            queue = pipeline.client("sqs").get_queue_url(QueueName="transformer-commands")

            def is_asked(count: int) -> bool:
                asked = pipeline.client("sqs").get_queue_attributes(
                    QueueUrl=queue["QueueUrl"], AttributeNames=["All"]
                )["Attributes"]
                names = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"
                return sum(int(asked[name]) for name in names) >= count

            eventually(lambda: is_asked(1))
            pipeline.upload_set("between", files)
            eventually(lambda: is_asked(2))
        assert rotation.result().exit_code == 0, rotation.result().err
    failed = pipeline.batch_of("orders/between.csv")
    assert failed["status"] == "FAILED"
    assert "the key was rotated meanwhile" in failed["reason"]
    assert_published_equals(pipeline, model)

    said = run(running_cloud, "redrive", failed["batch_id"], "--wait", "--json")

    assert said.exit_code == 0, said.err
    tell(model, files)
    assert_published_equals(pipeline, model)
    assert users(running_cloud)["50"] == users(running_cloud)["1"]
    assert pipeline.lock()["currentlockcount"] == 0


class Killed(Exception):
    """The test's own: what was about to happen did not."""


@pytest.mark.thorough
def test_a_rotation_that_is_cut_short_anywhere_is_finished_by_asking_again(
    running_cloud: RunningCloud,
    pipeline: Pipeline,
    model: ShopModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number, step in enumerate(("_add_key", "_hand_over", "_rekey_facts", "_switch")):
        before, keys = kpis(pipeline), secret(pipeline)
        then = getattr(Rotating, step)

        def dies_after(self: Any, *given: Any, _then: Any = then, **more: Any) -> Any:
            _then(self, *given, **more)
            raise Killed(step)  # noqa: B023

        with monkeypatch.context() as patched:
            patched.setattr(Rotating, step, dies_after)
            with pytest.raises(Killed):
                Rotating(Target(running_cloud.environment(), "the test")).run(quietly=True)

        said = run(running_cloud, "privacy", "rotate-key", "--yes", "--json")

        assert said.exit_code == 0, said.err
        again = 2 if step == "_switch" else 1
        assert said.document["generation"] == len(keys) + again == len(secret(pipeline))
        assert kpis(pipeline) == before
        late = orders(f"cut{number}", an_order(f"6{number}", "bob"))
        submit(running_cloud, tmp_path / step, late, model)
        assert_published_equals(pipeline, model)
    erased = run(running_cloud, "privacy", "erase", "bob", "--yes", "--json")
    assert erased.exit_code == 0, erased.err
    of_bob = [row for row in model.orders.values() if row["user_id"] == "bob"]
    assert erased.document["facts"]["rows"] == len(of_bob) > 4
