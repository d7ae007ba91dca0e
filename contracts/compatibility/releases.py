"""The frozen copies: `released/<release>/<path>`, and the index that says what they hash to.

A release holds what is new or changed since the one before; a later release stands on the earlier
ones. A released file never changes, and the index makes it noticed.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from contracts.compatibility.breaks import Break, label
from contracts.compatibility.catalogue import Catalogue

INDEX = "index.json"
_ABOUT = "Written by `ecp contracts release`: do not edit. A released file never changes."


@dataclass(frozen=True)
class Release:
    """`frozen`: SHA-256 (hex) of each file that is new in it; `withdrawn`: paths that are gone."""

    version: str
    frozen: dict[str, str]
    withdrawn: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What the next release would freeze."""

    version: str
    new: tuple[str, ...]
    changed: tuple[str, ...]
    withdrawn: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether everything is released already."""
        return not (self.new or self.changed or self.withdrawn)


@dataclass(frozen=True)
class Releases:
    """The folder of all releases (`contracts/released`), which may not be there yet."""

    folder: Path

    @cached_property
    def index(self) -> tuple[Release, ...]:
        """Every release, the oldest first."""
        path = self.folder / INDEX
        if not path.exists():
            return ()
        entries = json.loads(path.read_text())["releases"]
        return tuple(
            Release(entry["version"], entry["frozen"], tuple(entry["withdrawn"]))
            for entry in entries
        )

    def catalogue(self, version: str) -> Catalogue:
        """All contracts as they stood at a release; what cannot be found is left out."""
        return Catalogue(
            {path: file.read_bytes() for path, file in self._at(version).items() if file.is_file()}
        )

    def tampered(self) -> Iterator[Break]:
        """Frozen files that are not what the index says, missing, or not in it."""
        known = {self.folder / INDEX}
        for release in self.index:
            for path, digest in release.frozen.items():
                file = self.folder / release.version / path
                known.add(file)
                if not file.is_file():
                    yield _tampered(release.version, path, "is missing")
                elif _sha256(file.read_bytes()) != digest:
                    yield _tampered(release.version, path, "was changed")
        for file in sorted(self.folder.rglob("*")):
            if file.is_file() and file not in known:
                version, *parts = file.relative_to(self.folder).parts
                yield _tampered(version, "/".join(parts), "is not in the index")

    def plan(self, current: Catalogue) -> Plan:
        """What differs between the newest release and now."""
        before = self.catalogue(self.index[-1].version).texts if self.index else {}
        paths = sorted(current.texts)
        return Plan(
            version=f"v{len(self.index) + 1}",
            new=tuple(path for path in paths if path not in before),
            changed=tuple(
                path
                for path in paths
                if before.get(path, current.texts[path]) != current.texts[path]
            ),
            withdrawn=tuple(path for path in sorted(before) if path not in current.texts),
        )

    def freeze(self, current: Catalogue) -> Plan:
        """Write the next release and its entry in the index; the files first."""
        plan = self.plan(current)
        if plan.is_empty:
            return plan
        frozen = {}
        for path in sorted((*plan.new, *plan.changed)):
            file = self.folder / plan.version / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(current.texts[path])
            frozen[path] = _sha256(current.texts[path])
        entries = [*self.index, Release(plan.version, frozen, plan.withdrawn)]
        document = {"about": _ABOUT, "releases": [_entry(release) for release in entries]}
        (self.folder / INDEX).write_text(json.dumps(document, indent=2) + "\n")
        return plan

    def _at(self, version: str) -> dict[str, Path]:
        files: dict[str, Path] = {}
        for release in self.index:
            for path in release.frozen:
                files[path] = self.folder / release.version / path
            for path in release.withdrawn:
                files.pop(path, None)
            if release.version == version:
                break
        return files


def _entry(release: Release) -> dict[str, Any]:
    return {
        "version": release.version,
        "frozen": release.frozen,
        "withdrawn": list(release.withdrawn),
    }


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _tampered(version: str, path: str, what: str) -> Break:
    reason = (
        f"released/{version}/{path} {what}: a released file never changes; "
        f"restore it (`git checkout -- contracts/released/{version}`), "
        "and put a breaking change into a new version"
    )
    name = label(path) if path else version
    return Break(name, version, "released", "", "sha256", reason)
