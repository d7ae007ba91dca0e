"""The `ecp` command as people run it: a process of its own, its exit code, output and JSON."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.deployed_code import PROJECT, code_path
from tests.support.ecp_processes import processes

__all__ = ["PROJECT", "Said", "ecp"]


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
    exit_code, out, err = processes().run(
        [*map(str, arguments)],
        directory,
        {**inherited, **away, "PYTHONPATH": code_path(), **(environment or {})},
        timeout_seconds,
    )
    return Said(exit_code, out, err)
