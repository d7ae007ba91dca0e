"""How pyiceberg reads and writes the files of the facts: few requests, and none for a file in hand.

Iceberg never changes a file, so what this process wrote or read before is still right: small files
are kept in memory, the least recently used go first. Of a table's metadata files only the newest
is: each holds the table's whole history, and the next commit reads no other. A small file is
written in one PutObject, which S3 shows whole or not at all; a larger one is streamed.
"""

import io
import threading
from functools import cache
from types import TracebackType
from typing import Any

import pyarrow as pa
from cachetools import LRUCache
from pyarrow.fs import FileSystem, S3FileSystem
from pyiceberg.io import S3_ENDPOINT, S3_REGION
from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO

FILE_IO = f"{__name__}.FewRequestsFileIO"
"""The name to give pyiceberg as `py-io-impl`."""

SMALL_FILE_BYTES = 4 << 20
KEPT_BYTES = 64 << 20
TABLE_METADATA = ".metadata.json"


class KeptFiles:
    """Contents of small files by location, for the threads of one process."""

    def __init__(self, limit_bytes: int = KEPT_BYTES) -> None:
        self._contents: LRUCache[str, bytes] = LRUCache(limit_bytes, getsizeof=len)
        self._newest_metadata: dict[str, str] = {}
        self._lock = threading.Lock()

    def get(self, location: str) -> bytes | None:
        """The content, None when it is not in hand."""
        with self._lock:
            return self._contents.get(location)

    def keep(self, location: str, content: bytes) -> None:
        """Remember the content of a small file; a larger one is let go."""
        if len(content) > SMALL_FILE_BYTES:
            return
        with self._lock:
            if location.endswith(TABLE_METADATA):
                folder = location.rpartition("/")[0]
                self._contents.pop(self._newest_metadata.get(folder, location), None)
                self._newest_metadata[folder] = location
            self._contents[location] = content


kept_files = KeptFiles()


class FewRequestsFileIO(PyArrowFileIO):  # type: ignore[misc]
    """PyArrowFileIO over `kept_files`; S3 credentials are the process's own."""

    def new_input(self, location: str) -> "KeptFile":
        """A file to read."""
        return self._file(location)

    def new_output(self, location: str) -> "KeptFile":
        """A file to write."""
        return self._file(location)

    def _file(self, location: str) -> "KeptFile":
        plain = super().new_input(location)
        return KeptFile(location, plain._path, plain._filesystem)

    def _initialize_s3_fs(self, netloc: str | None) -> FileSystem:  # noqa: ARG002
        return s3_file_system(self.properties.get(S3_REGION), self.properties.get(S3_ENDPOINT))


@cache
def s3_file_system(region: str | None, endpoint: str | None) -> FileSystem:
    """One for the process: pyiceberg makes a FileIO for each commit, and a client takes 10 ms.

    Opening may wait until the size is known: one request writes a small file, not three.
    """
    return S3FileSystem(
        region=region,
        endpoint_override=endpoint,
        allow_delayed_open=True,
        background_writes=False,
    )


class KeptFile(PyArrowFile):  # type: ignore[misc]
    """One file of a table, by its location."""

    def __len__(self) -> int:
        content = kept_files.get(self.location)
        return super().__len__() if content is None else len(content)

    def open(self, seekable: bool = True) -> Any:
        """From memory where it is in hand; a small file is read whole and kept."""
        content = kept_files.get(self.location)
        if content is None:
            stream = super().open(seekable=True)
            if stream.size() > SMALL_FILE_BYTES:
                return stream if seekable else super().open(seekable=False)
            with stream:
                content = stream.read()
            kept_files.keep(self.location, content)
        return pa.BufferReader(content)

    def create(self, overwrite: bool = False) -> Any:  # noqa: ARG002
        """A stream to write; names are never used twice, so nothing is looked for first."""
        return _Output(self.location, lambda: super(KeptFile, self).create(overwrite=True))


class _Output(io.RawIOBase):
    """Holds a file until it is closed, and sends it whole; one that grows large is streamed."""

    def __init__(self, location: str, open_stream: Any) -> None:
        self._location, self._open_stream = location, open_stream
        self._held: list[bytes] = []
        self._size = 0
        self._stream: Any = None

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def write(self, content: Any) -> int:
        piece = bytes(content)
        self._size += len(piece)
        if self._stream is not None:
            self._stream.write(piece)
            return len(piece)
        self._held.append(piece)
        if self._size > SMALL_FILE_BYTES:
            self._stream = self._open_stream()
            self._stream.write(b"".join(self._held))
            self._held.clear()
        return len(piece)

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        if self._stream is not None:
            self._stream.close()
            return
        whole = b"".join(self._held)
        with self._open_stream() as stream:
            stream.write(whole)
        kept_files.keep(self._location, whole)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """A file whose writing failed is not sent."""
        if kind is not None and self._stream is None:
            super().close()
            return
        super().__exit__(kind, error, trace)
