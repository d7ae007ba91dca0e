"""Two stages side by side on one local cloud: nothing crosses, and one goes without the other."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contracts.layout import FACTS_DATABASE
from infra.deployer.templates import BOOTSTRAP, dependencies, discover, order_of_deployment
from infra.ecp.target import Target
from infra.environments import PROJECT, local_environment
from infra.local import cloud
from infra.local.cloud import RunningCloud
from infra.stage import Stage
from tests.support.ecp import Said, ecp
from tests.support.pipeline import eventually
from tests.support.standing import csv_of, rows_of

pytestmark = [pytest.mark.integration, pytest.mark.thorough]
BLUE, GREEN = Stage("blue"), Stage("green")
SETTLE = "1"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """Started as blue; green is deployed beside it by the documented commands."""
    directory = tmp_path_factory.mktemp("stages")
    settings = {"SETTLE_SECONDS": SETTLE, "STAGE": BLUE.name}
    up = cloud.up(directory, port=0, settings=settings)
    try:
        for command in (
            ("bootstrap", "--yes"),
            ("deploy", "--all", "--yes", "--parameter", f"SETTLE_SECONDS={SETTLE}"),
        ):
            said = ask(up, GREEN, *command)
            assert said.exit_code == 0, said.err
        yield up
    finally:
        cloud.down(directory, keep=False)


def ask(running: RunningCloud, stage: Stage, *arguments: object) -> Said:
    return ecp(
        *arguments,
        directory=running.directory,
        environment={"STAGE": stage.name},
        timeout_seconds=600,
    )


def client(running: RunningCloud, service: str) -> Any:
    return local_environment(running.endpoint, {}).client(service)


def submit(running: RunningCloud, stage: Stage, folder: Path, day: str, amount: str) -> Said:
    """One order of that amount on that day, with one line; waits for the batch."""
    rows = {
        "orders": rows_of("orders", f"o-{stage.name}-{day},u1,{day},{amount},completed"),
        "order_items": rows_of("order_items", f"o-{stage.name}-{day},p1,1,{amount}"),
        "products": rows_of("products", f"p1,Books,A book,{amount}"),
    }
    for kind, of_kind in rows.items():
        path = folder / stage.name / day / kind / f"{day}.csv"
        path.parent.mkdir(parents=True)
        path.write_text(csv_of(kind, of_kind))
    return ask(running, stage, "submit", folder / stage.name / day, "--wait", "--json")


def revenue(running: RunningCloud, stage: Stage) -> dict[str, Decimal]:
    said = ask(running, stage, "kpis", "orders", "--json")
    assert said.exit_code == 0, said.err
    rows = json.loads(said.out, parse_float=Decimal, parse_int=Decimal)
    return {row["order_date"]: row["total_revenue"] for row in rows}


def test_a_batch_in_each_at_the_same_time_stays_in_its_own(
    running: RunningCloud, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(2) as both:
        blue = both.submit(submit, running, BLUE, tmp_path, "2025-07-01", "10.25")
        green = both.submit(submit, running, GREEN, tmp_path, "2025-07-02", "20.50")
    for stage, said in ((BLUE, blue.result()), (GREEN, green.result())):
        assert said.exit_code == 0, said.err
        assert said.document["status"] == "COMPLETED", stage
    assert revenue(running, BLUE) == {"2025-07-01": Decimal("10.25")}
    assert revenue(running, GREEN) == {"2025-07-02": Decimal("20.50")}
    for stage, day, other in ((BLUE, "01", "02"), (GREEN, "02", "01")):
        held = json.dumps(everything_in(running, stage), default=str)
        assert f"2025-07-{day}" in held
        assert f"2025-07-{other}" not in held


def everything_in(running: RunningCloud, stage: Stage) -> dict[str, Any]:
    """Items of every table, keys of every bucket and what waits in every queue of a stage."""
    dynamodb, s3, sqs = (client(running, name) for name in ("dynamodb", "s3", "sqs"))
    tables = [name for name in dynamodb.list_tables()["TableNames"] if is_of(stage, name)]
    buckets = [one["Name"] for one in s3.list_buckets()["Buckets"] if is_of(stage, one["Name"])]
    urls = [url for url in sqs.list_queues()["QueueUrls"] if is_of(stage, url.rsplit("/", 1)[1])]
    assert (len(tables), len(buckets), len(urls)) == (7, 4, 23)
    return {
        **{name: dynamodb.scan(TableName=name)["Items"] for name in tables},
        **{
            name: [one["Key"] for one in s3.list_objects_v2(Bucket=name).get("Contents", [])]
            for name in buckets
        },
    }


def is_of(stage: Stage, name: str) -> bool:
    return name.startswith(stage.prefix)


def test_every_name_there_is_one_of_a_stage(running: RunningCloud) -> None:
    names = [
        *client(running, "dynamodb").list_tables()["TableNames"],
        *(one["Name"] for one in client(running, "s3").list_buckets()["Buckets"]),
        *(url.rsplit("/", 1)[1] for url in client(running, "sqs").list_queues()["QueueUrls"]),
        *(one["Name"] for one in client(running, "events").list_rules()["Rules"]),
        *(one["FunctionName"] for one in client(running, "lambda").list_functions()["Functions"]),
        *(
            one["name"]
            for one in client(running, "stepfunctions").list_state_machines()["stateMachines"]
        ),
        *client(running, "ecs").list_task_definition_families()["families"],
        *(one["Name"] for one in client(running, "glue").get_databases()["DatabaseList"]),
    ]
    crossing = [one for one in names if not one.startswith(("blue-", "green-", "blue_", "green_"))]
    assert sorted(set(crossing) - {"default"}) == []
    assert len(names) > 80


def test_when_one_is_deleted_the_other_goes_on(running: RunningCloud, tmp_path: Path) -> None:
    delete(running, BLUE)
    eventually(lambda: workers_of(running) == {"green-validator", "green-transformer"})
    said = ask(running, GREEN, "status", "--json")
    states = {one["name"]: one["state"] for one in said.document["local"]["workers"]}
    assert "dead" not in states.values(), states

    said = submit(running, GREEN, tmp_path, "2025-07-03", "7.75")

    assert said.exit_code == 0, said.err
    assert revenue(running, GREEN) == {
        "2025-07-02": Decimal("20.50"),
        "2025-07-03": Decimal("7.75"),
    }


def delete(running: RunningCloud, stage: Stage) -> None:
    """Every stack of a stage, those first on which nothing is built."""
    cloudformation = client(running, "cloudformation")
    templates = {one.name: one for one in discover(PROJECT, stage)}
    order = order_of_deployment(dependencies(templates.values()))
    for name in reversed(order):
        if name != BOOTSTRAP:
            stack = templates[name].stack_name
            cloudformation.delete_stack(StackName=stack)
            cloudformation.get_waiter("stack_delete_complete").wait(
                StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
            )


def workers_of(running: RunningCloud) -> set[str]:
    """The workers that the local cloud keeps alive."""
    found = cloud.find(running.directory)
    return set() if found is None else set(found.workers)


def test_a_deleted_stage_comes_back_with_what_was_kept(
    running: RunningCloud, tmp_path: Path
) -> None:
    """Its numbers, its files and its key: who had a pseudonym has the same one."""
    before = pseudonyms(running, BLUE)
    again = ask(
        running, BLUE, "deploy", "--all", "--yes", "--parameter", f"SETTLE_SECONDS={SETTLE}"
    )
    assert again.exit_code == 0, again.err
    assert "takes back ArchiveBucket, DataBucket, EventStore" in again.err
    assert revenue(running, BLUE) == {"2025-07-01": Decimal("10.25")}

    said = submit(running, BLUE, tmp_path, "2025-07-04", "3.00")

    assert said.exit_code == 0, said.err
    assert revenue(running, BLUE) == {
        "2025-07-01": Decimal("10.25"),
        "2025-07-04": Decimal("3.00"),
    }
    after = pseudonyms(running, BLUE)
    assert len(before) == 1
    assert after == before


def pseudonyms(running: RunningCloud, stage: Stage) -> set[str]:
    """Of every user who is in the facts: all orders here are of one."""
    orders = facts(running).load_table(f"{stage.database(FACTS_DATABASE)}.orders")
    return set(orders.scan(selected_fields=("user_id",)).to_arrow()["user_id"].to_pylist())


def facts(running: RunningCloud) -> Any:
    return Target(running.environment(), "the test").facts
