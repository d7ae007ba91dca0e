"""How MiniStack, the AWS that runs on one machine, is started and asked whether it is there.

It listens on loopback only, uses no Docker even where there is one (tasks and functions would
otherwise run in containers), and knows no credentials but dummies.
"""

import http.client
import json
import os
import socket
import sys
from collections.abc import Mapping
from typing import Any

from infra.environments import LOCAL_CREDENTIALS, LOCAL_REGION
from infra.errors import LocalCloudError
from infra.local.folders import Folders
from infra.local.task_credentials import KEY_VARIABLE

HOST = "127.0.0.1"
DEFAULT_PORT = 4566
ACCOUNT = "000000000000"
STATE_PATH, SAVE_PATH, RIGHTS_PATH = "/_ecp/state", "/_ecp/save", "/_ecp/rights"
"""What the server answers beside AWS: how saving goes, the order to save, who asked for what."""
ASK_SECONDS = 150.0
"""More than the longest save."""
IAM_VARIABLE, ENFORCED, OPEN = "LOCAL_IAM", "enforced", "open"
"""Whether calls need the rights that templates give; `open` shows what is due to rights."""
COMMAND = (sys.executable, "-m", "infra.local.server")


def endpoint_url(port: int) -> str:
    return f"http://{HOST}:{port}"


def client_environment(endpoint: str) -> dict[str, str]:
    """The variables that point an AWS client at the local cloud, with all rights."""
    return {"AWS_ENDPOINT_URL": endpoint, **LOCAL_CREDENTIALS, "AWS_DEFAULT_REGION": LOCAL_REGION}


def address(endpoint: str) -> dict[str, str]:
    """The variables that say where the local cloud is, and nothing of who asks."""
    return {"AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": LOCAL_REGION}


def inherited_environment() -> dict[str, str]:
    """This process's environment without its AWS settings: nothing local may reach an account."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def ministack_environment(port: int, folders: Folders, task_key: str = "") -> Mapping[str, str]:
    """The environment MiniStack is started with; its source names the variables."""
    return {
        **inherited_environment(),
        **LOCAL_CREDENTIALS,
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": LOCAL_REGION,
        "PERSIST_STATE": "1",  # load at the start what `infra.local.server` saved
        "STATE_DIR": str(folders.state.saved),
        "S3_DATA_DIR": str(folders.state.objects),
        "ECP_STATE": str(folders.state.root),
        "TMPDIR": str(folders.run),
        "S3_PERSIST": "1",  # objects lie on the disk, not in memory
        "LAMBDA_EXECUTOR": "local",
        "AUTH": _enforces_iam(),
        KEY_VARIABLE: task_key,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{folders.run}/no-docker.sock",
        "PYTHONUNBUFFERED": "1",
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "INFO"),
    }


def _enforces_iam() -> str:
    """Whether roles have the rights of their policies only; the keys above have all, as root."""
    said = os.environ.get(IAM_VARIABLE, ENFORCED)
    if said not in (ENFORCED, OPEN):
        raise LocalCloudError(f"{IAM_VARIABLE}={said!r}: write {ENFORCED} or {OPEN}")
    return str(said == ENFORCED).lower()


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


def ask(port: int, path: str, method: str = "GET") -> dict[str, Any] | None:
    """What our own server answers under /_ecp/, None when it does not answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=ASK_SECONDS)
    try:
        connection.request(method, path)
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return answer


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
