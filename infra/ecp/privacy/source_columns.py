"""Which columns of a source's files name a user, by every version of the source that there is."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.errors import DataRejected
from contracts.layout import SOURCES_PREFIX
from contracts.messages import ExportColumns
from contracts.sources.model import Source
from contracts.sources.parser import parse_source
from contracts.sources.shipped import shipped_source, shipped_sources
from infra.ecp.submissions.lookups import stored_lookup

_TEXT = r"'(?:[^']|'')*'"
_QUOTED = r'"((?:[^"]|"")+)"'
_NAMES = re.compile(rf"{_TEXT}|{_QUOTED}|([A-Za-z_][A-Za-z0-9_]*)")
NO_SOURCE = ExportColumns(
    user_columns=[], used_columns=[], delimiter=",", encoding="utf-8", quoting="doubled",
    skip_lines=0,
)  # fmt: skip
"""Nobody knows its columns any more: the id counts wherever it is a word."""


@dataclass
class SourceColumns:
    """Reads sources of one's own from a bucket, overwritten and removed versions too."""

    s3: Any
    bucket: str
    _known: dict[str, ExportColumns] = field(default_factory=dict)

    def versions(self, name: str) -> list[Source]:
        """Every version of a source that there is or was, as far as it can be read."""
        return [*_shipped(name), *self._own(name)]

    def lookups(self, source: Source) -> dict[str, Any]:
        """What a source looks values up in, as it lies there now; nothing where it does not."""
        from services.validator.sources.lookups import no_values

        tables = {}
        for name, one in source.lookups.items():
            try:
                tables[name] = stored_lookup(self.s3, self.bucket, source, name)
            except (self.s3.exceptions.NoSuchKey, DataRejected):
                tables[name] = no_values(one)
        return tables

    def of(self, name: str) -> ExportColumns:
        """How files of a source are searched; by words alone where it is gone for good."""
        if name not in self._known:
            versions = self.versions(name)
            self._known[name] = columns_of(versions) if versions else NO_SOURCE
        return self._known[name]

    def _own(self, name: str) -> Iterator[Source]:
        pages = self.s3.get_paginator("list_object_versions")
        prefix = f"{SOURCES_PREFIX}{name}/"
        for page in pages.paginate(Bucket=self.bucket, Prefix=prefix):
            for entry in page.get("Versions", ()):
                key, version_id = entry["Key"], entry["VersionId"]
                answer = self.s3.get_object(Bucket=self.bucket, Key=key, VersionId=version_id)
                try:
                    yield parse_source(answer["Body"].read(), key)
                except DataRejected:
                    continue  # no file was ever read by it


def columns_of(versions: Sequence[Source]) -> ExportColumns:
    """The columns that any of these versions uses; the bytes are read as the newest says."""
    newest = max(versions, key=lambda source: source.version)
    users = {
        name
        for source in versions
        if (orders := source.mapping("orders")) and "user_id" in orders.columns
        for name in names_in(orders.columns["user_id"].text)
    }
    used = {
        name
        for source in versions
        for expression in source.expressions()
        for name in names_in(expression.text)
    }
    carried = {
        name for source in versions if source.carried_down for name in source.carried_down.columns
    }
    exploded = {
        name
        for source in versions
        if source.explode
        for name in (*source.explode.columns, *source.explode.numbered)
    }
    file = newest.file
    return ExportColumns(
        user_columns=sorted(users),
        used_columns=sorted(used | carried | exploded),
        delimiter=file.delimiter,
        encoding=file.encoding,
        quoting=file.quoting,
        skip_lines=file.skip_lines,
        carried_down=not users.isdisjoint(carried),
    )


def names_in(expression: str) -> set[str]:
    """The columns that an expression may name; its functions are among them, and do no harm."""
    return {
        quoted.replace('""', '"') or bare
        for quoted, bare in _NAMES.findall(expression)
        if quoted or bare
    }


def _shipped(name: str) -> Iterator[Source]:
    return (shipped_source(name, version) for version in shipped_sources().get(name, ()))
