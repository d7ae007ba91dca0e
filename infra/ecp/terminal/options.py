"""Options that several commands share, spelled once."""

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
SourceName = Annotated[
    str | None,
    typer.Option("--source", metavar="NAME", help="The source that all the files are read by."),
]
Lookups = Annotated[
    list[str] | None,
    typer.Option(
        "--lookup", metavar="NAME=FILE", help="A file that the source looks values up in."
    ),
]
Wait = Annotated[bool, typer.Option("--wait", help="Stay until the batch is closed.")]
