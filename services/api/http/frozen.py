"""The frozen OpenAPI document, which the code is held to (`ecp contracts check`)."""

from functools import cache
from pathlib import Path

OPENAPI = Path(__file__).with_name("openapi.json")


@cache
def frozen_openapi() -> str:
    """The text of openapi.json."""
    return OPENAPI.read_text(encoding="utf-8")
