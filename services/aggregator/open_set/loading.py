"""Loading the open file set of a bucket, and the writes that go with every change of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from contracts.envelope import Message, MessageContext
from contracts.errors import ConcurrencyConflict
from contracts.messages import FilesCarriedOver, ObjectRef
from services.aggregator.open_set.carry_over import next_to_open
from services.aggregator.open_set.domain import FileSet
from services.aggregator.ports import SOURCE, Ports
from services.aggregator.read_model import open_set_key, sources_of
from services.aggregator.sources.catalogue import NOTHING_KNOWN, Catalogue, catalogue_of
from services.runtime.event_store import PutItem, StateTables, StateWrite, StreamAppend

FIRST_SET = 1


@dataclass(frozen=True)
class OpenSet:
    """A bucket's open set, and whether a completed batch has brought products."""

    files: FileSet
    products_known: bool
    is_named: bool
    """Whether the bucket has its pointer item; before its first sealing it has none."""


def load(bucket: str, ports: Ports) -> OpenSet:
    """The open set as it is now; raises ConcurrencyConflict when it is being sealed.

    A set that the sealing before it opened in part only is opened whole first: till then its stream
    has nothing but FilesCarriedOver, and an event's place is its version.
    """
    pointer = ports.store.get_item(ports.table, open_set_key(bucket)) or {}
    number = int(pointer.get("set_number", FIRST_SET))
    known = ports.known_sets.get(bucket)
    start = known if known is not None and known.number == number else FileSet(bucket, number)
    files = start.evolve(ports.store.read(start.stream_id, start.version))
    if files.sealed_as is not None:
        raise ConcurrencyConflict(f"{files.stream_id} was sealed as {files.sealed_as} meanwhile")
    while files.continued_in is not None:
        files = files.evolve(_open_further(files, files.continued_in, ports))
    ports.known_sets[bucket] = files
    files = with_catalogue(files, ports.store, ports.table)
    return OpenSet(files, bool(pointer.get("products_known", False)), bool(pointer))


def _open_further(files: FileSet, ref: ObjectRef, ports: Ports) -> list[Message]:
    """Append what one transaction takes of the events that the set still has to open with."""
    document = ports.documents.get_json(ref)
    events = [FilesCarriedOver.model_validate(event) for event in document["events"]]
    following = next_to_open(events, files.version, ref)
    append = StreamAppend(files.stream_id, files.version, following)
    return ports.store.append(append, context=MessageContext(SOURCE))


def with_catalogue(files: FileSet, tables: StateTables, table: str) -> FileSet:
    """The set with what is known of sources, which is asked only where a file has one."""
    is_asked = any(one.file.source is not None for one in files.files.values())
    catalogue = catalogue_of(tables.query(table, sources_of(files.bucket))) if is_asked else None
    return replace(files, catalogue=catalogue or NOTHING_KNOWN)


def read_catalogue(bucket: str, ports: Ports) -> Catalogue:
    """What is known of sources now."""
    return catalogue_of(ports.store.query(ports.table, sources_of(bucket)))


def load_since(bucket: str, number: int, ports: Ports) -> list[FileSet]:
    """The bucket's sets from `number` to the open one, in order."""
    current = load(bucket, ports).files
    sealed = (FileSet(bucket, earlier) for earlier in range(number, current.number))
    return [one.evolve(ports.store.read(one.stream_id)) for one in sealed] + [current]


def next_set(open_set: OpenSet, ports: Ports) -> StateWrite:
    """The write that makes the following set the open one."""
    return _pointer(open_set, ports, open_set.files.number + 1, open_set.products_known)


def products_became_known(open_set: OpenSet, ports: Ports) -> StateWrite:
    """The write that lets sets without products settle from now on."""
    return _pointer(open_set, ports, open_set.files.number, products_known=True)


def _pointer(open_set: OpenSet, ports: Ports, number: int, products_known: bool) -> StateWrite:
    return PutItem(
        ports.table,
        open_set_key(open_set.files.bucket)
        | {"set_number": number, "products_known": products_known},
        expected=_as_loaded(open_set),
    )


def _as_loaded(open_set: OpenSet) -> dict[str, int | bool | None]:
    if not open_set.is_named:
        return {"set_number": None}
    return {"set_number": open_set.files.number, "products_known": open_set.products_known}
