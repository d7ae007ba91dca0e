"""Files that a shipped source looks values up in, told by their whole header as sources are."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.layout import lookup_key
from contracts.sources.model import Lookup, Source
from infra.ecp.sources.detection import MOST_OF_A_HEADER, newest_shipped, share
from infra.ecp.sources.measuring import Head
from services.runtime.sources.scope import compared

KNOWN: dict[tuple[str, str], tuple[frozenset[str], ...]] = {
    ("superstore-orders", "returns"): (
        frozenset({"Returned", "Order ID"}),
        frozenset({"Returned", "Order ID", "Region"}),
    ),
    ("northwind-products", "categories"): (
        frozenset({"CategoryID", "CategoryName"}),
        frozenset({"CategoryID", "CategoryName", "Description", "Picture"}),
    ),
}
"""Whole headers of lookups, by source and lookup, from public documentation and importers."""


@dataclass(frozen=True)
class LookupOf:
    """A lookup of a source that a file certainly is."""

    source: Source
    lookup: Lookup

    @property
    def key(self) -> str:
        """Where it belongs in the data bucket."""
        return lookup_key(self.source.name, self.lookup.name)


def lookup_told(head: Head) -> LookupOf | None:
    """The lookup that a file is, read as its source reads it; None where none is sure."""
    asked = [(source, each) for source in newest_shipped() for each in source.lookups.values()]
    found = [
        LookupOf(source, lookup)
        for source, lookup in asked
        if (records := head.records(source.file, most=1))
        and _is_header_of(source, lookup, records[0])
    ]
    return found[0] if len(found) == 1 else None


def _is_header_of(source: Source, lookup: Lookup, header: Sequence[str]) -> bool:
    """Whether each column that it needs is there once, and most of the header is known."""
    names = [compared(name) for name in header]
    needed = [lookup.key, *([lookup.value] if lookup.value else [])]
    known = KNOWN.get((source.name, lookup.name), ())
    alike = max((share(each, frozenset(names)) for each in known), default=0.0)
    return alike > MOST_OF_A_HEADER and all(names.count(compared(one)) == 1 for one in needed)
