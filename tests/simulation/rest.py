"""What must hold when nothing moves any more: all is done, nothing is lost, nobody waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.layout import archive_prefix
from contracts.messages import BatchRejected, FileGone, FileIgnored, FileSuperseded
from services.aggregator.open_set.domain import FileSet, stream_of
from tests.simulation.checks import require
from tests.simulation.shop import BUCKET, LOOKUP

if TYPE_CHECKING:
    from tests.simulation.world import World

Place = tuple[str, str]


def nothing_is_left_undone(world: World) -> None:
    """The lock is free, the line empty, the queues too, and every event was on the bus."""
    for queue in world.queues.values():
        require(not queue.messages, f"{queue.name} holds {len(queue.messages)} messages")
        world.strangers.check(queue.name, queue.refused)
    item = world.table.item("ProcessingLockTable", "ecommerce-pipeline-lock")
    if item is not None:
        require(item["currentlockcount"] == 0, f"the lock is held by {item['execution_metadata']}")
        require(not item["waiters"], f"{item['waiters']} wait for a free lock")
        pending_grant = [
            one["LockId"] for one in world.table.items("ProcessingLockTable") if "task_token" in one
        ]
        require(not pending_grant, f"tokens are still owed: {pending_grant}")
    stored = {one.event_id for stream in world.table.streams().values() for one in stream}
    missing = len(stored - world.bus.accepted)
    require(not missing, f"{missing} events are in the store and were never on the bus")
    require(not world.bus.accepted - stored, "an event on the bus is not in the store")
    world.checks.kpis_equal_the_model()


def batches_have_ended(world: World, *, none_failed: bool) -> None:
    """Each as its files deserve; after a redrive none is FAILED."""
    for batch_id, status in world.checks.status.items():
        require(status != "OPEN", f"batch {batch_id} never ends")
        require(not (none_failed and status == "FAILED"), f"batch {batch_id} stays FAILED")
        if status == "COMPLETED":
            continue
        if status == "REJECTED" or none_failed:
            files = world.checks.files_of(batch_id)
            bad = [key for key, _ in files if world.is_bad(batch_id, key)]
            is_at_fault = bool(bad) or bool(world.shop.deleted & set(files))
            require(is_at_fault, f"batch {batch_id} is {status} and none of its files is bad")


def no_version_is_unnoticed(world: World) -> None:
    """Each upload is in one place: the open set, a batch, or named as ignored, superseded or gone.

    One that a person deleted may be in none, if nobody had noticed it before.
    """
    where: dict[Place, list[str]] = {}
    gone: set[Place] = set()

    def put(place: Place, what: str) -> None:
        where.setdefault(place, []).append(what)

    for messages in world.table.streams().values():
        for message in messages:
            match message.data:
                case FileIgnored(key=key, version_id=version_id):
                    require(bool(message.data.reason), f"{key} is ignored for no reason")
                    if _is_ignored_still(world, key, str(version_id)):
                        put((key, str(version_id)), "ignored")
                case FileSuperseded(key=key, version_id=version_id, by_version_id=by):
                    put((key, version_id), f"superseded by {by}")
                    newer = (message.data.by_key or key, by)
                    require(newer in world.shop.uploaded, f"{newer} supersedes {key} and never was")
                case FileGone(key=key, version_id=version_id):
                    gone.add((key, str(version_id)))
    for place in gone:
        put(place, "gone")
    for batch_id, status in world.checks.status.items():
        files = set(world.checks.files_of(batch_id))
        if status == "REJECTED":
            files = _at_fault(world, batch_id, files)
        for file in files:
            put(file, f"batch {batch_id} {status}")
    pointer = world.table.item("AggregatorState", f"bucket#{BUCKET}", "open-set") or {}
    number = pointer.get("set_number", 1)
    messages = world.table.streams().get(stream_of(BUCKET, number), [])
    open_set = FileSet(BUCKET, number).evolve(messages)
    for identity in open_set.files:
        put((identity.key, identity.version_id), "open set")
    waiting = world.table.query("AggregatorState", {"pk": f"no-source#{BUCKET}"})
    require(not waiting, f"their source has come, and they wait for it: {waiting}")
    for place in world.shop.uploaded:
        if place[0].startswith("manifests/") or place[0] == LOOKUP:
            continue
        places = where.get(place, [])
        if place in world.shop.deleted:
            require(len(places) <= 1, f"{place} is in {places}")
        else:
            require("gone" not in places, f"{place} is there and told as gone")
            require(len(places) == 1, f"{place} is in {places or 'no place'}")


def _is_ignored_still(world: World, key: str, version_id: str) -> bool:
    """A file that was ignored for want of its source is taken in when that comes."""
    row = world.table.item("AggregatorState", f"file#{BUCKET}#{key}", version_id)
    return row is not None and row["seen_as"] == FileIgnored.__name__


def archive_is_right(world: World) -> None:
    """Inputs of COMPLETED batches are in the archive and nowhere else; all others are in place."""
    done: set[Place] = set()
    for batch_id, status in world.checks.status.items():
        if status == "COMPLETED":
            for key, version_id in world.checks.files_of(batch_id):
                done.add((key, version_id))
                copy = world.buckets.find(world.archive, archive_prefix(batch_id) + key)
                is_deleted = (key, version_id) in world.shop.deleted
                require(
                    copy is not None or is_deleted, f"{key} of {batch_id} is not in the archive"
                )
    for key, version_id in world.shop.uploaded:
        if (key, version_id) in world.shop.deleted:
            continue
        standing = world.buckets.find(BUCKET, key, version_id) is not None
        expected = (key, version_id) not in done
        require(
            standing == expected,
            f"{key} {version_id} {'lies there still' if standing else 'is gone'}",
        )


def _at_fault(world: World, batch_id: str, files: set[Place]) -> set[Place]:
    """The files that the BatchRejected names; a healthy one must not be among them."""
    for message in world.table.streams()[f"batch/{batch_id}"]:
        if isinstance(message.data, BatchRejected):
            named = {file.key for file in message.data.rejected_files if not file.gone}
            for key in named:
                require(world.is_bad(batch_id, key), f"{key} is healthy and was rejected")
            return {place for place in files if place[0] in named}
    return files
