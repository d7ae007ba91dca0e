"""What a local cloud keeps on the disk from one run to the next: .ecp/state, one whole save.

A save is a folder: MiniStack's own state files, the objects of S3 as hard links (an object's file
is replaced, never written into), and `saved.json`, which names each file with its size. It is
written beside the last one and takes its place in one step, so there is always one that is whole.
What a save does not hold is said in docs/decisions/0020.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from contracts.layout import INCOMING_PREFIX, KINDS, SOURCES_PREFIX
from infra.errors import LocalCloudError

FORMAT = 1
DESCRIPTION = "saved.json"
OBJECTS = "s3"
FOLDERS = (*KINDS, INCOMING_PREFIX.rstrip("/"), SOURCES_PREFIX.rstrip("/"))
"""Where people put what they send."""
_SIDECAR = ".meta.json"
_FRESH = "`ecp up --fresh` starts empty"


@dataclass(frozen=True)
class Save:
    """What saved.json says. `saved_at`: RFC 3339. `at_stop`: nothing came after it.

    `sizes`: bytes by file of MiniStack's state.
    """

    saved_at: str
    at_stop: bool
    port: int
    sizes: Mapping[str, int] = field(default_factory=dict)
    format: int = FORMAT


class SavedState:
    """The folders under .ecp/state: the last save, and the objects of the cloud that runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.saved, self._before = root / "saved", root / "before"
        self._half = root / "saving"
        self.objects = root / OBJECTS

    def newest(self) -> Save | None:
        """The last save, None when there is none; raises LocalCloudError for one that is damaged.

        A process that was killed between the two renames of `publish` left it under another name.
        """
        if not self.saved.exists() and self._before.exists():
            self._before.rename(self.saved)
        try:
            fields = json.loads((self.saved / DESCRIPTION).read_text(encoding="utf-8"))
            if fields["format"] > FORMAT:
                raise LocalCloudError(
                    f"{self.saved} was saved by a newer ecp: use that one, or {_FRESH}"
                )
            save = Save(**fields)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as broken:
            raise LocalCloudError(f"{self.saved} cannot be read ({broken}); {_FRESH}") from broken
        self._check_sizes(save)
        return save

    def begin(self) -> Path:
        """An empty folder for a new save; what an interrupted one left is removed."""
        self.discard_half()
        self._half.mkdir(parents=True)
        return self._half

    def discard_half(self) -> None:
        """Remove a save that was not finished."""
        shutil.rmtree(self._half, ignore_errors=True)

    def link_objects(self) -> None:
        """Take the objects as they are now into the save that was begun."""
        link_tree(self.objects, self._half / OBJECTS)

    def publish(self, save: Save) -> None:
        """Let the folder that was begun be the last save; raises OSError, and the old one stays."""
        description = self._half / DESCRIPTION
        description.write_text(json.dumps(asdict(save), indent=1) + "\n", encoding="utf-8")
        flush_to_disk(description)
        shutil.rmtree(self._before, ignore_errors=True)
        if self.saved.exists():
            self.saved.rename(self._before)
        self._half.rename(self.saved)
        shutil.rmtree(self._before, ignore_errors=True)

    def move_to(self, port: int, save: Save) -> Save:
        """Let the last save be that of a cloud on another port: its addresses are full of it."""
        folder = self.begin()
        link_tree(self.saved / OBJECTS, folder / OBJECTS)
        sizes = {}
        for name in save.sizes:
            source, target = self.saved / name, folder / name
            target.parent.mkdir(exist_ok=True)
            if target.suffix == ".json":
                text = source.read_text(encoding="utf-8")
                text = text.replace(f"127.0.0.1:{save.port}", f"127.0.0.1:{port}")
                target.write_text(text, encoding="utf-8")
            else:
                os.link(source, target)
            sizes[name] = target.stat().st_size
        moved = replace(save, port=port, sizes=sizes)
        self.publish(moved)
        return moved

    def bring_back_objects(self, recovered: Path) -> list[str]:
        """Make the objects those of the last save.

        Uploads that it does not hold are put under `recovered`, by their keys, so that they can be
        submitted again; returns their keys, sorted.
        """
        lost = dict(self._uploads_since())
        for key, path in lost.items():
            target = recovered / key
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            os.link(path, target)
        shutil.rmtree(self.objects, ignore_errors=True)
        link_tree(self.saved / OBJECTS, self.objects)
        return sorted(lost)

    def forget(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.root, ignore_errors=True)

    def _check_sizes(self, save: Save) -> None:
        for name, size in save.sizes.items():
            path = self.saved / name
            if not path.is_file() or path.stat().st_size != size:
                raise LocalCloudError(f"{path} is damaged: not the {size:,} bytes saved; {_FRESH}")

    def _uploads_since(self) -> Iterator[tuple[str, Path]]:
        """Inputs that lie among the live objects, as they came or archived, and not in the save."""
        known = {path.stat().st_ino for _, path in _inputs(self.saved / OBJECTS)}
        for key, path in _inputs(self.objects):
            if path.stat().st_ino not in known:
                yield key, path


def link_tree(source: Path, target: Path) -> None:
    """A second tree of the same files by hard links; half-written ones are left out."""
    target.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(
            source,
            target,
            copy_function=os.link,
            ignore=shutil.ignore_patterns("*.tmp"),
            dirs_exist_ok=True,
        )


def flush_to_disk(path: Path) -> None:
    """Return when the file's bytes are on the disk."""
    with path.open("rb") as written:
        os.fsync(written.fileno())


def _inputs(objects: Path) -> Iterator[tuple[str, Path]]:
    """Uploaded files below `<account>/<bucket>/`, where they were put or in the archive."""
    for bucket in objects.glob("[0-9]*/*"):
        for place in (bucket, *bucket.glob("archive/*")):
            for folder in FOLDERS:
                for path in sorted((place / folder).rglob("*")):
                    if path.is_file() and not path.name.endswith((_SIDECAR, ".tmp")):
                        yield path.relative_to(place).as_posix(), path
