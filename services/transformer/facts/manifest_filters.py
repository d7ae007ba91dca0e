"""Manifests are filtered one at a time.

pyiceberg 0.12 looks for the files that a snapshot takes away in many manifests at once, by one
filter that keeps the bounds of the manifest it is at: threads overwrite each other's, a manifest is
passed over, and the commit ends with "Missing required files to delete".
"""

import threading
from collections.abc import Callable
from typing import Any

from pyiceberg.manifest import ManifestFile
from pyiceberg.table.update.snapshot import _SnapshotProducer

IsWanted = Callable[[ManifestFile], bool]
_filter_of = _SnapshotProducer._build_manifest_evaluator


def filter_one_at_a_time() -> None:
    """From now on, in this process, a filter of manifests is in one thread at a time."""
    _SnapshotProducer._build_manifest_evaluator = _guarded


def _guarded(snapshot: _SnapshotProducer[Any], spec_id: int) -> IsWanted:
    is_wanted: IsWanted = _filter_of(snapshot, spec_id)
    lock = threading.Lock()

    def in_turn(manifest: ManifestFile) -> bool:
        with lock:
            return is_wanted(manifest)

    return in_turn
