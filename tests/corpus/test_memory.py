"""Memory stays bounded whatever a file holds, measured in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.examples import some

ROOT = Path(__file__).parents[2]
MAX_GROWN_MB = 300


@pytest.mark.parametrize(
    ("kind", "megabytes", "rule"),
    some(
        [
            ("one line", 100, "file.too_many_bad_rows"),
            ("one line of two-byte characters", 100, "file.too_many_bad_rows"),
            ("one line without a header", 100, "file.header"),
            ("healthy rows", 40, None),
            ("short bad rows", 1, "file.too_many_bad_rows"),
            ("blank lines", 20, "file.no_rows"),
            ("carriage returns", 20, "file.no_rows"),
            ("zeros", 100, "file.binary"),
            ("zeros after the header", 100, "file.too_many_bad_rows"),
            ("gzip of zeros", 1000, "file.binary"),
            ("gzip of healthy rows", 300, "file.gzip"),
            ("gzip of one line", 300, "file.gzip"),
        ]
    ),
)
def test_memory_is_bounded(kind: str, megabytes: int, rule: str | None) -> None:
    command = [sys.executable, "-m", "tests.corpus.memory_probe", kind, str(megabytes)]
    probe = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(probe.stdout)
    assert found["rule"] == rule
    assert found["grown_mb"] < MAX_GROWN_MB
