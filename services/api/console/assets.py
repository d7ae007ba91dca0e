"""What pages load beside themselves: one style sheet, one script, one icon, named by content."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

STATIC = Path(__file__).with_name("static")
MEDIA = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOREVER = "private, max-age=31536000, immutable"
"""Another content has another name."""


@dataclass(frozen=True)
class Asset:
    """A file under the name that it is asked for by."""

    name: str
    media_type: str
    text: str


@cache
def assets() -> Mapping[str, Asset]:
    """By the file's own name."""
    found = {}
    for path in sorted(STATIC.iterdir()):
        text = path.read_text(encoding="utf-8")
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        name = f"{path.stem}-{digest}{path.suffix}"
        found[path.name] = Asset(name, f"{MEDIA[path.suffix]}; charset=utf-8", text)
    return found


def asset_named(name: str) -> Asset | None:
    """The one that is asked for by this name."""
    return next((one for one in assets().values() if one.name == name), None)
