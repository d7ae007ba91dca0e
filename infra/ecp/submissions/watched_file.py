"""A local file that tells how far it has been read."""

from collections.abc import Callable
from typing import BinaryIO

from infra.ecp.submissions.directories import InputFile

Say = Callable[[str], None]


class WatchedFile:
    """Says it with every read."""

    def __init__(self, content: BinaryIO, file: InputFile, say: Say) -> None:
        self._content, self._key, self._say = content, file.key, say
        self._size_bytes, self._read_bytes = file.path.stat().st_size, 0

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes."""
        found = self._content.read(size)
        self._read_bytes += len(found)
        self._say(f"checking {self._key}: {self._read_bytes / (self._size_bytes or 1):.0%}")
        return found
