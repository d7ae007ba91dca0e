"""What survives from one run of the local cloud to the next: tables, objects, queues, stacks.

MiniStack writes its services' state when it ends in order, and only then; objects it writes at
once. So the state is good for another run only when the last one ended in order: a mark says so,
and a run takes the mark away while it lasts. Queue URLs in the state name the port, so it belongs
to one port.
"""

import json
import shutil

from infra.errors import LocalCloudError
from infra.local.folders import Folders
from infra.local.records import CLOUD

_MARK = "kept.json"
_COULD_NOT_SAVE = "ERROR [persistence]"


def port_of_kept_state(folders: Folders) -> int | None:
    """The port the kept state belongs to, None when no state is kept."""
    mark = folders.state / _MARK
    return int(json.loads(mark.read_text(encoding="utf-8"))["port"]) if mark.exists() else None


def check_port(folders: Folders, port: int | None) -> int | None:
    """The port to start on: that of the kept state when there is one, else `port` as it is.

    Raises LocalCloudError when another port is asked for by number.
    """
    kept = port_of_kept_state(folders)
    if kept is None:
        return port
    if port not in (None, 0, kept):
        raise LocalCloudError(
            f"the state kept in {folders.state} belongs to port {kept}: start it there, "
            "or remove it with `ecp down --forget`"
        )
    return kept


def take(folders: Folders) -> bool:
    """Begin a run: True when it goes on with kept state, False when it starts empty."""
    if port_of_kept_state(folders) is None:
        forget(folders)
        return False
    (folders.state / _MARK).unlink()
    return True


def keep(folders: Folders, port: int) -> bool:
    """End a run in order: mark the state as good; False when MiniStack could not write it all."""
    if _COULD_NOT_SAVE in folders.log(CLOUD).read_text(encoding="utf-8", errors="replace"):
        return False
    (folders.state / _MARK).write_text(json.dumps({"port": port}), encoding="utf-8")
    return True


def forget(folders: Folders) -> None:
    """Remove the state; the next run starts empty."""
    shutil.rmtree(folders.state, ignore_errors=True)
