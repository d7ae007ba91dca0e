"""The sweep: every version under the input prefixes is looked at, notified or not.

S3 lists versions by key, not by time, so a pass goes through all of them: a bounded number of pages
a minute, going on where the last sweep stopped. What was judged before is remembered by its row, by
this process, and, beyond the longest time that S3 takes to finish an upload, by its age alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from contracts.clock import from_rfc3339, to_rfc3339
from contracts.envelope import MessageContext
from contracts.identities import FileIdentity
from services.aggregator import read_model
from services.aggregator.open_set.detection import INPUT_PREFIXES, ListedVersion
from services.aggregator.open_set.object_lookup import Upload, judge, was_seen
from services.aggregator.ports import SOURCE, Ports
from services.runtime.event_store import PutItem

PAGES_PER_SWEEP = 20
"""Of 1,000 versions each."""
NEW_PER_SWEEP = 500
"""Versions that one sweep takes in; the next one goes on from the same page."""
LOOKUPS_PER_SWEEP = 5_000
UPLOADS_END_WITHIN = timedelta(days=8)
"""S3 dates an upload in parts by its beginning, and drops unfinished ones after 7 days
(infra/stacks/platform.yaml, AbortIncompleteMultipartUpload)."""
REMEMBERED = 200_000
"""Judged versions that a process keeps in mind, some 40 MB."""


@dataclass(frozen=True)
class Position:
    """Where the pass through a bucket stands. `after`: the key and version that were listed last.

    Versions from before `settled_before` were all judged by an earlier pass.
    """

    began_at: datetime
    prefix: str = INPUT_PREFIXES[0]
    after: tuple[str, str] | None = None
    newest: str | None = None
    """The newest version of the key in `after`, whose older ones may follow on the next page."""
    settled_before: datetime | None = None

    @property
    def is_at_the_beginning(self) -> bool:
        return self.prefix == INPUT_PREFIXES[0] and self.after is None

    def next_prefix(self, now: datetime) -> Position:
        """The beginning of the next prefix, or of the next pass when this was the last one."""
        number = INPUT_PREFIXES.index(self.prefix) + 1
        if number < len(INPUT_PREFIXES):
            return replace(self, prefix=INPUT_PREFIXES[number], after=None, newest=None)
        return Position(now, settled_before=self.began_at - UPLOADS_END_WITHIN)

    def as_row(self) -> dict[str, Any]:
        """The position in the aggregator's table."""
        return {
            "prefix": self.prefix,
            "after": list(self.after) if self.after else None,
            "newest": self.newest,
            "began_at": to_rfc3339(self.began_at),
            "settled_before": to_rfc3339(self.settled_before) if self.settled_before else None,
        }

    @staticmethod
    def of_row(row: dict[str, Any] | None, now: datetime) -> Position:
        """The position that a row keeps; without one a pass begins now."""
        if row is None or row["prefix"] not in INPUT_PREFIXES:
            return Position(now)
        settled = row["settled_before"]
        began = from_rfc3339(row["began_at"])
        position = Position(
            began,
            row["prefix"],
            tuple(row["after"]) if row["after"] else None,
            row["newest"],
            from_rfc3339(settled) if settled else None,
        )
        return replace(position, began_at=now) if position.is_at_the_beginning else position


@dataclass(frozen=True)
class Swept:
    """What a sweep found: versions that nobody had noticed, and whether it went through all.

    `listed`: every version that is there, when the whole pass was made in this sweep.
    """

    uploads: list[Upload]
    position: Position
    listed: frozenset[FileIdentity] | None


def sweep_versions(bucket: str, ports: Ports) -> Swept:
    """Go on with the pass, at most to its end; nothing is recorded yet, see `keep_position`."""
    now = ports.clock()
    row = ports.store.get_item(ports.table, read_model.sweep_key(bucket))
    position = Position.of_row(row, now)
    is_whole = position.is_at_the_beginning
    uploads: list[Upload] = []
    listed: set[FileIdentity] = set()
    lookups = 0
    for _ in range(PAGES_PER_SWEEP):
        page = ports.uploads.versions(bucket, position.prefix, position.after)
        listed |= {FileIdentity(bucket, *one.identity) for one in page.versions}
        newest = position.newest
        for key, versions in groupby(page.versions, key=lambda one: one.key):
            of_key = list(versions)
            goes_on = position.after is not None and key == position.after[0]
            newest = newest if goes_on and newest else of_key[0].version_id
            unknown = [one for one in of_key if _is_unknown(one, bucket, position, ports)]
            lookups += len(unknown)
            uploads += judge(bucket, unknown, newest, ports)
        if len(uploads) >= NEW_PER_SWEEP:
            return Swept(uploads, position, None)
        if page.following is not None:
            position = replace(position, after=page.following, newest=newest)
        else:
            position = position.next_prefix(now)
            if position.is_at_the_beginning:
                return Swept(uploads, position, frozenset(listed) if is_whole else None)
        if lookups >= LOOKUPS_PER_SWEEP:
            break
    return Swept(uploads, position, None)


def keep_position(bucket: str, position: Position, ports: Ports) -> None:
    """Let the next sweep go on from there; a pass made whole in one sweep is not written down."""
    key = read_model.sweep_key(bucket)
    kept = Position.of_row(ports.store.get_item(ports.table, key), position.began_at)
    is_fresh = (
        kept.is_at_the_beginning
        and position.is_at_the_beginning
        and kept.settled_before is not None
        and position.settled_before is not None
        and position.settled_before - kept.settled_before < timedelta(days=1)
    )
    if not is_fresh:
        ports.store.append(
            context=MessageContext(SOURCE),
            writes=[PutItem(ports.table, key | position.as_row())],
        )


def _is_unknown(version: ListedVersion, bucket: str, position: Position, ports: Ports) -> bool:
    """Whether this version may not have been judged; remembers those that were."""
    settled = position.settled_before
    if settled is not None and from_rfc3339(version.last_modified) < settled:
        return False
    identity = FileIdentity(bucket, *version.identity)
    if identity in ports.judged:
        return False
    if not was_seen(identity, ports):
        return True
    if len(ports.judged) >= REMEMBERED:
        ports.judged.clear()
    ports.judged.add(identity)
    return False
