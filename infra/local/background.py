"""The background process behind `ecp up`: `python -m infra.local.background`.

While it starts, it tells its parent what it does in JSON lines on standard output: `progress`, and
last `ready` or `failed`. Then it lets go of the pipe and runs until SIGTERM.
"""

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from contracts.errors import PipelineError
from infra.local.folders import Folders
from infra.local.records import SETTINGS_VARIABLE, SUPERVISOR
from infra.local.supervisor import Supervisor

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str]) -> int:
    """Run the local cloud of one directory; returns the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args(arguments)
    settings = json.loads(os.environ.pop(SETTINGS_VARIABLE, "{}"))
    folders = Folders(options.directory)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        return _run(
            Supervisor(folders, options.project, options.port, settings, _report_progress),
            folders,
        )
    except PipelineError as failure:
        logger.error("%s", failure)
        _tell("failed", str(failure))
        return 1


def _run(supervisor: Supervisor, folders: Folders) -> int:
    signal.signal(signal.SIGTERM, supervisor.request_stop)
    signal.signal(signal.SIGINT, supervisor.request_stop)
    try:
        supervisor.start()
        _tell("ready", "")
        _let_go_of_parent(folders)
        supervisor.watch()
    finally:
        supervisor.shut_down()
    return 0


def _report_progress(line: str) -> None:
    _tell("progress", line)


def _tell(kind: str, text: str) -> None:
    """Write one line to the parent; when it is gone, nobody wants this cloud: BrokenPipeError."""
    sys.stdout.write(json.dumps({kind: text}) + "\n")
    sys.stdout.flush()


def _let_go_of_parent(folders: Folders) -> None:
    with folders.log(SUPERVISOR).open("ab") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
