"""How MiniStack, the AWS that runs on one machine, is started and asked whether it is there.

It listens on loopback only, uses no Docker even where there is one (tasks and functions would
otherwise run in containers), and knows no credentials but dummies.
"""

import http.client
import os
import socket
import sys
from collections.abc import Mapping

from infra.environments import LOCAL_CREDENTIALS, LOCAL_REGION
from infra.errors import LocalCloudError
from infra.local.folders import Folders

HOST = "127.0.0.1"
DEFAULT_PORT = 4566
COMMAND = (sys.executable, "-m", "ministack")


def endpoint_url(port: int) -> str:
    return f"http://{HOST}:{port}"


def client_environment(endpoint: str) -> dict[str, str]:
    """The variables that point an AWS client at the local cloud."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        **LOCAL_CREDENTIALS,
        "AWS_DEFAULT_REGION": LOCAL_REGION,
    }


def inherited_environment() -> dict[str, str]:
    """This process's environment without its AWS settings: nothing local may reach an account."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def ministack_environment(port: int, folders: Folders) -> Mapping[str, str]:
    """The environment MiniStack is started with; its source names the variables."""
    return {
        **inherited_environment(),
        **LOCAL_CREDENTIALS,
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": LOCAL_REGION,
        "STATE_DIR": str(folders.run / "state"),
        "S3_DATA_DIR": str(folders.run / "s3"),
        "TMPDIR": str(folders.run),
        "S3_PERSIST": "1",  # objects lie on the disk, not in memory
        "LAMBDA_EXECUTOR": "local",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{folders.run}/no-docker.sock",
        "PYTHONUNBUFFERED": "1",
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "INFO"),
    }


def answers(port: int, timeout_seconds: float = 2.0) -> bool:
    """Whether MiniStack answers on that port of this machine."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_seconds)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def claim_port(port: int | None) -> int:
    """The port to use: the one asked for, 4566 for None, any free one for 0.

    Raises LocalCloudError when something listens there already.
    """
    wanted = DEFAULT_PORT if port is None else port
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError as refusal:
            raise LocalCloudError(
                f"port {wanted} is in use; stop what listens there, or choose another port "
                "(0 takes any free one)"
            ) from refusal
        return int(probe.getsockname()[1])
