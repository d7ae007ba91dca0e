"""What is written beside an upload: a lookup's row, and what a file without its source waits by."""

from __future__ import annotations

from datetime import datetime

from contracts import layout
from contracts.messages import FileIgnored, LookupReceived
from services.aggregator import read_model
from services.aggregator.open_set.object_lookup import Upload
from services.aggregator.ports import Ports
from services.aggregator.sources.shelf import lookup_row
from services.runtime.event_store import DeleteItem, PutItem, StateWrite


def writes_beside(upload: Upload, now: datetime, bucket: str, ports: Ports) -> list[StateWrite]:
    """What else is written of a lookup, and of a file whose source is not known, or is now."""
    event = upload.event
    if isinstance(event, LookupReceived):
        known = ports.store.get_item(ports.table, read_model.source_key(bucket, event.key))
        is_newer = known is None or known["last_modified"] <= (event.last_modified or "")
        return [PutItem(ports.table, lookup_row(event))] if is_newer else []
    if isinstance(event, FileIgnored) and upload.no_source and upload.counts_after is None:
        told = read_model.left_out_row(event, now)
        row = read_model.without_source_row(event, upload.no_source, told)
        return [PutItem(ports.table, row)]
    name = layout.source_of(event.key)
    if upload.counts_after != FileIgnored.__name__ or name is None or upload.no_source:
        return []
    key = read_model.without_source_key(bucket, name, event.key, str(event.version_id))
    waited = ports.store.get_item(ports.table, key)
    over = [key, waited["told"]] if waited else [key]
    return [DeleteItem(ports.table, one) for one in over]
