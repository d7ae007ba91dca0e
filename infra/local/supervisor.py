"""Runs one local cloud: MiniStack, the stacks in it, and the workers beside it."""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from contracts.clock import to_rfc3339
from infra.deployer.deploy import deploy
from infra.deployer.one_stack import Policy
from infra.deployer.stacks import StackResult
from infra.environments import local_environment
from infra.errors import LocalCloudError
from infra.local import ministack
from infra.local.deployed_workers import DeployedWorkers
from infra.local.folders import Folders
from infra.local.interrupted import ask_for_sweep, await_closed
from infra.local.launch import Launcher
from infra.local.processes import ChildProcess
from infra.local.records import (
    CLOUD,
    SUPERVISOR,
    CloudRecord,
    Restoration,
    record_of,
    write_record,
)
from infra.local.scaled_workers import Clients, ScaledWorkers
from infra.local.task_credentials import new_key
from infra.local.versions import Versions
from infra.local.worker_pool import WorkerPool
from infra.stage import VARIABLE, stage_of

WATCH_SECONDS = 0.2
CLOUD_START_SECONDS = 30.0
CLOUD_STOP_SECONDS = 60.0
"""With saving."""
WORKERS_READY_SECONDS = 60.0
logger = logging.getLogger(__name__)


class Supervisor:
    """One local cloud, from its start to its end. `report` hears what is being done."""

    def __init__(
        self,
        folders: Folders,
        project: Path,
        port: int,
        settings: Mapping[str, str],
        report: Callable[[str], None],
    ) -> None:
        endpoint = ministack.endpoint_url(port)
        self._folders, self._project, self._report = folders, project, report
        stage = stage_of(settings)
        own = {name: value for name, value in settings.items() if name != VARIABLE}
        self._environment = local_environment(endpoint, own, stage)
        self._task_key = new_key()
        self._stop = threading.Event()
        self._crash = ""
        self._cloud: ChildProcess | None = None
        self._pool = WorkerPool(
            folders,
            Launcher(
                folders,
                endpoint,
                self._task_key,
                Versions(self._environment.client("s3"), folders.versions),
            ),
            self._remember,
            self._forget,
        )
        clients = Clients(*(self._environment.client(one) for one in ("ecs", "sqs", "ssm")))
        scaled = ScaledWorkers(clients, stage, self._pool.count_ready)
        self._deployed = DeployedWorkers(self._pool, clients.ecs, clients.ssm, scaled.counts)
        self._record = CloudRecord(
            pid=os.getpid(),
            port=port,
            endpoint=endpoint,
            started_at=to_rfc3339(datetime.now(UTC)),
            status="starting",
            settings=dict(settings),
            processes={SUPERVISOR: record_of(os.getpid())},
        )

    def request_stop(self, _signal: int, _frame: FrameType | None) -> None:
        """Signal handler: the start is given up, or the watch ends."""
        self._stop.set()

    def start(self) -> None:
        """Start the cloud, deploy every stack, start the workers; return when all are ready.

        Raises LocalCloudError or DeploymentFailed; `shut_down` is due then as well.
        """
        restored = self._bring_back()
        self._cloud = ChildProcess(
            ministack.COMMAND,
            ministack.ministack_environment(self._record.port, self._folders, self._task_key),
            self._folders.log(CLOUD),
            self._folders.run,
        )
        self._remember(CLOUD, self._cloud.pid)
        self._await_cloud(self._cloud)
        deploy(
            self._environment,
            project=self._project,
            policy=Policy(deployed_by="ecp up"),
            on_progress=self._progress,
            on_deployed=self._start_worker_of,
        )
        self._await_workers()
        self._deployed.tell()
        if restored:
            restored = self._close_interrupted(restored)
        self._save_for_the_first_time()
        self._record = replace(self._record, status="ready", restored=restored)
        write_record(self._folders.record, self._record)

    def watch(self) -> None:
        """Keep the workers alive and at their newest version, until told to stop.

        Raises LocalCloudError when the cloud dies; the record then says so until the next start.
        """
        while not self._stop.wait(WATCH_SECONDS):
            if self._cloud and (code := self._cloud.exit_code()) is not None:
                how = f"was killed by signal {-code}" if code < 0 else f"ended (exit code {code})"
                self._crash = f"its server {how} at {to_rfc3339(datetime.now(UTC))}"
                raise LocalCloudError(f"the local cloud is down: {self._crash}")
            self._deployed.follow(time.monotonic())

    def shut_down(self) -> None:
        """Stop the workers, then the cloud, which saves its state; leave no process behind.

        The record goes, too, except after a crash.
        """
        self._pool.stop()
        if self._cloud:
            self._cloud.stop(CLOUD_STOP_SECONDS)
        if self._crash:
            self._record = replace(self._record, status="crashed", crash=self._crash)
            write_record(self._folders.record, self._record)
        else:
            self._folders.clean_up()
        logger.info("stopped")

    def _bring_back(self) -> Restoration | None:
        """Make the cloud's files those of the last save, before it is started."""
        state = self._folders.state
        save = state.newest()
        if save is None:
            state.forget()
            self._progress("starting an empty cloud")
            return None
        self._progress(f"bringing back what was saved at {save.saved_at}")
        if save.port != self._record.port:
            state.move_to(self._record.port, save)
        recovered = self._folders.recovered / save.saved_at.replace(":", "-")
        lost = state.bring_back_objects(recovered)
        for key in lost:
            logger.warning("uploaded after the last save, now under %s: %s", recovered, key)
        return Restoration(save.saved_at, save.at_stop, lost, str(recovered) if lost else "")

    def _save_for_the_first_time(self) -> None:
        """From now on the server saves by itself."""
        said = ministack.ask(self._record.port, ministack.SAVE_PATH, "POST")
        if said is None or said["save_failed"]:
            reason = said["save_failed"] if said else "its server does not answer"
            raise LocalCloudError(f"the state under {self._folders.root} cannot be saved: {reason}")

    def _close_interrupted(self, restored: Restoration) -> Restoration:
        """With the batches whose executions the server found interrupted, closed by then."""
        said = ministack.ask(self._record.port, ministack.STATE_PATH)
        if said is None:
            raise LocalCloudError(f"its server does not answer\n{self._folders.tail(CLOUD)}")
        ask_for_sweep(self._environment.client("events"), self._environment.client("sqs"))
        batches = await_closed(self._environment.client("dynamodb"), said["interrupted"])
        return replace(
            restored,
            interrupted=sorted(batches),
            still_open=sorted(name for name, is_closed in batches.items() if not is_closed),
        )

    def _await_cloud(self, cloud: ChildProcess) -> None:
        deadline = time.monotonic() + CLOUD_START_SECONDS
        while not ministack.answers(self._record.port):
            if cloud.exit_code() is not None or time.monotonic() > deadline:
                raise LocalCloudError(f"the local cloud did not start\n{self._folders.tail(CLOUD)}")
            self._give_up_if_told_to()
            time.sleep(0.02)

    def _start_worker_of(self, deployed: StackResult) -> None:
        self._deployed.start(time.monotonic(), self._environment.stage.named(deployed.name))

    def _await_workers(self) -> None:
        self._deployed.start(time.monotonic())
        deadline = time.monotonic() + WORKERS_READY_SECONDS
        while waiting := self._pool.not_ready():
            self._give_up_if_told_to()
            if time.monotonic() > deadline:
                raise LocalCloudError(
                    f"{', '.join(waiting)} did not begin to work in {WORKERS_READY_SECONDS:.0f} s; "
                    f"see the logs in {self._folders.logs}"
                )
            time.sleep(0.02)

    def _remember(self, name: str, pid: int) -> None:
        self._record = self._record.with_process(name, record_of(pid))
        write_record(self._folders.record, self._record)

    def _forget(self, name: str) -> None:
        self._record = self._record.without_process(name)
        write_record(self._folders.record, self._record)

    def _progress(self, line: str) -> None:
        self._give_up_if_told_to()
        logger.info(line)
        self._report(line)

    def _give_up_if_told_to(self) -> None:
        if self._stop.is_set():
            raise LocalCloudError("it was told to stop while it was starting")
