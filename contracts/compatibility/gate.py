"""Every contract against every release of it, in both directions (docs/design.md, Messages).

The verdict is made by covers (`forms.py`) and by the index (`releases.py`); what `explain.py` says
of it changes nothing.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from typing import Any

from contracts.compatibility.breaks import Break, Difference, Direction, label
from contracts.compatibility.catalogue import Catalogue
from contracts.compatibility.explain import UNDECIDED, differences
from contracts.compatibility.file_gate import file_differences
from contracts.compatibility.forms import Comparison, backward, forward, require_comparable
from contracts.compatibility.releases import Releases
from contracts.errors import ContractViolation
from contracts.sources.faults import InvalidSource
from contracts.sources.shipped import parse_shipped

Compare = Callable[[dict[str, Any], dict[str, Any]], Comparison]
_COMPARISONS: tuple[tuple[Direction, Compare], ...] = (("backward", backward), ("forward", forward))


def check(current: Catalogue, releases: Releases, declared: Collection[str]) -> list[Break]:
    """All that breaks; empty when everything may be released.

    `declared`: labels (`commands/AcquireLock v1`) that somebody still sends or hears.
    """
    found = [*releases.tampered(), *_unusable(current)]
    if found:  # nothing can be compared with, or against, what is not what it was
        return found
    found += [*_schema_breaks(current, releases), *_file_breaks(current, releases)]
    found += _source_breaks(current, releases)
    return [*found, *_removed(current, releases, declared)]


def compare(path: str, release: str, new: dict[str, Any], old: dict[str, Any]) -> list[Break]:
    """What breaks between one released schema and the same one now, both without references."""
    if new == old:
        return []
    found = []
    for direction, form in _COMPARISONS:
        comparison = form(new, old)
        if not comparison.is_covered:
            found += [
                _break(path, release, direction, difference)
                for difference in _explained(comparison)
            ]
    return found


def _explained(comparison: Comparison) -> list[Difference]:
    """At least one reason: a verdict stands even where nobody can say why."""
    found = differences(comparison.reader, comparison.writer)
    return found or [Difference("", UNDECIDED, "not all that may be written is taken")]


def _schema_breaks(current: Catalogue, releases: Releases) -> Iterator[Break]:
    seen: list[tuple[str, dict[str, Any]]] = []
    for release in releases.index:
        before = releases.catalogue(release.version)
        for path in before.schemas:
            old = before.resolved(path)
            if path in current.texts and (path, old) not in seen:
                seen.append((path, old))
                yield from compare(path, release.version, current.resolved(path), old)


def _file_breaks(current: Catalogue, releases: Releases) -> Iterator[Break]:
    """Each version of a file contract against each released one that is not newer than it."""
    for release in releases.index:
        before = releases.catalogue(release.version)
        for old_path in [path for path in before.files if path in release.frozen]:
            old = before.document(old_path)
            for path in current.files:
                if _kind(path) == _kind(old_path) and _version(path) >= _version(old_path):
                    for difference in file_differences(current.document(path), old):
                        yield _break(path, release.version, "files", difference)


def _source_breaks(current: Catalogue, releases: Releases) -> Iterator[Break]:
    """Sources that are not what they were released as: batches are validated again by them."""
    for release in releases.index:
        before = releases.catalogue(release.version)
        for path in before.sources:
            if path in release.frozen and current.texts.get(path) not in (None, before.texts[path]):
                reason = (
                    f"contracts/{path} differs from its release, and batches are pinned to it: "
                    "put it back, and say what is new in the next version beside it"
                )
                yield Break(label(path), release.version, "released", "", "sha256", reason)


def _removed(current: Catalogue, releases: Releases, declared: Collection[str]) -> Iterable[Break]:
    """Contracts that are gone though they are needed.

    A command may go when nobody declares it. What is stored stays readable: events are folded and
    told again, documents lie in S3, senders go on sending files.
    """
    released: dict[str, str] = {}
    for release in releases.index:
        released |= dict.fromkeys(release.frozen, release.version)
    for path, version in released.items():
        is_command = path.startswith("schemas/commands/")
        is_part = path.startswith("schemas/parts/")
        if path in current.texts or (is_part and path not in _roots(releases)):
            continue
        if is_command and label(path) not in declared:
            continue
        why = "somebody still declares it" if is_command else "what it describes is stored or sent"
        reason = f"contracts/{path} is gone, but {why}: put it back"
        yield Break(label(path), version, "removed", "", "removed", reason)


def _roots(releases: Releases) -> set[str]:
    return {
        path for release in releases.index for path in releases.catalogue(release.version).schemas
    }


def _unusable(current: Catalogue) -> list[Break]:
    """What cannot be read or compared: no JSON, no JSON Schema, dangling references, no source."""
    for require in (current.document, partial(_require_comparable, current)):
        found = []
        for path in sorted(current.texts):
            try:
                if path.startswith("sources/"):
                    parse_shipped(current.texts[path], path)
                else:
                    require(path)
            except (ContractViolation, InvalidSource) as error:
                found.append(Break(label(path), None, "schema", "", "schema", str(error)))
        if found:  # what is no JSON cannot be referred to either: say the cause only
            return found
    return []


def _require_comparable(current: Catalogue, path: str) -> None:
    if path.startswith("schemas/"):
        require_comparable(current.resolved(path), path)
    elif missing := {"name", "fields"} - set(current.document(path)):
        raise ContractViolation(f"{path} lacks {', '.join(sorted(missing))}")


def _break(path: str, release: str, direction: Direction, difference: Difference) -> Break:
    return Break(
        label(path), release, direction, difference.pointer, difference.rule, difference.reason
    )


def _kind(path: str) -> str:
    return path.split("/")[1]


def _version(path: str) -> int:
    return int(path.rsplit("/v", 1)[1].removesuffix(".json"))
