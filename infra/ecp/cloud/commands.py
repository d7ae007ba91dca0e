"""`ecp up` and `ecp down`: the pipeline on this machine."""

import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.ecp.settings import CliSettings, pipeline_settings
from infra.ecp.target import cloud_directory
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import (
    print_beside,
    print_json,
    print_line,
    print_verbatim,
    progress,
    styled,
)
from infra.stage import VARIABLE
from services.runtime.wording import listed

if TYPE_CHECKING:
    from infra.local.records import Restoration

SHOWN_LOST = 5


def up(
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="4566 if not given; 0 takes a free one."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start empty; what was kept is removed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start the local cloud of this directory and return when it is ready.

    It runs in the background and goes on from where it was stopped, also after a crash of its
    server: its state is saved under .ecp/state some seconds after each change and at `ecp down`.
    The exports that it prints point any AWS client at it, so this works too: `eval "$(ecp up)"`

    TRANSFORM_ENGINE, SETTLE_SECONDS and the other settings of the services may be set before it.
    Services have the rights of their templates only; LOCAL_IAM=open lets everybody do everything.

    Example: `SETTLE_SECONDS=5 ecp up --port 4600`
    """
    from infra.local import cloud

    began = time.monotonic()
    here = Path.cwd()
    was_up = cloud.find(here) is not None
    chosen = port if port is not None else CliSettings().port
    with progress("starting the local cloud") as say:
        running = cloud.up(here, chosen, pipeline_settings(os.environ), say, fresh=fresh)
    restored = None if was_up else running.restored
    if as_json:
        print_json(
            {
                "endpoint": running.endpoint,
                "port": running.port,
                "environment": running.environment(),
                "restored": restored and asdict(restored),
            }
        )
        return
    took = "was up already" if was_up else f"is up after {time.monotonic() - began:.1f} s"
    print_beside(
        styled(
            "the local cloud at [bold]{}[/] {}; `ecp down` stops it and keeps what is in it in {}",
            running.endpoint,
            took,
            here / ".ecp" / "state",
        )
    )
    for line in told(restored) if restored else ():
        print_beside(line)
    stage = {name: running.settings[name] for name in (VARIABLE,) if name in running.settings}
    for line in exports(running.environment() | stage):
        print_verbatim(line)


def down(
    forget: Annotated[
        bool, typer.Option("--forget", help="Keep nothing: the next `ecp up` starts empty.")
    ] = False,
) -> None:
    """Stop the local cloud of this directory; what is in it is kept for the next `ecp up`.

    Batches that run are interrupted: they end as FAILED at the next `ecp up`, and `ecp redrive`
    finishes them.

    Example: `ecp down`
    """
    from infra.local import cloud

    directory = cloud_directory(Path.cwd()) or Path.cwd()
    with progress("stopping the local cloud"):
        was_up = cloud.down(directory, keep=not forget)
    kept = "removed" if forget else "kept; `ecp up` goes on from there"
    print_line(
        f"the local cloud is down, what was in it is {kept}"
        if was_up
        else f"no local cloud was up here{', and nothing is kept' if forget else ''}"
    )


def told(restored: "Restoration") -> list[str]:
    """What a start brought back, and what it could not: a line each."""
    lines = [f"as it was saved at {restored.saved_at}"]
    if not restored.at_stop:
        lines[0] += ", for it was not stopped by `ecp down`: what came after that is lost"
    if restored.lost:
        lines.append(
            f"uploaded after that: {listed(restored.lost, SHOWN_LOST)}; "
            f"`ecp submit {restored.recovered}` sends them again"
        )
    for batch_id in restored.interrupted:
        is_open = batch_id in restored.still_open
        state = "once `ecp status` shows it as FAILED," if is_open else "it is FAILED, and"
        lines.append(
            f"batch {batch_id} was interrupted: {state} `ecp redrive {batch_id}` finishes it"
        )
    return lines


def exports(environment: Mapping[str, str]) -> list[str]:
    """Two shell lines: where the cloud is, and who one is there."""
    rest = {name: value for name, value in environment.items() if name != "AWS_ENDPOINT_URL"}
    return [
        f"export AWS_ENDPOINT_URL={environment['AWS_ENDPOINT_URL']}",
        "export " + " ".join(f"{name}={value}" for name, value in rest.items()),
    ]
