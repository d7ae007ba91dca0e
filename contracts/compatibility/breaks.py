"""What the gate finds: one broken promise, as people and programs read it."""

from dataclasses import dataclass
from typing import Literal

Direction = Literal[
    "backward", "forward", "files", "released", "removed", "schema", "declared", "http"
]
"""Which promise is broken.

`backward`: a new reader refuses what was written under a release. `forward`: a reader of a release
refuses what may be written now. `files`: a file that was accepted is accepted no longer.
`released`: a frozen copy is not what it was. `removed`: a contract is gone that is still needed.
`schema`: a document that cannot be compared at all. `declared`: nobody says what a service hears.
`http`: the HTTP API does not answer as it did.
"""


@dataclass(frozen=True)
class Break:
    """`contract` reads as `events/BatchSealed v1`, `release` as `v1`; `pointer` is a JSON pointer.

    A pointer follows references as JSON Schema's keyword locations do
    (`/properties/manifest/$ref/required`).
    """

    contract: str
    release: str | None
    direction: Direction
    pointer: str
    rule: str
    reason: str


@dataclass(frozen=True)
class Difference:
    """One place where what may be written is not what is taken."""

    pointer: str
    rule: str
    reason: str


def label(path: str) -> str:
    """`events/BatchSealed v1` for `schemas/events/BatchSealed/v1.json`; the others in full."""
    *folders, name, file = path.removeprefix("schemas/").split("/")
    version = file.rpartition(".")[0]
    return f"{'/'.join([*folders, name])} {version}"
