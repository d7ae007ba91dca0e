"""Who stands behind a command that `ecp` sends: a name for the story of what happened."""

import getpass
import socket


def requester() -> str:
    """The person at this machine, as `user@host`."""
    return f"{getpass.getuser()}@{socket.gethostname()}"
