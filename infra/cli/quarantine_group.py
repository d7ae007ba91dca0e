"""The group `ecp quarantine` with all that belongs to it."""

from infra.cli.dismiss import dismiss
from infra.cli.export import export
from infra.cli.quarantine import app
from infra.cli.replay import replay

app.command()(export)
app.command()(replay)
app.command()(dismiss)

__all__ = ["app"]
