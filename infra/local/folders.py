"""Where a local cloud keeps its files: all of them under .ecp/ of the directory it serves."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Folders:
    """The paths under `<directory>/.ecp`."""

    def __init__(self, directory: Path) -> None:
        self.root = directory.resolve() / ".ecp"
        self.logs = self.root / "logs"
        self.run = self.root / "run"
        self.versions = self.run / "versions"
        self.record = self.root / "cloud.json"
        self.lock = self.root / "lock"

    def make_root(self) -> None:
        """Files of customers lie below it: nobody but their owner may look."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.chmod(0o700)

    def log(self, name: str) -> Path:
        """The log of one process."""
        return self.logs / f"{name}.log"

    def start_afresh(self) -> None:
        """Make the folders; the logs and temporary files of an earlier cloud are removed."""
        for folder in (self.logs, self.run):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)

    def remove_state(self) -> None:
        """Remove what was in the cloud, and then the record of it; the logs stay."""
        shutil.rmtree(self.run, ignore_errors=True)
        self.record.unlink(missing_ok=True)

    def tail(self, name: str, lines: int = 20) -> str:
        """The last lines of a log, empty when there is none yet."""
        path = self.log(name)
        if not path.exists():
            return ""
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


@contextmanager
def private() -> Iterator[None]:
    """Folders made meanwhile are 700 and files 600, also those of processes started meanwhile."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
