"""docs/security-exceptions.yaml, read."""

from functools import cache
from typing import Any

import yaml

from tests.contract.declared import PROJECT

FILE = PROJECT / "docs/security-exceptions.yaml"


@cache
def exceptions(section: str) -> list[dict[str, Any]]:
    """The entries of one section."""
    return list(yaml.safe_load(FILE.read_text())[section])
