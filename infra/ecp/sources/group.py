"""The group `ecp sources` with all that belongs to it."""

from infra.ecp.sources.commands import app
from infra.ecp.sources.keeping import add, list_sources, remove, show

app.command()(add)
app.command("list")(list_sources)
app.command()(show)
app.command()(remove)

__all__ = ["app"]
