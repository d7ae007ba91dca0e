"""Ports, restarts, and what a worker is told: the parts of the local cloud that need no cloud."""

import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from infra.errors import LocalCloudError
from infra.local import cloud, ministack
from infra.local.crew import Crew
from infra.local.folders import Folders
from infra.local.processes import ChildProcess, restart_delay_seconds
from infra.local.workers import WorkerDefinition, worker_definitions


def test_a_port_in_use_is_one_clear_error_that_names_it_and_starts_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LocalCloudError, match=f"port {port} is in use; .* another port"):
            cloud.up(tmp_path, port=port)
    assert not (tmp_path / ".ecp/cloud.json").exists()
    assert cloud.find(tmp_path) is None


def test_any_free_port_is_found_for_zero() -> None:
    with socket.create_server(("127.0.0.1", ministack.claim_port(0))) as server:
        assert server.getsockname()[1] > 0


def test_no_aws_setting_of_the_caller_reaches_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a real one")
    folders = Folders(Path("/somewhere"))
    environment = ministack.ministack_environment(4566, folders)
    assert "AWS_PROFILE" not in environment
    assert environment["AWS_SECRET_ACCESS_KEY"] == "test"
    assert environment["BIND_HOST"] == "127.0.0.1"


def test_a_restart_waits_longer_each_time_but_never_more_than_half_a_minute() -> None:
    assert [restart_delay_seconds(failures) for failures in (1, 2, 3, 4)] == [0.5, 1, 2, 4]
    assert restart_delay_seconds(100) == 30


def test_a_stopped_process_takes_its_children_with_it(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    log = tmp_path / "parent.log"
    process = ChildProcess([sys.executable, "-c", script], os.environ, log, tmp_path)
    while not log.read_text().endswith("\n"):
        time.sleep(0.02)
    process.stop(grace_seconds=5)
    assert process.exit_code() == -signal.SIGTERM
    grandchild = int(log.read_text())
    with pytest.raises(ProcessLookupError):
        wait_until_gone(grandchild)


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        if state.exists() and ") Z " in state.read_text():
            raise ProcessLookupError("gone, and not yet collected by its new parent")
        time.sleep(0.02)


def a_crew(folder: Path) -> tuple[Crew, list[int]]:
    folders = Folders(folder)
    folders.start_afresh()
    started: list[int] = []
    return Crew(folders, "http://127.0.0.1:1", lambda _, pid: started.append(pid)), started


def a_worker(script: str) -> WorkerDefinition:
    return WorkerDefinition("validator", (sys.executable, "-c", script), {"QUEUE": "q"})


def wait_until_ready(crew: Crew) -> None:
    while crew.not_ready():
        time.sleep(0.02)


READY = "import os, pathlib; pathlib.Path(os.environ['WORKER_READY_FILE']).write_text('up');"


def test_a_worker_is_waited_for_until_it_says_that_it_is_ready(tmp_path: Path) -> None:
    crew, _ = a_crew(tmp_path)
    crew.start(a_worker(f"import time; time.sleep(0.2); {READY} time.sleep(60)"))
    try:
        assert crew.not_ready() == ["validator"]
        wait_until_ready(crew)
    finally:
        crew.stop()


def test_a_worker_that_dies_while_starting_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    crew, _ = a_crew(tmp_path)
    crew.start(a_worker("raise SystemExit('QUEUE_URL is not set')"))
    with pytest.raises(LocalCloudError, match=r"validator ended .*\n.*QUEUE_URL is not set"):
        wait_until_ready(crew)


def test_a_dead_worker_starts_again_after_its_delay_and_not_before(tmp_path: Path) -> None:
    crew, started = a_crew(tmp_path)
    crew.start(a_worker(READY))
    os.waitid(os.P_PID, started[0], os.WEXITED | os.WNOWAIT)
    now = 1000.0
    crew.restart_the_dead(now)
    crew.restart_the_dead(now + 0.4)
    assert len(started) == 1
    crew.restart_the_dead(now + 0.5)
    crew.stop()
    assert len(started) == 2


class OneTaskDefinition:
    """An ECS and a CloudFormation with one stack that registered one container."""

    def __init__(self, **container: Any) -> None:
        self._container = {"name": "validator", **container}

    def get_paginator(self, _operation: str) -> "OneTaskDefinition":
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        task = {"ResourceType": "AWS::ECS::TaskDefinition", "PhysicalResourceId": "arn:task:7"}
        queue = {"ResourceType": "AWS::SQS::Queue", "PhysicalResourceId": "https://queue"}
        return [{"StackResourceSummaries": [queue, task]}]

    def describe_task_definition(self, taskDefinition: str) -> dict[str, Any]:
        assert taskDefinition == "arn:task:7"
        return {"taskDefinition": {"containerDefinitions": [self._container]}}


def test_a_worker_is_what_its_task_definition_says_run_by_this_python() -> None:
    aws = OneTaskDefinition(
        command=["python", "-m", "services.validator.worker"],
        environment=[{"name": "COMMAND_QUEUE_URL", "value": "http://queue"}],
    )
    assert worker_definitions(aws, aws, "stack") == [
        WorkerDefinition(
            "validator",
            (sys.executable, "-m", "services.validator.worker"),
            {"COMMAND_QUEUE_URL": "http://queue"},
        )
    ]


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({}, "validator names no command"),
        ({"command": ["x"], "secrets": [{"name": "A", "valueFrom": "b"}]}, "takes secrets"),
    ],
)
def test_a_container_that_cannot_run_here_is_refused(
    container: dict[str, Any], message: str
) -> None:
    aws = OneTaskDefinition(**container)
    with pytest.raises(LocalCloudError, match=message):
        worker_definitions(aws, aws, "stack")
