"""Where a local cloud keeps its files: all of them under .ecp/ of the directory it serves."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.saved_state import SavedState


class Folders:
    """The paths under `<directory>/.ecp`."""

    def __init__(self, directory: Path) -> None:
        self.root = directory.resolve() / ".ecp"
        self.logs, self.earlier_logs = self.root / "logs", self.root / "logs-before"
        self.run = self.root / "run"
        self.versions = self.run / "versions"
        self.state = SavedState(self.root / "state")
        self.recovered = self.root / "recovered"
        self.record = self.root / "cloud.json"
        self.lock = self.root / "lock"

    def make_root(self) -> None:
        """Files of customers lie below it: nobody but their owner may look."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.chmod(0o700)

    def log(self, name: str) -> Path:
        """The log of one process."""
        return self.logs / f"{name}.log"

    def prepare(self) -> None:
        """Make the folders; temporary files of an earlier cloud are removed, its logs set aside."""
        shutil.rmtree(self.run, ignore_errors=True)
        if self.logs.exists():
            shutil.rmtree(self.earlier_logs, ignore_errors=True)
            self.logs.rename(self.earlier_logs)
        for folder in (self.logs, self.run):
            folder.mkdir(parents=True)

    def clean_up(self) -> None:
        """Remove temporary files and then the record; what was saved and the logs stay."""
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
