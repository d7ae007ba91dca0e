"""`ecp console`: where the web console is, opened in a browser."""

import webbrowser
from typing import Annotated, Any

import typer

from infra.ecp.api.address import api_url
from infra.ecp.target import Target, current_target
from infra.ecp.terminal.errors import CommandFailed
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import flush, print_json, print_line, print_note, styled


def console(
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Say where it is, and open no browser.")
    ] = False,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="On AWS: of the proxy; 0 takes any.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Open the web console: KPIs, batches as they run, quarantine, freshness.

    On the local cloud it says where the console is and returns. On AWS a browser cannot sign its
    requests, so that this command does it: it serves the console on this machine alone, under an
    address that nobody can guess, signs each request with your own credentials, and stays until
    Ctrl-C.

    Example: `ecp console --no-open --json`
    """
    target = current_target()
    base = api_url(target)
    if target.endpoint:
        _tell(base, as_json, no_open)
        return
    from infra.ecp.console.signing_proxy import SigningProxy

    proxy = SigningProxy(base, _credentials(target), target.client("ssm").meta.region_name, port)
    _tell(proxy.address, as_json, no_open)
    print_note("requests are signed with your credentials as long as this runs; Ctrl-C ends it")
    try:
        proxy.serve()
    finally:
        proxy.close()


def console_url(base: str) -> str:
    """The address of the console below that of the API."""
    return f"{base}/console"


def _tell(base: str, as_json: bool, no_open: bool) -> None:
    found = console_url(base)
    if as_json:
        print_json({"console": found, "api": base})
    else:
        print_line(styled("the console is at [bold]{}[/]", found))
    flush()  # the command may stay, and a program waits for this line
    if not no_open and not webbrowser.open(found):
        print_note("no browser could be opened here: open that address yourself")


def _credentials(target: Target) -> Any:
    found = target.credentials()
    if found is None:
        raise CommandFailed("there are no credentials to sign with: set AWS_PROFILE, or log in")
    return found
