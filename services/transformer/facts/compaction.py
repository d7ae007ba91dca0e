"""Which small files of the facts are made one, and how much of that at a time: pure decisions.

A file's share says how much of a full one it is. Small files are of three tiers, each eight times
as large as the one below; eight files of a tier have outgrown it and become one file of a higher
tier. So a row is written again at most once for each tier, however many batches come after it, and
a partition has seven small files of each tier at most.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from services.transformer.facts.tables import FILE_BYTES, Partition, file_rows

RATIO = 8
"""So many files of one tier are made one. A larger ratio leaves more files to read (seven a tier),
a smaller one writes each row more often and makes more turns: each is six tables' commits."""
SMALL_SHARE = 1 / 4
"""Files of less than this are small: four of them make one that is full, and not two."""
TIERS = (SMALL_SHARE / RATIO / RATIO, SMALL_SHARE / RATIO, SMALL_SHARE)
"""Below which share a file is of each tier. Those of the lowest (under 390 of 100,000 rows) cost
as much to open as to read, so they may become one of them again."""
TURN_SHARE = 1.0
"""What a turn writes at most: one full file, a quarter of a second."""
TURN_FILES = 64
"""What a turn reads at most, a few at once: from S3 about a second of waiting."""
COMPRESSION = 4
"""By how much rows are smaller in a file than in memory, about. It matters where ids are so long
that a file is full by its bytes."""
BATCH_RATIO = 4 * RATIO
"""So many small files of one tier, and a batch that adds to them makes them one by itself: no turn
was to be had for a long time."""


@dataclass(frozen=True)
class FileSize:
    """What the decisions know of a data file."""

    path: str
    partition: Partition
    rows: int
    size_bytes: int = 0


@dataclass(frozen=True)
class Merge:
    """Files of one partition that become one."""

    table: str
    partition: Partition
    files: tuple[FileSize, ...]

    @property
    def paths(self) -> frozenset[str]:
        """Where they lie."""
        return frozenset(file.path for file in self.files)

    @property
    def rows(self) -> int:
        """How many are written again."""
        return sum(file.rows for file in self.files)

    @property
    def share(self) -> float:
        """How much of a full file is written."""
        return sum(share_of(self.table, file) for file in self.files)


@dataclass
class _Turn:
    merges: list[Merge] = field(default_factory=list)
    share: float = 0.0
    files: int = 0

    def takes(self, merge: Merge) -> bool:
        fits = self.share + merge.share <= TURN_SHARE
        return not self.merges or (fits and self.files + len(merge.files) <= TURN_FILES)

    def add(self, merge: Merge) -> None:
        self.merges.append(merge)
        self.share += merge.share
        self.files += len(merge.files)


def share_of(table: str, file: FileSize) -> float:
    """How much of a full file it is, by its rows or by its bytes in memory."""
    return max(file.rows / file_rows(table), file.size_bytes * COMPRESSION / FILE_BYTES)


def tier_of(share: float) -> int | None:
    """The tier of a file of such a share; None when it is not small."""
    return next((tier for tier, below in enumerate(TIERS) if share < below), None)


def outgrown(table: str, files: Iterable[FileSize], ratio: int) -> list[Merge]:
    """One merge, of any size, for each partition with so many files of one tier.

    With a tier go all that are smaller; and it counts as one more file of the next tier where it
    becomes one.
    """
    by_partition: dict[Partition, list[FileSize]] = defaultdict(list)
    for file in files:
        by_partition[file.partition].append(file)
    each = ((day, _outgrown(table, of_day, ratio)) for day, of_day in by_partition.items())
    return [Merge(table, day, tuple(found)) for day, found in each if found]


def next_turn(waiting: Iterable[Merge]) -> list[Merge]:
    """Of what has outgrown its tiers as much as one turn does, the most crowded partition first."""
    turn = _Turn()
    for merge in sorted(waiting, key=lambda merge: -len(merge.files)):
        cut = _cut(merge)
        if turn.takes(cut):
            turn.add(cut)
    return turn.merges


def _outgrown(table: str, files: Sequence[FileSize], ratio: int) -> list[FileSize]:
    """Smallest first; tiers higher up only as long as all fit into a turn."""
    taken: list[FileSize] = []
    found: list[FileSize] = []
    for tier in range(len(TIERS)):
        of_tier = [file for file in files if tier_of(share_of(table, file)) == tier]
        carried = sum(share_of(table, file) for file in found)
        is_carried = bool(found) and tier_of(carried) == tier
        taken += sorted(of_tier, key=lambda file: (file.rows, file.path))
        if len(of_tier) + is_carried >= ratio and (not found or len(taken) <= TURN_FILES):
            found = list(taken)
    return found


def _cut(merge: Merge) -> Merge:
    """Its smallest files, as far as a turn goes; two at least."""
    share, kept = 0.0, 0
    for file in merge.files[:TURN_FILES]:
        share += share_of(merge.table, file)
        if share > TURN_SHARE and kept >= 2:
            break
        kept += 1
    return Merge(merge.table, merge.partition, merge.files[:kept])
