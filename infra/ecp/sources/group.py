"""The group `ecp sources` with all that belongs to it."""

from infra.ecp.sources.commands import app
from infra.ecp.sources.keeping import add, list_sources, remove, show
from infra.ecp.sources.trying import try_source

app.command("test")(try_source)
app.command()(add)
app.command("list")(list_sources)
app.command()(show)
app.command()(remove)

__all__ = ["app"]
