"""Ports, restarts, and what a worker is told: the parts of the local cloud that need no cloud."""

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from botocore.exceptions import EndpointConnectionError

from infra.errors import LocalCloudError
from infra.local import cloud, ministack
from infra.local.deployed_workers import GONE_SECONDS, LOOK_SECONDS, DeployedWorkers
from infra.local.folders import Folders
from infra.local.processes import ChildProcess, has_ended, restart_delay_seconds
from infra.local.worker_pool import FINISH_SECONDS, WorkerPool
from infra.local.workers import WorkerDefinition, worker_definitions

ROLE = "arn:aws:iam::000000000000:role/validator-TaskRole"


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


@pytest.mark.parametrize(
    ("said", "auth"), [(None, "true"), ("enforced", "true"), ("open", "false")]
)
def test_iam_is_enforced_unless_it_is_said_to_be_open(
    monkeypatch: pytest.MonkeyPatch, said: str | None, auth: str
) -> None:
    monkeypatch.delenv("LOCAL_IAM", raising=False)
    if said:
        monkeypatch.setenv("LOCAL_IAM", said)
    assert ministack.ministack_environment(4566, Folders(Path("/somewhere")))["AUTH"] == auth


def test_another_word_for_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_IAM", "off")
    with pytest.raises(LocalCloudError, match="LOCAL_IAM='off': write enforced or open"):
        ministack.ministack_environment(4566, Folders(Path("/somewhere")))


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
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        if state.exists() and ") Z " in state.read_text():
            raise ProcessLookupError("gone, and not yet collected by its new parent")
        time.sleep(0.02)


@pytest.fixture
def a_child_nobody_asks_for(tmp_path: Path) -> Iterator[psutil.Process]:
    """A process whose parent, which is not this one, never collects it when it has ended."""
    script = (
        "import subprocess, sys, time\n"
        "command = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "print(subprocess.Popen(command, start_new_session=True).pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    log = tmp_path / "parent.log"
    parent = ChildProcess([sys.executable, "-c", script], os.environ, log, tmp_path)
    while not log.read_text().endswith("\n"):
        time.sleep(0.02)
    child = psutil.Process(int(log.read_text()))
    yield child
    child.kill()
    parent.stop(grace_seconds=5)


def test_a_process_that_ended_and_was_not_collected_has_ended(
    a_child_nobody_asks_for: psutil.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ecp down` ends a supervisor that somebody else has started, and is done."""
    by_force: list[int] = []
    monkeypatch.setattr(cloud, "DOWN_SECONDS", 3.0)
    monkeypatch.setattr(cloud, "end_group", by_force.append)
    cloud._end_politely(a_child_nobody_asks_for)
    assert a_child_nobody_asks_for.status() == psutil.STATUS_ZOMBIE
    assert by_force == []


def test_a_process_that_does_not_end_is_said_not_to(
    a_child_nobody_asks_for: psutil.Process,
) -> None:
    assert not has_ended(a_child_nobody_asks_for, 0.05)


class ProcessHarness:
    """A pool that runs scripts, and what it said of its processes."""

    def __init__(self, folder: Path) -> None:
        self.folders = Folders(folder)
        self.folders.prepare()
        self.started: list[tuple[str, int]] = []
        self.gone: list[str] = []
        self._is_away = False
        self.pool = WorkerPool(
            self.folders,
            self._spawn,
            lambda name, pid: self.started.append((name, pid)),
            lambda name: self.gone.append(name),
        )

    def _spawn(self, definition: WorkerDefinition, ready_file: Path, log: Path) -> ChildProcess:
        if self._is_away:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        environment = {**os.environ, "WORKER_READY_FILE": str(ready_file)}
        return ChildProcess(definition.command, environment, log, self.folders.run)

    @contextmanager
    def unable_to_start(self) -> Iterator[None]:
        """Meanwhile the cloud does not give the code of any version."""
        self._is_away = True
        yield
        self._is_away = False

    def want(self, script: str, revision: int = 1) -> None:
        self.pool.want(a_worker(script, revision), time.monotonic())

    def tend_until(self, state: str) -> tuple[str, str, str]:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            self.pool.tend(time.monotonic())
            told = self.pool.states()["validator"]
            if told[1] == state:
                return told
            time.sleep(0.02)
        raise AssertionError(f"it never became {state}: {self.pool.states()}")

    @property
    def pid(self) -> int:
        """Of the process that was started last."""
        return self.started[-1][1]


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ProcessHarness]:
    made = ProcessHarness(tmp_path)
    yield made
    made.pool.stop()


def a_worker(script: str, revision: int = 1) -> WorkerDefinition:
    command = (sys.executable, "-c", script)
    return WorkerDefinition("validator", "s3://b/v.zip", command, {}, ROLE, f"arn:task:{revision}")


def wait_until_ready(pool: WorkerPool) -> None:
    while pool.not_ready():
        time.sleep(0.02)


READY = "import os, pathlib; pathlib.Path(os.environ['WORKER_READY_FILE']).write_text('up');"
WORKS = f"import time; {READY} time.sleep(60)"


def test_a_worker_is_waited_for_until_it_says_that_it_is_ready(harness: ProcessHarness) -> None:
    harness.want(f"import time; time.sleep(0.2); {READY} time.sleep(60)")
    assert harness.pool.not_ready() == ["validator"]
    wait_until_ready(harness.pool)


def test_a_worker_that_dies_while_starting_is_told_with_the_end_of_its_log(
    harness: ProcessHarness,
) -> None:
    harness.want("raise SystemExit('QUEUE_URL is not set')")
    with pytest.raises(LocalCloudError, match=r"validator ended .*\n.*QUEUE_URL is not set"):
        wait_until_ready(harness.pool)


def test_a_dead_worker_starts_again_after_its_delay_and_not_before(harness: ProcessHarness) -> None:
    harness.want(READY)
    os.waitid(os.P_PID, harness.pid, os.WEXITED | os.WNOWAIT)
    now = time.monotonic()
    harness.pool.tend(now)
    harness.pool.tend(now + 0.4)
    assert len(harness.started) == 1
    harness.pool.tend(now + 0.5)
    assert len(harness.started) == 2


FINISHES_LATER = (
    "import os, pathlib, signal, sys, time\n"
    "def finish(*_):\n"
    "    while not pathlib.Path('may-finish').exists(): time.sleep(0.01)\n"
    "    sys.exit('finished the message in hand')\n"
    f"signal.signal(signal.SIGTERM, finish)\n{READY}\nwhile True: time.sleep(0.1)"
)
"""A worker that, told to stop, ends when the file is there."""


def test_a_new_version_starts_when_the_old_one_has_finished_its_message(
    harness: ProcessHarness,
) -> None:
    harness.want(FINISHES_LATER)
    harness.tend_until("ready")
    old = harness.pid
    harness.want(WORKS, revision=2)
    assert harness.tend_until("stopping") == ("arn:task:2", "stopping", "")
    harness.pool.tend(time.monotonic() + FINISH_SECONDS - 1)
    assert harness.pid == old
    os.kill(old, 0)
    (harness.folders.run / "may-finish").touch()
    assert harness.tend_until("ready") == ("arn:task:2", "ready", "")
    assert harness.pid != old
    assert harness.folders.tail("validator") == "finished the message in hand"
    with pytest.raises(ProcessLookupError):
        os.kill(old, 0)


def test_an_old_version_that_does_not_finish_in_time_is_ended(harness: ProcessHarness) -> None:
    harness.want(FINISHES_LATER)
    harness.tend_until("ready")
    old = harness.pid
    harness.want(WORKS, revision=2)
    harness.pool.tend(time.monotonic() + FINISH_SECONDS)
    assert harness.pid != old
    with pytest.raises(ProcessLookupError):
        os.kill(old, 0)
    assert harness.tend_until("ready")[0] == "arn:task:2"


def test_a_new_version_that_dies_again_and_again_fails_and_gives_way_at_once(
    harness: ProcessHarness,
) -> None:
    harness.want(f"print('version 1', flush=True); {WORKS}")
    harness.tend_until("ready")
    harness.want("raise SystemExit('no such module')", revision=2)
    assert harness.tend_until("failing") == (
        "arn:task:2",
        "failing",
        "no such module\nno such module",
    )
    before = len(harness.started)
    harness.want(WORKS, revision=3)
    harness.pool.tend(time.monotonic())
    assert len(harness.started) == before + 1
    assert harness.tend_until("ready") == ("arn:task:3", "ready", "")


def test_a_cloud_that_does_not_hand_out_a_new_version_is_asked_again(
    harness: ProcessHarness,
) -> None:
    harness.want(READY)
    os.waitid(os.P_PID, harness.pid, os.WEXITED | os.WNOWAIT)
    harness.want(WORKS, revision=2)
    ecs = SimpleNamespace(list_task_definition_families=lambda **_: {"families": []})
    ssm = SimpleNamespace(put_parameter=lambda **_: None)
    workers = DeployedWorkers(harness.pool, ecs, ssm)
    with harness.unable_to_start():
        workers.follow(time.monotonic())
    assert len(harness.started) == 1
    workers.follow(time.monotonic())
    assert len(harness.started) == 2
    assert harness.tend_until("ready")[0] == "arn:task:2"


def test_another_revision_of_the_same_version_starts_nothing(harness: ProcessHarness) -> None:
    harness.want(WORKS)
    harness.tend_until("ready")
    harness.want(WORKS, revision=2)
    assert harness.pool.states()["validator"][:2] == ("arn:task:2", "ready")
    assert len(harness.started) == 1


class OneTaskDefinition:
    """An ECS with one task definition of one container."""

    def __init__(self, role: str = ROLE, **container: Any) -> None:
        self._role = role
        self._container = {"name": "validator", "image": "s3://b/v.zip", **container}

    def list_task_definition_families(self, status: str) -> dict[str, Any]:
        assert status == "ACTIVE"
        return {"families": ["validation-task"]}

    def describe_task_definition(self, taskDefinition: str) -> dict[str, Any]:
        assert taskDefinition == "validation-task"
        described = {
            "containerDefinitions": [self._container],
            "taskDefinitionArn": "arn:task:7",
            "taskRoleArn": self._role,
        }
        return {"taskDefinition": described}


def test_the_worker_of_a_stack_that_is_still_to_be_deployed_is_not_started(
    harness: ProcessHarness,
) -> None:
    ecs = OneTaskDefinition(command=["python", "-c", WORKS])
    workers = DeployedWorkers(harness.pool, ecs, SimpleNamespace())
    workers.start(time.monotonic(), "transformer")
    assert harness.started == []
    workers.start(time.monotonic(), "validator")
    assert len(harness.started) == 1
    workers.start(time.monotonic())
    assert len(harness.started) == 1


def test_a_worker_is_what_its_newest_task_definition_says_run_by_this_python() -> None:
    ecs = OneTaskDefinition(
        command=["python", "-m", "services.validator.worker"],
        environment=[{"name": "COMMAND_QUEUE_URL", "value": "http://queue"}],
    )
    [definition] = worker_definitions(ecs)
    assert definition == WorkerDefinition(
        "validator",
        "s3://b/v.zip",
        (sys.executable, "-m", "services.validator.worker"),
        {"COMMAND_QUEUE_URL": "http://queue"},
        ROLE,
        "arn:task:7",
    )
    assert definition.task_definition == "arn:task:7"


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({}, "validator names no command"),
        ({"command": ["x"], "role": ""}, "validator has no task role"),
        ({"command": ["x"], "secrets": [{"name": "A", "valueFrom": "b"}]}, "takes secrets"),
    ],
)
def test_a_container_that_cannot_run_here_is_refused(
    container: dict[str, Any], message: str
) -> None:
    with pytest.raises(LocalCloudError, match=message):
        worker_definitions(OneTaskDefinition(**container))


class Registered:
    """ECS, with the task definition of a worker, or without it; SSM that keeps nothing."""

    def __init__(self, definition: WorkerDefinition) -> None:
        self.families = ["validation-task"]
        self._definition = definition

    def list_task_definition_families(self, **_: str) -> dict[str, Any]:
        return {"families": self.families}

    def describe_task_definition(self, **_: str) -> dict[str, Any]:
        container = {
            "name": self._definition.name,
            "image": self._definition.image,
            "command": list(self._definition.command),
        }
        return {
            "taskDefinition": {
                "containerDefinitions": [container],
                "taskDefinitionArn": self._definition.task_definition,
                "taskRoleArn": self._definition.task_role,
            }
        }

    def put_parameter(self, **_: object) -> None:
        """How far a worker is, for others."""


def test_a_worker_whose_stack_is_deleted_is_ended_and_not_started_again(
    harness: ProcessHarness,
) -> None:
    aws = Registered(a_worker(WORKS))
    workers = DeployedWorkers(harness.pool, aws, aws)
    workers.follow(0.0)
    harness.tend_until("ready")
    aws.families = []
    workers.follow(LOOK_SECONDS)
    assert harness.gone == [], "it may only be in the middle of being replaced"
    workers.follow(LOOK_SECONDS + GONE_SECONDS)
    assert harness.gone == ["validator"]
    assert not psutil.pid_exists(harness.pid)
    workers.follow(3 * GONE_SECONDS)
    assert len(harness.started) == 1


def test_as_many_of_a_worker_run_as_are_wanted(harness: ProcessHarness) -> None:
    aws, counts = Registered(a_worker(WORKS)), {"validator": 2}
    workers = DeployedWorkers(harness.pool, aws, aws, lambda: counts)
    workers.follow(0.0)
    deadline = time.monotonic() + 60
    while harness.pool.count_ready("validator") < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sorted(harness.pool.states()) == ["validator", "validator-2"]
    assert harness.pool.count_ready("validator") == 2
    assert harness.pool.count_ready("valid") == 0
    counts["validator"] = 1
    workers.follow(LOOK_SECONDS)
    workers.follow(LOOK_SECONDS + GONE_SECONDS)
    assert harness.gone == ["validator-2"]
    assert sorted(harness.pool.states()) == ["validator"]
