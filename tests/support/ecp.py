"""The `ecp` command as people run it: a process of its own, its exit code, output and JSON."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import infra

PROJECT = Path(infra.__file__).parent.parent


@dataclass(frozen=True)
class Said:
    """What one call of `ecp` gave."""

    exit_code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


def ecp(
    *arguments: object,
    directory: Path,
    environment: Mapping[str, str] | None = None,
    timeout_seconds: float = 180,
) -> Said:
    """Run `ecp` in a directory, with no AWS settings but those given."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    # Without `.aws` files and instance metadata, credentials come from `environment` alone.
    away = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    finished = subprocess.run(
        [sys.executable, "-m", "infra.ecp.main", *map(str, arguments)],
        cwd=directory,
        env={**inherited, **away, "PYTHONPATH": str(PROJECT), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
    return Said(finished.returncode, finished.stdout, finished.stderr)
