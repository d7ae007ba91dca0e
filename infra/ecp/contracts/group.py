"""The group `ecp contracts` with all that belongs to it."""

from infra.ecp.contracts.commands import app
from infra.ecp.contracts.exchange import export, import_contract

app.command()(export)
app.command("import")(import_contract)

__all__ = ["app"]
