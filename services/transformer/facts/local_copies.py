"""Data files of the facts on this machine's disk, for an engine that reads files by their path.

Iceberg never changes a file: a copy, known by location and size, stays right for as long as it is
kept, so a warm worker fetches only what is new. The least recently used go first.
"""

import hashlib
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile

from contracts.errors import Transient

LIMIT_BYTES = 1 << 30
ON_DISK = "file://"
FETCHED_AT_ONCE = 8
CHUNK_BYTES = 1 << 20


class LocalCopies:
    """A folder of this process, gone with it; what is asked for at once is kept at any size."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._home: tempfile.TemporaryDirectory[str] | None = None
        self._sizes: OrderedDict[Path, int] = OrderedDict()
        self._asked: list[set[Path]] = []

    @contextmanager
    def kept(self) -> Iterator[None]:
        """What is asked for from here to the end stays so long: queries may look at it again."""
        asked: set[Path] = set()
        self._asked.append(asked)
        try:
            yield
        finally:
            self._asked = [each for each in self._asked if each is not asked]

    def paths_of(self, io: FileIO, files: Sequence[DataFile]) -> list[Path]:
        """Where these files can be read; raises Transient for one that came in another size."""
        paths = [self._path_of(file) for file in files]
        missing = [
            (file, path)
            for file, path in zip(files, paths, strict=True)
            if not file.file_path.startswith(ON_DISK) and path not in self._sizes
        ]
        if missing:
            with ThreadPoolExecutor(FETCHED_AT_ONCE, thread_name_prefix="copies") as threads:
                self._sizes.update(threads.map(lambda each: _fetch(io, *each), missing))
        for path in paths:
            if path in self._sizes:
                self._sizes.move_to_end(path)
        for asked in self._asked:
            asked.update(paths)
        self._make_room(set(paths).union(*self._asked))
        return paths

    def _path_of(self, file: DataFile) -> Path:
        if file.file_path.startswith(ON_DISK):
            return Path(file.file_path.removeprefix(ON_DISK))
        if self._home is None:
            self._home = tempfile.TemporaryDirectory(prefix="facts-")
        name = hashlib.sha256(f"{file.file_path} {file.file_size_in_bytes}".encode()).hexdigest()
        return Path(self._home.name) / f"{name}.parquet"

    def _make_room(self, in_use: set[Path]) -> None:
        held = sum(self._sizes.values())
        for path in [path for path in self._sizes if path not in in_use]:
            if held <= self._limit_bytes:
                return
            held -= self._sizes.pop(path)
            path.unlink()


def _fetch(io: FileIO, file: DataFile, path: Path) -> tuple[Path, int]:
    """A copy that is whole or not there; its size."""
    begun = path.with_suffix(".begun")
    with io.new_input(file.file_path).open() as source, begun.open("wb") as copy:
        shutil.copyfileobj(source, copy, CHUNK_BYTES)
    size = begun.stat().st_size
    if size != file.file_size_in_bytes:
        begun.unlink()
        raise Transient(
            f"{file.file_path} came with {size} bytes, its table says {file.file_size_in_bytes}: "
            "it is fetched again with the next attempt"
        )
    begun.rename(path)
    return path, size
