"""Which sources and lookups a bucket knows at a moment; pure.

Sources that come with the pipeline are always known. Those of one's own and lookups are rows of
the aggregator's table (shelf.py), the newest version of each object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from contracts.errors import ContractViolation
from contracts.layout import SOURCES_PREFIX, incoming_key, lookup_key, source_of
from contracts.messages import DetectedFile, ObjectRef, PinnedLookup, PinnedSource
from contracts.sources.faults import nearest
from contracts.sources.model import Kind, Source
from contracts.sources.shipped import shipped_source, shipped_sources

Lookups = Mapping[tuple[str, str], ObjectRef]


@dataclass(frozen=True)
class KnownSource:
    """The newest version of a source, and the lookups that it asks."""

    pinned: PinnedSource
    lookups: tuple[str, ...] = ()

    @property
    def row_kind(self) -> Kind:
        """What one row of its files is: a file of order lines may give other kinds beside them."""
        gives = self.pinned.gives
        return "order_items" if "order_items" in gives else gives[0]


@dataclass(frozen=True)
class Catalogue:
    """What is known. `refused`: why an object under sources/ is none, by the name it has there."""

    own: Mapping[str, KnownSource] = field(default_factory=lambda: MappingProxyType({}))
    refused: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    lookups: Lookups = field(default_factory=lambda: MappingProxyType({}))

    def source(self, name: str) -> KnownSource | None:
        """The newest version of a source of that name; None: there is none."""
        if name in self.own:
            return self.own[name]
        try:
            shipped = shipped_source(name)
        except ContractViolation:
            return None
        return known_source(shipped, None)

    def why_unknown(self, name: str) -> str:
        """What a file of a source that is not known waits for, and what to do."""
        if name in self.refused:
            return (
                f"source {name} cannot be used: {self.refused[name]}; correct it and add it again: "
                "`ecp sources add`"
            )
        return f"no source {name}: `ecp sources add`; the file is taken in when it comes"

    def nearest_key(self, key: str) -> str | None:
        """The key under the folder of the known source that was probably meant; None: no guess."""
        name = source_of(key) or ""
        guess = nearest(name, [*self.own, *shipped_sources()])
        rest = key.split("/", 2)[2]
        return incoming_key(guess, rest) if guess and guess != name else None

    def pinned(self, file: DetectedFile) -> PinnedSource | None:
        """What a file is read by, in the newest version; None for a plain file."""
        if file.source is None:
            return None
        known = self.source(file.source.name)
        return known.pinned if known else file.source

    def gives(self, file: DetectedFile) -> list[Kind]:
        """The kinds that a file may hold rows of."""
        pinned = self.pinned(file)
        return list(pinned.gives) if pinned else [file.kind]

    def lookups_of(self, name: str) -> list[PinnedLookup]:
        """The newest version of each lookup that a source asks and that has come."""
        known = self.source(name)
        return [
            PinnedLookup(name=each, ref=self.lookups[name, each])
            for each in (known.lookups if known else ())
            if (name, each) in self.lookups
        ]

    def missing_for(self, file: DetectedFile) -> Iterator[str]:
        """What a file cannot be read without and that is not there, in words; none: it can be."""
        if file.source is None:
            return
        name = file.source.name
        known = self.source(name)
        if known is None:
            why = self.refused.get(name)
            yield (
                f"source {name}, which was refused ({why}): `ecp sources add`"
                if why
                else f"source {name}, which was removed: `ecp sources add`"
            )
        for each in known.lookups if known else ():
            if (name, each) not in self.lookups:
                yield f"{lookup_key(name, each)}, which source {name} looks values up in"


NOTHING_KNOWN = Catalogue()
"""Of a bucket with no source of its own and no lookup."""


def needed_lookups(names: Iterable[str], catalogue: Catalogue) -> dict[tuple[str, str], str]:
    """The keys of the lookups that these sources ask, by source and name."""
    found = {}
    for name in names:
        known = catalogue.source(name)
        for each in known.lookups if known else ():
            found[name, each] = lookup_key(name, each)
    return found


def label(pinned: PinnedSource | None) -> str | None:
    """`shopify-orders v1`, as people read it; None for a plain file."""
    return f"{pinned.name} v{pinned.version}" if pinned else None


def known_source(source: Source, ref: ObjectRef | None) -> KnownSource:
    """A parsed source as the catalogue knows it; `ref` is None for one that ships."""
    pinned = PinnedSource(
        name=source.name, version=source.version, ref=ref, gives=list(source.kinds)
    )
    return KnownSource(pinned, tuple(source.lookups))


def catalogue_of(rows: Iterable[Mapping[str, Any]]) -> Catalogue:
    """The catalogue that the rows of a bucket say (read_model.py, `sources#`)."""
    own: dict[str, KnownSource] = {}
    refused: dict[str, str] = {}
    lookups: dict[tuple[str, str], ObjectRef] = {}
    for row in rows:
        if row["what"] == "lookup":
            lookups[row["source"], row["lookup"]] = ObjectRef.model_validate(row["ref"])
        elif row["what"] == "source":
            known = KnownSource(PinnedSource.model_validate(row["pinned"]), tuple(row["lookups"]))
            before = own.get(known.pinned.name)
            if before is None or before.pinned.version < known.pinned.version:
                own[known.pinned.name] = known
        else:
            refused[_named_by(row["key"])] = str(row["reason"])
    return Catalogue(own, refused, lookups)


def _named_by(key: str) -> str:
    return key.removeprefix(SOURCES_PREFIX).partition("/")[0]
