"""Sources of one's own as objects of the data bucket: read, added as the next version, removed."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.layout import SOURCES_PREFIX, source_key
from contracts.sources.faults import InvalidSource, SourceFault
from contracts.sources.model import Source
from contracts.sources.parser import parse_source
from contracts.sources.shipped import parse_shipped, shipped_sources

_KEY = re.compile(rf"{SOURCES_PREFIX}([a-z][a-z0-9-]{{1,39}})/v([1-9][0-9]{{0,3}})\.yaml")
_VERSION = re.compile(rb"^(version:[ \t]*)[0-9]+", re.MULTILINE)


@dataclass(frozen=True)
class OwnSource:
    """Where one version of a source of one's own lies."""

    name: str
    version: int
    key: str

    @property
    def label(self) -> str:
        """`my-shop v2`."""
        return f"{self.name} v{self.version}"


@dataclass(frozen=True)
class ReadSource:
    """A version as it was read: what it says, or `fault`, why it cannot be used."""

    where: OwnSource
    content: bytes
    source: Source | None = None
    fault: InvalidSource | None = None


@dataclass(frozen=True)
class Added:
    """What became of a document: the version that it is; `is_new`: it was not there before."""

    source: Source
    key: str
    content: bytes
    is_new: bool


def own_sources(s3: Any, bucket: str, name: str | None = None) -> dict[str, list[OwnSource]]:
    """Every source of one's own, or the one of a name: its versions, the oldest first."""
    found: dict[str, list[OwnSource]] = {}
    for key in _keys(s3, bucket, f"{SOURCES_PREFIX}{name}/" if name else SOURCES_PREFIX):
        if match := _KEY.fullmatch(key):
            version = OwnSource(match[1], int(match[2]), key)
            found.setdefault(version.name, []).append(version)
    return {
        each: sorted(versions, key=lambda version: version.version)
        for each, versions in sorted(found.items())
    }


def current_own(s3: Any, bucket: str) -> Iterator[ReadSource]:
    """The newest usable version of each source of one's own, after newer ones that are broken.

    That is how the pipeline reads: a version that is broken is as if it had not come.
    """
    for versions in own_sources(s3, bucket).values():
        yield from newest_first(s3, bucket, versions)


def newest_first(s3: Any, bucket: str, versions: Sequence[OwnSource]) -> Iterator[ReadSource]:
    """Versions of one source, the newest first, down to one that can be used."""
    for each in reversed(versions):
        content = read_own(s3, bucket, each)
        try:
            yield ReadSource(each, content, parse_shipped(content, each.key))
            return
        except InvalidSource as fault:
            yield ReadSource(each, content, fault=fault)


def read_own(s3: Any, bucket: str, wanted: OwnSource) -> bytes:
    """The YAML of a version."""
    content: bytes = s3.get_object(Bucket=bucket, Key=wanted.key)["Body"].read()
    return content


def added(content: bytes, document: str, newest: bytes | None, last_number: int) -> Added:
    """A document as the version after all that ever were; pure.

    `newest` is the version that is there. The number that a document says is set right; one that
    is otherwise the newest is not new. Raises InvalidSource with all that is wrong in it,
    expressions too.
    """
    from services.runtime.sources.compilation import check_source

    source = parse_source(content, document)
    check_source(source)
    there = _usable(newest, document)
    if there and newest and _numbered(content, there.version) == newest:
        return Added(there, source_key(there.name, there.version), newest, False)
    content = _numbered(content, last_number + 1)
    numbered = parse_source(content, document)
    if numbered.version != last_number + 1:
        why = f"this will be version {last_number + 1}: write `version:` on a line of its own"
        raise InvalidSource(document, [SourceFault(1, "version", why)])
    return Added(numbered, source_key(numbered.name, numbered.version), content, True)


def last_number(s3: Any, bucket: str, name: str) -> int:
    """The highest version that a source ever had, removed or not; 0: none."""
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=bucket, Prefix=f"{SOURCES_PREFIX}{name}/"
    )
    keys = (
        item["Key"]
        for page in pages
        for kind in ("Versions", "DeleteMarkers")
        for item in page.get(kind, ())
    )
    return max((int(match[2]) for key in keys if (match := _KEY.fullmatch(key))), default=0)


def is_shipped(name: str) -> bool:
    """Whether a source of this name comes with the code, so that none of one's own may have it."""
    return name in shipped_sources()


def _usable(content: bytes | None, document: str) -> Source | None:
    """What the newest version says; None where there is none, or it is broken."""
    try:
        return parse_source(content, document) if content is not None else None
    except InvalidSource:
        return None


def _numbered(content: bytes, version: int) -> bytes:
    return _VERSION.sub(rb"\g<1>" + str(version).encode(), content.removeprefix(b"\xef\xbb\xbf"), 1)


def _keys(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", ()):
            yield item["Key"]
