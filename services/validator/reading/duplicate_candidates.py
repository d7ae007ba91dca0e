"""Which keys may stand in a file more than once, found by 64-bit hashes collected while it is read.

A hash that came once proves that its key did; one that came twice only makes its rows candidates,
which `duplicates.py` compares as they are. Memory is bounded: many hashes go to temporary files.
"""

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

HELD_HASHES = 4 << 20
MAX_CANDIDATES = 2 << 20
"""Beyond this many, every row is a candidate."""

_PARTS = 256
_WORD = 8
_MASKS = np.array([(1 << 8 * n) - 1 for n in range(_WORD)] + [2**64 - 1], np.uint64)
_FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_HALF = np.uint64(32)
_NONE = np.empty(0, np.uint64)


def hashes_of(columns: Sequence[Any], seed: int) -> Any:
    """A 64-bit hash of each row of string arrays without nulls; nobody can aim who has no seed."""
    found = np.full(len(columns[0]), seed, np.uint64)
    for texts in columns:
        found = _mixed_in(found, texts)
    return found


def _mixed_in(hashes: Any, texts: Any) -> Any:
    _, offsets, characters = texts.buffers()
    edges = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    lengths = np.diff(edges)
    held = np.zeros(int(edges[-1] - edges[0]) + _WORD, np.uint8)
    if characters is not None:
        held[:-_WORD] = np.frombuffer(characters, np.uint8)[edges[0] : edges[-1]]
    words = np.ndarray((len(held) - _WORD + 1,), "<u8", held, strides=(1,))
    starts = edges[:-1] - edges[0]
    hashes = hashes ^ lengths.astype(np.uint64) * _FIRST
    for at in range(0, int(lengths.max(initial=0)), _WORD):
        rows = np.flatnonzero(lengths > at)
        every = len(rows) == len(lengths)
        left = np.minimum((lengths if every else lengths[rows]) - at, _WORD)
        word = words[(starts if every else starts[rows]) + at] & _MASKS[left]
        if every:
            hashes = _mixed(hashes ^ word)
        else:
            hashes[rows] = _mixed(hashes[rows] ^ word)
    return hashes


def _mixed(hashes: Any) -> Any:
    hashes = hashes * _FIRST
    hashes ^= hashes >> _HALF
    hashes *= _SECOND
    hashes ^= hashes >> _HALF
    return hashes


class KeyHashes:
    """The hashes of a file's keys, block by block; leaving it as a context manager tidies up."""

    def __init__(self, held_hashes: int = HELD_HASHES) -> None:
        self.seed = secrets.randbits(64)
        self._held: list[Any] = []
        self._held_count, self._held_hashes = 0, held_hashes
        self._repeated: list[Any] = []
        self._folder: TemporaryDirectory[str] | None = None

    def __enter__(self) -> "KeyHashes":
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder:
            self._folder.cleanup()

    def add(self, hashes: Any) -> None:
        """The hashes of one block."""
        distinct, repeated = _split(hashes)
        self._repeat(repeated)
        self._held.append(distinct)
        self._held_count += len(distinct)
        if self._held_count > self._held_hashes:
            self._spill()

    def candidates(self) -> "Candidates":
        """The hashes that came more than once."""
        for hashes in self._parts():
            _, repeated = _split(hashes)
            self._repeat(repeated)
        found = _distinct(np.sort(np.concatenate([_NONE, *self._repeated])))
        return Candidates(found, len(found) > MAX_CANDIDATES)

    def _repeat(self, repeated: Any) -> None:
        if not len(repeated):
            return
        self._repeated.append(repeated)
        if sum(map(len, self._repeated)) > MAX_CANDIDATES:
            repeated = _distinct(np.sort(np.concatenate(self._repeated)))
            self._repeated = [repeated[: MAX_CANDIDATES + 1]]

    def _parts(self) -> Iterator[Any]:
        if self._folder is None:
            yield np.concatenate([_NONE, *self._held])
            return
        self._spill()
        for path in Path(self._folder.name).iterdir():
            yield np.fromfile(path, np.uint64)

    def _spill(self) -> None:
        """To a file for each range of hashes: equal ones meet in the same file."""
        self._folder = self._folder or TemporaryDirectory(prefix="keys-")
        hashes = np.sort(np.concatenate([_NONE, *self._held]))
        self._held, self._held_count = [], 0
        edges = np.searchsorted(hashes >> np.uint64(56), np.arange(_PARTS + 1))
        for part in range(_PARTS):
            if edges[part] < edges[part + 1]:
                with Path(self._folder.name, f"{part:02x}").open("ab") as file:
                    hashes[edges[part] : edges[part + 1]].tofile(file)


def _split(hashes: Any) -> tuple[Any, Any]:
    """The distinct hashes, and those of them that came more than once."""
    ordered = np.sort(hashes)
    is_again = _are_again(ordered)
    return ordered[~is_again], _distinct(ordered[is_again])


def _distinct(ordered: Any) -> Any:
    return ordered[~_are_again(ordered)]


def _are_again(ordered: Any) -> Any:
    """True for each hash that is also the one before it."""
    is_again = np.zeros(len(ordered), bool)
    is_again[1:] = ordered[1:] == ordered[:-1]
    return is_again


class Candidates:
    """Hashes in order, or all that there are."""

    def __init__(self, hashes: Any, are_all: bool) -> None:
        self._hashes, self._are_all = hashes, are_all

    def __bool__(self) -> bool:
        return self._are_all or len(self._hashes) > 0

    def holds(self, hashes: Any) -> Any:
        """True for each hash that is one of them."""
        if self._are_all:
            return np.ones(len(hashes), bool)
        at = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        return self._hashes[at] == hashes
