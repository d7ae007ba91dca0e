"""Making small files of the facts one, in small turns between batches, and never in a batch's way.

The rows stay as they are, so no KPI changes and nothing is said of it: what a turn did is in the
snapshots, the log and the metrics. A turn that somebody interrupts leaves the facts as they were;
those before it stay done. Which files it takes is decided in facts/compaction.py.
"""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from contracts.clock import NewId
from services.runtime.observability import metrics
from services.runtime.observability.logs import logger, this_service
from services.runtime.observability.metrics import Measure, Metric
from services.transformer.batch.state import Ports, current_state, loaded_mains
from services.transformer.facts.catalog import FactsCatalog
from services.transformer.facts.compaction import RATIO, FileSize, Merge, next_turn, outgrown
from services.transformer.facts.data_files import (
    data_files,
    in_order,
    rows_in,
    sizes_of,
    write_data_files,
)
from services.transformer.facts.tables import FACTS, INDEX, PARTITIONS, Heads
from services.transformer.maintenance.exclusive_writer import (
    ExclusiveWriter,
    GaveWay,
    unasked_epoch,
)

T = TypeVar("T")
IsOver = Callable[[], bool]
"""Whether somebody waits for the facts."""
Look = Callable[[], None]
"""Raises GaveWay when somebody does."""
FILES_AT_ONCE = 8
LOOK_SECONDS = 0.05
"""How often a turn that waits for a store looks whether somebody waits for it."""


@dataclass(frozen=True)
class Crowding:
    """The data files of the facts, and what of them has outgrown its tiers."""

    files: Mapping[str, Sequence[FileSize]]
    waiting: Sequence[Merge]

    def measures(self) -> Iterator[Measure]:
        """Files of a day, of orders or of lines; and the rows that wait to be written again."""
        days = Counter(
            (table, file.partition)
            for table, files in self.files.items()
            if PARTITIONS[table].fields
            for file in files
        )
        counts = sorted(days.values()) or [0]
        yield Metric.FILES_PER_DAY_MAX.of(counts[-1])
        yield Metric.FILES_PER_DAY_P95.of(counts[(len(counts) * 95 - 1) // 100])
        yield Metric.INDEX_FILES.of(len(self.files.get(INDEX, ())))
        yield Metric.WASTED_ROWS.of(sum(merge.rows for merge in self.waiting))


def crowding(facts: FactsCatalog, heads: Heads) -> Crowding:
    """By metadata alone; tables that are not there have no files."""
    files = {
        name: sizes_of(name, data_files(facts.table(name), heads[name]))
        for name in FACTS
        if name in heads
    }
    waiting = [merge for name, sizes in files.items() for merge in outgrown(name, sizes, RATIO)]
    return Crowding(files, waiting)


class BetweenBatches:
    """Turns, until nothing has outgrown its tiers or somebody waits."""

    def __init__(self, ports: Ports, is_over: IsOver, new_id: NewId) -> None:
        self._ports, self._is_over, self._new_id = ports, is_over, new_id
        self._look = looking(is_over)
        self._in_order: Heads | None = None

    def __call__(self) -> None:
        """Look, unless the facts are still those that were in order when it looked last."""
        while not self._is_over() and self._turn():
            pass

    def _turn(self) -> bool:
        """Whether a turn was done, and there may be another."""
        ports = self._ports
        state = current_state(ports)
        if state.in_flight is not None or not state.heads or state.heads == self._in_order:
            return False
        heads = state.standing(loaded_mains(state, ports))
        try:
            found = while_looking(lambda: crowding(ports.facts, heads), self._look)
        except GaveWay:
            return False
        metrics.write(this_service(), found.measures(), {})
        merges = next_turn(found.waiting)
        if not merges:
            self._in_order = state.heads
            return False
        done = False
        with unasked_epoch(f"compaction-{self._new_id()}", ports) as writer:
            if writer is not None and writer.heads == heads:
                done = compact(merges, writer, self._look) > 0
                self._in_order = None if done else writer.heads
        return done


def looking(is_over: IsOver) -> Look:
    """Looks whether somebody waits."""

    def look() -> None:
        if is_over():
            raise GaveWay("somebody waits for the facts")

    return look


def compact(merges: Sequence[Merge], writer: ExclusiveWriter, look: Look) -> int:
    """One turn, published as a batch is but for the tag; raises GaveWay when somebody waits.

    Gives by how many the files became fewer; where rows are so long that a file is full of a few
    it may be none, and another turn would do no better.

    The epoch is raised already, the facts are fenced only when the new files are there: until then
    nothing of a turn that gives way is seen.
    """
    facts, swaps = writer.ports.facts, {}
    for name, of_table in itertools.groupby(
        sorted(merges, key=lambda merge: merge.table), key=lambda merge: merge.table
    ):
        swaps[name] = _rewritten(facts.table(name), writer.heads[name], list(of_table), look)
    look()
    writer.state()
    facts.fence(writer.heads, writer.epoch, writer.request_id)
    properties = {"batch_id": writer.request_id, "epoch": str(writer.epoch)}
    for name, (removed, added) in swaps.items():
        look()
        facts.replace(name, writer.epoch, removed, added, properties)
    look()
    writer.publish("compaction", is_tagged=False)
    rows = sum(merge.rows for merge in merges)
    metrics.write(this_service(), [Metric.ROWS_COMPACTED.of(rows)], {})
    logger.info(
        "small files made one",
        request_id=writer.request_id,
        epoch=writer.epoch,
        files=sum(len(merge.files) for merge in merges),
        partitions=len(merges),
        rows=rows,
    )
    return sum(len(removed) - len(added) for removed, added in swaps.values())


def _rewritten(
    table: Table, head: int, merges: Sequence[Merge], look: Look
) -> tuple[list[DataFile], list[DataFile]]:
    """Files that go and files that come; each merge is read and written by itself."""
    name = table.name()[-1]
    standing = {file.file_path: file for file in data_files(table, head)}
    removed: list[DataFile] = []
    added: list[DataFile] = []
    for merge in merges:
        files = [standing[path] for path in sorted(merge.paths)]
        rows = [
            while_looking(lambda: rows_in(table, some), look)  # noqa: B023 (it is called at once)
            for some in _some_at_once(files)
        ]
        look()
        removed += files
        added += write_data_files(table, in_order(name, pa.concat_tables(rows)))
    return removed, added


def _some_at_once(files: Sequence[DataFile]) -> Iterator[Sequence[DataFile]]:
    yield from (files[at : at + FILES_AT_ONCE] for at in range(0, len(files), FILES_AT_ONCE))


def while_looking(read: Callable[[], T], look: Look) -> T:
    """What is read; a read that is given up for somebody who waits ends by itself, unheard."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(read())
        except BaseException as fault:  # noqa: BLE001 (it is raised where the answer is wanted)
            answer.set_exception(fault)

    threading.Thread(target=run, name="compaction-read", daemon=True).start()
    while True:
        look()
        try:
            return answer.result(LOOK_SECONDS)
        except TimeoutError:
            if answer.done():
                raise
