"""Which source fits a file: by its whole header, and by every column that the source needs.

A source is sure when each column that it needs is there once, by its exact name, most of the header
is that of an export which is known, and no other source fits as well. Nothing here looks at values.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from contracts.file_contracts import file_contract
from contracts.sources.model import Source
from contracts.sources.shipped import shipped_source, shipped_sources
from infra.ecp.sources.measuring import Head, read_head

MOST_OF_A_HEADER = 0.5
"""The share of columns in common from which a header is taken for that of an export."""


@dataclass(frozen=True)
class KnownExport:
    """One version of a platform's export by its whole header."""

    label: str
    columns: frozenset[str]


@dataclass(frozen=True)
class Fit:
    """A source against a header.

    `missing`: columns that it needs and that are not there by their exact name. `share`: of all
    columns of the header and of the nearest known export, those that are in both, 0 to 1; of a
    source of which no whole header is known, at least as much as makes it sure if no other fits.
    """

    source: Source
    missing: tuple[str, ...]
    share: float
    export: KnownExport | None

    @property
    def version_of_export(self) -> str | None:
        """The version of the export; None unless the header is that of one to the last column."""
        return self.export.label if self.export and self.share == 1 else None


@dataclass(frozen=True)
class Detected:
    """Every source that fits a file, the best first; `sure` is the one that it certainly is.

    `nearest` is one that most of the header is of and that still does not fit: a column lacks,
    stands twice or is called otherwise.
    """

    fits: tuple[Fit, ...]
    sure: Fit | None
    nearest: Fit | None = None


def sure_source(header: Sequence[str], own: Iterable[Source] = ()) -> str | None:
    """The name of the source that a header certainly belongs to, None when none does for sure."""
    sure = judged([fit_of(source, header) for source in (*newest_shipped(), *own)]).sure
    return sure.source.name if sure else None


def sure_source_of(path: Path, own: Iterable[Source] = ()) -> str | None:
    """The name of the source that a file certainly is of, read as that source reads it.

    Raises WrongUsage for what is no file, NotReadable for what is no text.
    """
    sure = detected(read_head(path), own).sure
    return sure.source.name if sure else None


def detected(head: Head, own: Iterable[Source] = ()) -> Detected:
    """Every source that fits a file whose header is read as each source says."""
    return judged(
        [
            fit_of(source, records[0])
            for source in (*newest_shipped(), *own)
            if (records := head.records(source.file, most=1))
        ]
    )


def judged(found: Iterable[Fit]) -> Detected:
    """Which fit, which is sure because it is better than all others, and which nearly fits."""
    ranked = sorted(found, key=lambda fit: -fit.share)
    fits = [fit for fit in ranked if not fit.missing]
    alike = (fit for fit in ranked if fit.export and fit.share >= MOST_OF_A_HEADER)
    nearest = next((fit for fit in alike if fit.missing), None)
    best = fits[0] if fits and fits[0].share >= MOST_OF_A_HEADER else None
    if best and len(fits) > 1 and fits[1].share == best.share:
        best = None
    return Detected(tuple(fits), best, None if best else nearest)


def fit_of(source: Source, header: Sequence[str]) -> Fit:
    """How a source fits a header."""
    from services.runtime.sources.numbered import numbered_places
    from services.runtime.sources.scope import compared

    names = [compared(name) for name in header]
    there = frozenset(filter(None, names))
    names += numbered_places(source.explode.numbered if source.explode else (), names)
    needed = needed_columns(source)
    missing = tuple(name for name in needed if names.count(compared(name)) != 1)
    exports = known_exports(source)
    nearest = max(exports, key=lambda export: share(export.columns, there), default=None)
    alike = share(nearest.columns, there) if nearest else share(frozenset(needed), there)
    return Fit(source, missing, alike if nearest else max(alike, MOST_OF_A_HEADER), nearest)


def needed_columns(source: Source) -> tuple[str, ...]:
    """The columns that a header must have for a source, in the order in which it names them."""
    if source.name in shipped_sources() and source is shipped_source(source.name):
        return _needed_by_shipped(source.name)
    return _needed(source)


@cache
def _needed_by_shipped(name: str) -> tuple[str, ...]:
    return _needed(shipped_source(name))


def _needed(source: Source) -> tuple[str, ...]:
    from services.runtime.sources.compilation import compile_source
    from services.runtime.sources.compiled import InvalidHeader

    try:
        compile_source(source, ())
    except InvalidHeader as lacking:
        return tuple(fault.name for fault in lacking.faults)
    return ()


def newest_shipped() -> list[Source]:
    """The newest version of each source that comes with the code."""
    return [shipped_source(name) for name in shipped_sources()]


def known_exports(source: Source) -> list[KnownExport]:
    """Whole headers that a source was made for: of shipped ones, and those that a source says."""
    from services.runtime.sources.scope import compared

    found = [
        KnownExport(f"header {number} of its source", frozenset(map(compared, names)))
        for number, names in enumerate(source.headers, start=1)
    ]
    found += [
        KnownExport(entry["export"], frozenset(_columns(entry["header"])))
        for entry in _known().get(source.name, ())
    ]
    if source.name.startswith("canonical-"):
        found = [
            KnownExport("the pipeline's own", frozenset(file_contract(kind).required_columns))
            for kind in source.kinds
        ]
    return found


@cache
def _known() -> dict[str, Any]:
    text = files("infra.ecp.sources").joinpath("known_exports.yaml").read_text()
    known: dict[str, Any] = yaml.load(text, yaml.CSafeLoader)
    return known


def _columns(header: str) -> list[str]:
    return next(csv.reader([header], skipinitialspace=True))


def share(some: frozenset[str], others: frozenset[str]) -> float:
    """Of all columns of two headers those that are in both, 0 to 1."""
    return len(some & others) / len(some | others) if some or others else 0.0
