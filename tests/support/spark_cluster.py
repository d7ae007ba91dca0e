"""A standalone Spark cluster of processes on this machine, which share no file with the driver."""

import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

EXECUTOR = "CoarseGrainedExecutorBackend"
STARTS_IN_SECONDS = 90.0


@dataclass(frozen=True)
class SparkCluster:
    """`url`: what SPARK_MASTER names."""

    url: str
    workers: tuple[subprocess.Popen[bytes], ...]

    def executors(self) -> list[psutil.Process]:
        """The processes that the workers started and that do the work."""
        return [
            child
            for worker in self.workers
            for child in psutil.Process(worker.pid).children(recursive=True)
            if EXECUTOR in " ".join(_command_of(child)) and "java" in child.name()
        ]


@contextmanager
def spark_cluster(folder: Path, workers: int = 2) -> Iterator[SparkCluster]:
    """A master and workers of one core on loopback; they know AWS as this process does."""
    import pyspark

    home = Path(pyspark.__file__).parent
    port = _free_port()
    url = f"spark://127.0.0.1:{port}"
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, main: str, *arguments: str) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_WORKER_DIR": str(folder / name),
            "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false",
        }
        with (folder / f"{name}.log").open("wb") as log:
            one = subprocess.Popen(
                [
                    str(home / "bin/spark-class"),
                    f"org.apache.spark.deploy.{main}",
                    *("--host", "127.0.0.1", "--webui-port", "0"),
                    *arguments,
                ],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        started.append(one)
        return one

    try:
        start("master", "master.Master", "--port", str(port))
        wait_for(lambda: "ALIVE" in (folder / "master.log").read_text(), "the master")
        at_work = [
            start(f"worker{n}", "worker.Worker", "-c", "1", "-m", "1g", url) for n in range(workers)
        ]
        for n in range(workers):
            log = folder / f"worker{n}.log"
            wait_for(lambda log=log: "Successfully registered" in log.read_text(), log.stem)
        yield SparkCluster(url, tuple(at_work))
    finally:
        for one in reversed(started):
            _end(one)


def wait_for(condition: Callable[[], bool], what: str, seconds: float = STARTS_IN_SECONDS) -> None:
    """Look again until it holds."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"{what}: not after {seconds:g} seconds")
        time.sleep(0.05)


def events_in(folder: Path) -> list[str]:
    """The names of the events that a session has logged so far (SPARK_EVENT_LOG_DIR), in order."""
    logs = sorted(folder.glob("eventlog_v2_*/events_*"))
    text = "".join(log.read_text(errors="replace") for log in logs)
    return re.findall(r'^\{"Event":"([\w.]+)"', text, re.MULTILINE)


def _end(one: subprocess.Popen[bytes]) -> None:
    below = psutil.Process(one.pid).children(recursive=True) if one.poll() is None else []
    one.terminate()
    for process in below:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    one.wait(timeout=30)


def _command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
