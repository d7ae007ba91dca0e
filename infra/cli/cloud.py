"""`ecp up` and `ecp down`: the pipeline on this machine."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.options import AsJson
from infra.cli.output import print_beside, print_json, print_line, print_verbatim, progress, styled
from infra.cli.settings import CliSettings, pipeline_settings
from infra.cli.target import cloud_directory


def up(
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="4566 if not given; 0 takes a free one."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start the local cloud of this directory and return when it is ready.

    It runs in the background and starts empty; its state and logs are under .ecp/. The exports
    that it prints point any AWS client at it, so this works too: `eval "$(ecp up)"`

    TRANSFORM_ENGINE, SETTLE_SECONDS and the other settings of the services may be set before it.

    Example: `SETTLE_SECONDS=5 ecp up --port 4600`
    """
    from infra.local import cloud

    began = time.monotonic()
    here = Path.cwd()
    was_up = cloud.find(here) is not None
    chosen = port if port is not None else CliSettings().port
    with progress("starting the local cloud") as say:
        running = cloud.up(here, chosen, pipeline_settings(os.environ), say)
    if as_json:
        print_json(
            {
                "endpoint": running.endpoint,
                "port": running.port,
                "environment": running.environment(),
            }
        )
        return
    took = "was up already" if was_up else f"is up after {time.monotonic() - began:.1f} s"
    print_beside(
        styled("the local cloud at [bold]{}[/] {}; `ecp down` stops it", running.endpoint, took)
    )
    for line in exports(running.environment()):
        print_verbatim(line)


def down() -> None:
    """Stop the local cloud of this directory; what was in it is gone, its logs stay.

    Example: `ecp down`
    """
    from infra.local import cloud

    directory = cloud_directory(Path.cwd()) or Path.cwd()
    with progress("stopping the local cloud"):
        was_up = cloud.down(directory)
    print_line("the local cloud is down" if was_up else "no local cloud was up here")


def exports(environment: Mapping[str, str]) -> list[str]:
    """Two shell lines: where the cloud is, and who one is there."""
    rest = {name: value for name, value in environment.items() if name != "AWS_ENDPOINT_URL"}
    return [
        f"export AWS_ENDPOINT_URL={environment['AWS_ENDPOINT_URL']}",
        "export " + " ".join(f"{name}={value}" for name, value in rest.items()),
    ]
