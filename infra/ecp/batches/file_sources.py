"""Which source each file of a batch was read by, from its manifest; plain files have none."""

from collections.abc import Sequence

from contracts.envelope import Message
from contracts.messages import BatchManifest, ObjectRef
from services.aggregator.sources.catalogue import label
from services.runtime.storage.documents import ObjectStore
from services.runtime.storage.expired_documents import read_unless_expired


def read_sources(manifest: ObjectRef, objects: ObjectStore) -> dict[str, str]:
    """By key `shopify-orders v1`, of the files that have a source; nothing once it has expired."""
    document = read_unless_expired(objects, manifest)
    if document is None:
        return {}
    read_by = {file.key: label(file.source) for file in BatchManifest(**document).files}
    return {key: source for key, source in read_by.items() if source is not None}


def sources_of_events(events: Sequence[Message], objects: ObjectStore) -> dict[str, str]:
    """As `read_sources`, of the batch that the events are of; nothing before it is sealed."""
    sealed = [each for each in events if each.event_type in ("BatchSealed", "BatchRedriven")]
    return read_sources(sealed[-1].data.manifest, objects) if sealed else {}
