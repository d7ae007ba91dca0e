"""The group `ecp lock` with all that belongs to it."""

from infra.ecp.lock.aligning import align
from infra.ecp.lock.commands import app

app.command()(align)

__all__ = ["app"]
