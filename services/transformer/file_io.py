"""How pyiceberg reads and writes the files of the facts: Arrow's S3, with one request a small file.

A day's file is small. Arrow would open a multipart upload for each (three requests); told that
opening may wait until it knows the size, it sends one PutObject.
"""

from pyarrow.fs import FileSystem, S3FileSystem
from pyiceberg.io import S3_ENDPOINT, S3_REGION
from pyiceberg.io.pyarrow import PyArrowFileIO

FILE_IO = f"{__name__}.FewRequestsFileIO"
"""The name to give pyiceberg as `py-io-impl`."""


class FewRequestsFileIO(PyArrowFileIO):  # type: ignore[misc]
    """PyArrowFileIO whose S3 may open a file late; credentials are the process's own."""

    def _initialize_s3_fs(self, netloc: str | None) -> FileSystem:  # noqa: ARG002
        return S3FileSystem(
            region=self.properties.get(S3_REGION),
            endpoint_override=self.properties.get(S3_ENDPOINT),
            allow_delayed_open=True,
            background_writes=False,
        )
