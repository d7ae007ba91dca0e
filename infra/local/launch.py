"""Starts a worker beside the local cloud: its version's code, the cloud's address, its role."""

import os
from pathlib import Path

from infra.local import ministack
from infra.local.folders import Folders
from infra.local.processes import ChildProcess
from infra.local.task_credentials import worker_environment
from infra.local.versions import Versions
from infra.local.workers import READY_FILE, WorkerDefinition

AS_IN_IMAGES = Path(__file__).parent / "as_in_images"
"""What Python would find here and finds in no image."""


class Launcher:
    """Starts workers of one local cloud."""

    def __init__(self, folders: Folders, endpoint: str, task_key: str, versions: Versions) -> None:
        self._folders, self._endpoint, self._versions = folders, endpoint, versions
        self._task_key = task_key

    def __call__(self, definition: WorkerDefinition, ready_file: Path, log: Path) -> ChildProcess:
        """Start it; its own version's code goes before whatever else Python would find."""
        inherited = ministack.inherited_environment()
        code = str(self._versions.code_of(definition.image))
        path = [code, str(AS_IN_IMAGES), inherited.get("PYTHONPATH", "")]
        return ChildProcess(
            definition.command,
            {
                **inherited,
                "TMPDIR": str(self._folders.run),
                "PYTHONUNBUFFERED": "1",
                "SPARK_EVENT_LOG_DIR": str(self._folders.logs / "spark"),
                **definition.environment,
                **ministack.address(self._endpoint),
                **worker_environment(self._endpoint, self._task_key, definition.task_role),
                "PYTHONPATH": os.pathsep.join(part for part in path if part),
                READY_FILE: str(ready_file),
            },
            log,
            self._folders.run,
        )
