"""The group `ecp quarantine` with all that belongs to it."""

from infra.ecp.quarantine.commands import app
from infra.ecp.quarantine.dismiss import dismiss
from infra.ecp.quarantine.export import export
from infra.ecp.quarantine.replay import replay

app.command()(export)
app.command()(replay)
app.command()(dismiss)

__all__ = ["app"]
