"""The group `ecp lock` with all that belongs to it."""

from infra.cli.aligning import align
from infra.cli.lock import app

app.command()(align)

__all__ = ["app"]
