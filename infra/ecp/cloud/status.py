"""`ecp status`: what is going on, and what is wrong; how it is shown is in `status_view.py`."""

from infra.ecp.target import current_target
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import print_line


def status(as_json: AsJson = False) -> None:
    """What is going on: the lock, files that wait, batches and their steps, dead letters.

    Of a local cloud also its workers (a silent one is paused or stuck), messages that are tried
    again, and the room on its disk.

    Example: `ecp status`
    """
    target = current_target()
    if not as_json:
        print_line(f"speaking to {target.origin}")  # at once: what comes takes a second to load
    from infra.ecp.cloud.status_view import show

    show(target, as_json=as_json)
