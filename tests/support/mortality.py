"""A process that dies at a chosen call to a store: what had happened stays, the rest never does."""

import threading
from collections.abc import Callable
from itertools import count
from typing import Any, TypeVar

from tests.support.local_catalog import LocalCatalog

T = TypeVar("T")


class ProcessDied(Exception):
    """The test's own fault: a store call that was never made, or whose answer was lost."""


class Process:
    """Counts calls that change a store. It dies before the `dies_before`th, for good.

    At the `loses_answer_of`th the call takes effect, only its answer is lost, and life goes on.
    """

    def __init__(self, dies_before: int = 0, loses_answer_of: int = 0) -> None:
        self.calls = 0
        self._dies_before, self._loses_answer_of = dies_before, loses_answer_of
        self._lock = threading.Lock()

    def call(self, effect: Callable[[], T]) -> T:
        """Make the call, one at a time, as far as fate allows."""
        with self._lock:
            self.calls += 1
            if self._dies_before and self.calls >= self._dies_before:
                raise ProcessDied(f"before call {self._dies_before}")
            answer = effect()
            if self.calls == self._loses_answer_of:
                raise ProcessDied(f"the answer of call {self.calls} was lost")
            return answer


class MortalStore:
    """An event store whose appends are calls of a process."""

    def __init__(self, store: Any, process: Process) -> None:
        self._store, self._process = store, process

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def append(self, *appends: Any, **rest: Any) -> Any:
        """One call."""
        return self._process.call(lambda: self._store.append(*appends, **rest))


class MortalObjects:
    """An object store whose writes are calls of a process."""

    def __init__(self, objects: Any, process: Process) -> None:
        self._objects, self._process = objects, process

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

    def put_json(self, bucket: str, key: str, document: Any) -> Any:
        """One call."""
        return self._process.call(lambda: self._objects.put_json(bucket, key, document))


class StutteringCatalog(LocalCatalog):
    """The same tables as another catalog's; one commit is carried out and then asked for again.

    As a client does whose answer was lost on the way: what it hears is that it came too late.
    """

    def __init__(self, catalog: LocalCatalog, repeats: int) -> None:
        self.__dict__ = catalog.__dict__ | {"_numbers": count(1), "_repeats": repeats}

    def commit_table(self, table: Any, requirements: Any, updates: Any) -> Any:
        """Commits are counted from 1."""
        if next(self._numbers) == self._repeats:
            super().commit_table(table, requirements, updates)
        return super().commit_table(table, requirements, updates)


class MortalCatalog(LocalCatalog):
    """The same tables as another catalog's; fence, write and move are calls, table by table."""

    def __init__(self, catalog: LocalCatalog, process: Process) -> None:
        self.__dict__ = catalog.__dict__ | {"_process": process}

    def commit_table(self, table: Any, requirements: Any, updates: Any) -> Any:
        """One call."""
        commit = super().commit_table
        return self._process.call(lambda: commit(table, requirements, updates))
