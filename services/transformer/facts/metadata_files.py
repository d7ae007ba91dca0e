"""Table metadata is written gzipped where a table's properties say so, as Iceberg's Java does.

pyiceberg 0.12 reads `*.gz.metadata.json`, and gzips what it writes under such a name, but never
gives one: it does not know `write.metadata.compression-codec`. Its own level of compression takes
five times as long as this one, for a tenth less.
"""

import gzip
import uuid
from collections.abc import Callable
from functools import partial

from pyiceberg.serializers import GzipCompressor
from pyiceberg.table.locations import LocationProvider

CODEC = "write.metadata.compression-codec"
LEVEL = 3


def compress_metadata() -> None:
    """From now on, in this process, table metadata is written by the table's codec."""
    LocationProvider.new_table_metadata_file_location = _new_location
    GzipCompressor.bytes_compressor = _quickly


def _new_location(provider: LocationProvider, new_version: int = 0) -> str:
    """As pyiceberg names it, with the ending by which every reader knows the codec."""
    is_packed = provider.table_properties.get(CODEC, "none").lower() == "gzip"
    ending = ".gz.metadata.json" if is_packed else ".metadata.json"
    name = f"{new_version:05d}-{uuid.uuid4()}{ending}"
    return str(provider.new_metadata_location(name))


def _quickly(_: GzipCompressor) -> Callable[[bytes], bytes]:
    return partial(gzip.compress, compresslevel=LEVEL)
