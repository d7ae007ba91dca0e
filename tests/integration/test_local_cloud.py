"""The local cloud as a whole: up, down, and whatever gets killed in between; real processes."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import urllib3

from infra.deployer.templates import discover
from infra.environments import local_environment
from infra.errors import LocalCloudError
from infra.local import cloud
from infra.local.cloud import RunningCloud
from infra.local.folders import Folders
from infra.local.records import CLOUD, SUPERVISOR, CloudRecord, read_record
from tests.contract.declared import Template
from tests.support.ecp import PROJECT, ecp
from tests.support.pipeline import PATIENCE_SECONDS, eventually

pytestmark = pytest.mark.integration
TABLE = "AWS::DynamoDB::Table"


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A directory whose cloud, if a test leaves one, is stopped."""
    yield tmp_path
    cloud.down(tmp_path)


def record_of(directory: Path) -> CloudRecord:
    record = read_record(Folders(directory).record)
    assert record is not None
    return record


def processes_of(directory: Path) -> set[psutil.Process]:
    """Everything that runs for the cloud of a directory: what is recorded, and its children."""
    recorded = [record.process() for record in record_of(directory).processes.values()]
    alive = [process for process in recorded if process is not None]
    return {*alive, *(child for process in alive for child in process.children(recursive=True))}


def assert_nothing_is_left(directory: Path, processes: set[psutil.Process], port: int) -> None:
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE_SECONDS)
    assert alive == []
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    folders = Folders(directory)
    assert not folders.record.exists()
    assert not folders.run.exists()


def test_up_a_second_time_is_the_same_cloud(running_cloud: RunningCloud) -> None:
    again = cloud.up(running_cloud.directory)
    assert (again.pid, again.port) == (running_cloud.pid, running_cloud.port)
    said = ecp("up", directory=running_cloud.directory)
    assert said.exit_code == 0
    assert "was up already" in said.err
    assert f"export AWS_ENDPOINT_URL={running_cloud.endpoint}" in said.out


def test_other_settings_than_those_it_runs_with_are_refused(running_cloud: RunningCloud) -> None:
    with pytest.raises(LocalCloudError, match="`ecp down` first to change its port or settings"):
        cloud.up(running_cloud.directory, settings={"SETTLE_SECONDS": "77"})


def test_a_port_in_use_is_one_line_and_exit_code_3(
    running_cloud: RunningCloud, directory: Path
) -> None:
    said = ecp("up", "--port", running_cloud.port, directory=directory)
    assert said.exit_code == 3
    [line] = said.err.splitlines()
    assert f"port {running_cloud.port} is in use" in line


def test_it_listens_on_loopback_alone(running_cloud: RunningCloud) -> None:
    addresses = {
        connection.laddr.ip
        for process in processes_of(running_cloud.directory)
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}


def test_deploying_again_changes_nothing(running_cloud: RunningCloud) -> None:
    said = ecp("deploy", "--all", directory=running_cloud.directory)
    assert said.exit_code == 0, said.err
    deployed = [one.name for one in discover(PROJECT) if one.name != "bootstrap"]
    assert said.out.count("unchanged") == len(deployed)
    assert "updated" not in said.out


def test_a_table_of_before_gains_its_index_and_keeps_its_items(running_cloud: RunningCloud) -> None:
    """CategoryKPIs of before it could be read by day, under another name."""
    environment = local_environment(running_cloud.environment()["AWS_ENDPOINT_URL"], {})
    cloudformation, dynamodb = map(environment.client, ("cloudformation", "dynamodb"))
    tables = Template(PROJECT / "services/transformer/template.yaml").of_type(TABLE)
    [now] = [one for one in tables.values() if one["TableName"] == "CategoryKPIs"]
    now = now | {"TableName": "KpisOfBefore"}
    before = {name: value for name, value in now.items() if name != "GlobalSecondaryIndexes"}

    def deploy(change: Callable[..., Any], properties: dict[str, Any]) -> None:
        template = {"Resources": {"Table": {"Type": TABLE, "Properties": properties}}}
        change(StackName="before", TemplateBody=json.dumps(template))
        eventually(lambda: status().endswith("_COMPLETE"))

    def status() -> str:
        return str(cloudformation.describe_stacks(StackName="before")["Stacks"][0]["StackStatus"])

    deploy(cloudformation.create_stack, before)
    item = {"category": {"S": "Books"}, "order_date": {"S": "2025-07-07"}, "orders": {"N": "3"}}
    dynamodb.put_item(TableName="KpisOfBefore", Item=item)
    deploy(cloudformation.update_stack, now)
    assert status() == "UPDATE_COMPLETE"
    found = dynamodb.query(
        TableName="KpisOfBefore",
        IndexName="by-day",
        KeyConditionExpression="order_date = :day",
        ExpressionAttributeValues={":day": item["order_date"]},
    )
    assert found["Items"] == [item]
    cloudformation.delete_stack(StackName="before")
    eventually(lambda: "KpisOfBefore" not in dynamodb.list_tables()["TableNames"])


def test_a_setting_that_a_template_refuses_ends_the_start_and_leaves_nothing(
    directory: Path,
) -> None:
    said = ecp("up", "--port", 0, directory=directory, environment={"SETTLE_SECONDS": "soon"})
    assert said.exit_code == 3
    assert "SettleSeconds" in said.err.splitlines()[-1]
    assert not Folders(directory).record.exists()


def test_a_killed_worker_is_started_again(running_cloud: RunningCloud) -> None:
    name, pid = next(iter(record_of(running_cloud.directory).workers.items()))
    os.kill(pid, signal.SIGKILL)

    def restarted() -> bool:
        return record_of(running_cloud.directory).workers[name] != pid

    assert eventually(restarted)
    ready = Folders(running_cloud.directory).run / f"{name}.ready"
    eventually(ready.exists)
    assert len(record_of(running_cloud.directory).workers) == 2


@pytest.mark.thorough
def test_down_leaves_no_process_no_port_and_no_state(directory: Path) -> None:
    running = cloud.up(directory, port=0)
    processes = processes_of(directory)
    assert len(processes) >= 4
    assert cloud.down(directory) is True
    assert_nothing_is_left(directory, processes, running.port)
    assert cloud.down(directory) is False


@pytest.mark.thorough
@pytest.mark.parametrize("victim", [SUPERVISOR, CLOUD])
def test_what_a_killed_process_leaves_is_cleaned_up_by_the_next_up(
    directory: Path, victim: str
) -> None:
    first = cloud.up(directory, port=0)
    processes = processes_of(directory)
    killed = record_of(directory).processes[victim]
    os.kill(killed.pid, signal.SIGKILL)
    eventually(lambda: killed.process() is None)
    cloud.up(directory, port=0)  # at once, while the others do not know yet

    psutil.wait_procs(processes, timeout=PATIENCE_SECONDS)
    assert [process for process in processes if process.is_running()] == []
    second = cloud.find(directory)
    assert second is not None
    assert second.pid != first.pid


@pytest.mark.thorough
def test_down_ends_what_a_killed_supervisor_left(directory: Path) -> None:
    running = cloud.up(directory, port=0)
    processes = processes_of(directory)
    os.kill(running.pid, signal.SIGKILL)
    assert cloud.down(directory) is True
    assert_nothing_is_left(directory, processes, running.port)


def test_ctrl_c_while_it_starts_leaves_nothing(directory: Path) -> None:
    hearing_ctrl_c = ["env", "--default-signal=INT"]  # what a shell starts with `&` is deaf to it
    starting = subprocess.Popen(
        [*hearing_ctrl_c, sys.executable, "-m", "infra.ecp.main", "up", "--port", "0"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    eventually(Folders(directory).record.exists)
    record, processes = record_of(directory), processes_of(directory)
    os.killpg(starting.pid, signal.SIGINT)
    _, said = starting.communicate(timeout=PATIENCE_SECONDS)
    assert starting.returncode == 130
    assert said.splitlines()[-1] == "error: interrupted"
    assert_nothing_is_left(directory, processes, record.port)


def test_the_demo_shows_everything_and_leaves_nothing(directory: Path) -> None:
    said = ecp("demo", directory=directory, environment={"TMPDIR": str(directory)})
    assert said.exit_code == 0, said.err
    for part in (
        "COMPLETED by duckdb",
        "OrderKPIs",
        "CategoryKPIs",
        "Home & Kitchen",
        "order_date '2025-02-30' is not a date",
        "completed: ",
        "ecp submit shop/ --wait",
        "nothing is left running",
    ):
        assert part in said.out, part
    assert list(directory.iterdir()) == []


@pytest.mark.thorough
def test_a_demo_that_is_kept_ends_with_the_address_of_its_console(directory: Path) -> None:
    said = ecp("demo", "--keep", directory=directory)
    kept = directory / "ecp-demo"
    try:
        assert said.exit_code == 0, said.err
        address = said.out.splitlines()[-1].removeprefix("the console is at ")
        assert b"80,130.49" in urllib3.request("GET", address, timeout=PATIENCE_SECONDS).data
        again = ecp("demo", "--keep", directory=directory)
        assert (again.exit_code, "ecp-demo is there already" in again.err) == (3, True)
        opened = ecp("console", "--no-open", "--json", directory=kept)
        assert opened.document["console"] == address
    finally:
        assert ecp("down", "--forget", directory=kept).exit_code == 0
