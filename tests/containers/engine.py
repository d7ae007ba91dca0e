"""A Docker engine for the suites of this folder: the machine's, or one started for them alone.

`python -m tests.containers.engine` keeps one running for many runs of the suites; Ctrl-C ends it.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound

from tests.containers import base_image
from tests.support.pipeline import eventually

PACKAGES = ("docker.io", "mmdebstrap")
STOP_SECONDS = 60.0
MODE = {"TESTCONTAINERS_RYUK_DISABLED": "true", "TC_POOLING_INTERVAL": "0.1"}
"""Nothing reaps: every container of the suites ends with the block that started it."""


def lacks() -> str | None:
    """Why this machine can neither use a Docker engine nor make one, or None."""
    if _answers(dict(os.environ)):
        return None
    if os.geteuid() != 0:
        return "no Docker engine answers, and only root can start one"
    if not _is_installed() and shutil.which("apt-get") is None:
        return f"no Docker engine answers, and there is no apt-get to install {PACKAGES[0]}"
    return base_image.lacks()


@contextmanager
def running_engine() -> Iterator[Mapping[str, str]]:
    """Gives the variables that point testcontainers at an engine that has the base image."""
    if _answers(dict(os.environ)) and _has_base_image(dict(os.environ)):
        yield MODE
        return
    install()
    with _private_engine() as environment:
        base_image.make(docker.from_env(environment=dict(environment)))
        yield {**MODE, **environment}


def install() -> None:
    """Install what is missing of the engine and of the tool that makes the base image."""
    if not _is_installed():
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
        subprocess.run(command, check=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def _is_installed() -> bool:
    return all(shutil.which(tool) for tool in ("dockerd", "mmdebstrap"))


def _answers(environment: dict[str, str]) -> bool:
    try:
        return bool(docker.from_env(timeout=5, environment=environment).ping())
    except DockerException:
        return False


def _has_base_image(environment: dict[str, str]) -> bool:
    """Whether the engine has it, or a registry at hand gives it."""
    images = docker.from_env(environment=environment).images
    try:
        images.get(base_image.NAME)
    except ImageNotFound:
        try:
            images.pull(*base_image.NAME.split(":"))
        except DockerException:
            return False
    return True


@contextmanager
def _private_engine() -> Iterator[Mapping[str, str]]:
    """An engine on a socket of its own, with no rule in the firewall; leaves nothing behind."""
    had_bridge = _has_bridge()
    with tempfile.TemporaryDirectory(prefix="engine-", ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        environment = {
            "DOCKER_HOST": f"unix://{root}/docker.sock",
            "TESTCONTAINERS_CONNECTION_MODE": "docker_host",
        }
        with (root / "dockerd.log").open("wb") as log:
            daemon = subprocess.Popen(
                _command(root, environment["DOCKER_HOST"]),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            _await(daemon, environment, root / "dockerd.log")
            yield environment
        finally:
            daemon.terminate()
            try:
                daemon.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(daemon.pid, signal.SIGKILL)
                daemon.wait()
            # dockerd leaves both: a mount that keeps its folder busy, and a link that stays up.
            _quietly("umount", str(root / "run/netns/default"))
            if not had_bridge and _has_bridge():
                _quietly("ip", "link", "delete", "docker0")


def _command(root: Path, host: str) -> list[str]:
    return [
        "dockerd",
        *("--data-root", str(root / "images"), "--exec-root", str(root / "run")),
        *("--pidfile", str(root / "pid"), "--host", host, "--ip", "127.0.0.1"),
        *("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"),
    ]


def _await(daemon: "subprocess.Popen[bytes]", environment: dict[str, str], log: Path) -> None:
    def is_up() -> bool:
        if daemon.poll() is not None:
            raise AssertionError(f"the Docker engine did not start:\n{log.read_text()[-2000:]}")
        return _answers(environment)

    eventually(is_up)


def _has_bridge() -> bool:
    return Path("/sys/class/net/docker0").exists()


def _quietly(*command: str) -> None:
    subprocess.run(command, check=False, capture_output=True)


def main() -> None:
    """Keep an engine until it is told to end, and say how the suites find it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), running_engine() as environment:
        for name, value in environment.items():
            print(f"export {name}={value}", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
