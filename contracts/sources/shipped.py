"""The sources that come with the code: `contracts/sources/<name>/v<N>.yaml`."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from contracts.errors import ContractViolation
from contracts.layout import source_key
from contracts.sources.faults import InvalidSource, SourceFault, did_you_mean
from contracts.sources.model import Source
from contracts.sources.parser import parse_source

ROOT = Path(__file__).parent


@cache
def shipped_source(name: str, version: int | None = None) -> Source:
    """A shipped source, the newest version unless one is named.

    Raises ContractViolation when there is none, with the nearest name.
    """
    versions = shipped_sources().get(name)
    if not versions:
        raise ContractViolation(
            f"no source {name} comes with this version{did_you_mean(name, [*shipped_sources()])}"
        )
    number = version or versions[-1]
    if number not in versions:
        raise ContractViolation(f"there is no {name} v{number}; the newest is v{versions[-1]}")
    path = ROOT / name / f"v{number}.yaml"
    return parse_shipped(path.read_bytes(), source_key(name, number))


@cache
def shipped_sources() -> dict[str, tuple[int, ...]]:
    """The names of all that ship, each with its versions, the oldest first."""
    return {
        folder.name: tuple(sorted(_versions(folder)))
        for folder in sorted(ROOT.iterdir())
        if any(_versions(folder))
    }


def parse_shipped(content: bytes, path: str) -> Source:
    """A source that lies at `sources/<name>/v<N>.yaml`; it has to say name and version of its path.

    Raises InvalidSource.
    """
    source = parse_source(content, path)
    if path != source_key(source.name, source.version):
        why = f"this says {source.label}, and lies at {path}: name, version and path go together"
        raise InvalidSource(path, [SourceFault(1, "source", why)])
    return source


def _versions(folder: Path) -> Iterator[int]:
    return (int(path.stem.removeprefix("v")) for path in folder.glob("v*.yaml"))
