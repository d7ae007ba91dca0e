"""A pytest plugin that tries every mutant in a process of its own, forked after the collection.

Started in mutmut's folder of mutants. A run of pytest for each mutant would cost half a second
before the first test; a fork of one that has collected everything costs hundredths. First one child
runs all tests and notes which functions each reaches; then each mutant meets the tests that reach
it, until one fails: first those that killed another mutant of its function, then the quickest.
"""

import gc
import json
import mmap
import os
import pickle
import resource
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase, settings
from mutmut import configuration
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state

from tests.mutation.results import drawn, write_whole

ALIVE, KILLED, UNREACHED = 0, 1, 33
_terminal = os.fdopen(os.dup(2), "w")
"""As it was before pytest captured it."""
LONGEST_SECONDS = 120
"""And ten times its CPU seconds, however loaded the machine is: who only waits is found out."""

EXAMPLES = 30
"""Of each property test, also of those that ask for more."""

settings.register_profile(
    "mutation",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=EXAMPLES,
    phases=[Phase.explicit, Phase.generate],  # a fault found is enough: it need not be shrunk
)
configuration._config_reader = lambda: {"source_paths": ["contracts", "services"]}.get  # type: ignore[assignment,return-value]

Reached = dict[str, list[int]]
"""Numbers of the tests that reach a function, the quickest first."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """How many processes at once, and how many mutants at most."""
    parser.addoption("--processes", type=int, default=2)
    parser.addoption("--sample", type=int)


def pytest_sessionstart() -> None:
    """After the project's own profile was loaded, before the tests are imported."""
    settings.load_profile("mutation")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    """In place of running the tests once."""
    if session.testsfailed:
        raise session.Interrupted("the tests cannot be collected")
    _ask_for_few_examples(session.items)
    gc.freeze()
    reached, seconds = _learn(session.items)
    hunt = _Hunt(session.items, reached, seconds, session.config.getoption("--processes"))
    hunt.run(session.config.getoption("--sample"))
    return True


def _ask_for_few_examples(items: Sequence[pytest.Item]) -> None:
    for test in {item.function for item in items if isinstance(item, pytest.Function)}:
        asked: settings | None = getattr(test, "_hypothesis_internal_use_settings", None)
        if asked and asked.max_examples > EXAMPLES:
            test._hypothesis_internal_use_settings = settings(asked, max_examples=EXAMPLES)


def _learn(items: Sequence[pytest.Item]) -> tuple[Reached, list[float]]:
    """Which tests reach which function, and the CPU seconds of each test, from a run in a child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _and_end(lambda: _note(items, writing))
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        content = pipe.read()
    os.waitpid(child, 0)
    if not content:
        raise pytest.UsageError("the tests do not pass on the unchanged code")
    functions, seconds = pickle.loads(content)  # noqa: S301 (of our own child)
    reached: Reached = defaultdict(list)
    for number in sorted(range(len(items)), key=seconds.__getitem__):
        for function in functions[number]:
            reached[function].append(number)
    return reached, seconds


def _note(items: Sequence[pytest.Item], pipe: int) -> int:
    set_mutant_under_test("stats")
    functions, seconds = [], []
    for number, item in enumerate(items):
        began_at = time.process_time()
        if not _passes(item, items[number + 1] if number + 1 < len(items) else None):
            _say(f"fails on the unchanged code: {item.nodeid}")
            return KILLED
        seconds.append(time.process_time() - began_at)
        functions.append(set(state()._stats))
        state()._stats.clear()
    with os.fdopen(pipe, "wb") as out:
        pickle.dump((functions, seconds), out)
    return ALIVE


def _passes(item: pytest.Item, following: pytest.Item | None) -> bool:
    reports = runtestprotocol(item, log=False, nextitem=following)
    return not any(report.failed for report in reports)


def _and_end(work: Callable[[], int]) -> None:
    """Do it and end the process with its answer, whatever happens."""
    code = KILLED
    try:
        code = work()
    finally:
        os._exit(code)


def _function_of(name: str) -> str:
    return name.partition("__mutmut_")[0]


def _say(line: str) -> None:
    print(line, file=_terminal, flush=True)


class _Hunt:
    """All mutants, a few at a time; how each ended goes into mutmut's `.meta` files."""

    def __init__(
        self, items: Sequence[pytest.Item], reached: Reached, seconds: list[float], processes: int
    ) -> None:
        self._items, self._reached, self._seconds = items, reached, seconds
        self._processes = processes
        self._metas = {meta: json.loads(meta.read_text()) for meta in Path().rglob("*.meta")}
        self._running: dict[int, tuple[Path, str, int]] = {}
        self._free = list(range(processes))
        self._killers = memoryview(mmap.mmap(-1, 8 * processes)).cast("q")
        self._killed_before: dict[str, list[int]] = defaultdict(list)
        self._told_at, self._ended = time.monotonic(), 0

    def run(self, sample: int | None) -> None:
        """Try those of which it is not known yet how they end.

        The cheap ones first, but those of a sample as they were drawn: what was tried when it is
        stopped is a sample, too.
        """
        codes = {
            (meta, name): code
            for meta, document in self._metas.items()
            for name, code in document["exit_code_by_key"].items()
        }
        untried = [one for one in drawn(codes, sample) if codes[one] is None]
        if sample is None:
            untried.sort(key=lambda one: sum(self._seconds[n] for n in self._tests_of(one[1])))
        _say(f"{len(untried)} mutants to try, {len(self._items)} tests")
        for meta, name in untried:
            tests = self._tests_of(name)
            if not tests:
                self._end(meta, name, UNREACHED)
                continue
            if not self._free:
                self._await_one()
            place = self._free.pop()
            self._running[self._start(name, tests, place)] = (meta, name, place)
            self._tell(len(untried))
        while self._running:
            self._await_one()

    def _tests_of(self, name: str) -> list[int]:
        function = _function_of(name)
        reached, killed_before = self._reached.get(function, []), self._killed_before[function]
        return killed_before + [test for test in reached if test not in killed_before]

    def _start(self, name: str, tests: list[int], place: int) -> int:
        child = os.fork()
        if child == 0:
            cpu_seconds = int(5 + 3 * sum(self._seconds[number] for number in tests))
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
            signal.alarm(LONGEST_SECONDS + 10 * cpu_seconds)
            set_mutant_under_test(name)
            _and_end(lambda: self._try(tests, place))
        return child

    def _try(self, tests: Sequence[int], place: int) -> int:
        for number, following in zip(tests, [*tests[1:], None], strict=True):
            self._killers[place] = number
            if not _passes(
                self._items[number], None if following is None else self._items[following]
            ):
                return KILLED
        return ALIVE

    def _await_one(self) -> None:
        child, status = os.wait()
        meta, name, place = self._running.pop(child)
        self._free.append(place)
        code, killer = os.waitstatus_to_exitcode(status), self._killers[place]
        if code == KILLED:
            killed_before = self._killed_before[_function_of(name)]
            if killer in killed_before:
                killed_before.remove(killer)
            killed_before.insert(0, killer)
        self._end(meta, name, code)

    def _end(self, meta: Path, name: str, code: int) -> None:
        self._ended += 1
        self._metas[meta]["exit_code_by_key"][name] = code
        write_whole(meta, self._metas[meta])

    def _tell(self, of: int) -> None:
        if time.monotonic() - self._told_at > 10:
            self._told_at = time.monotonic()
            codes: list[Any] = [
                code
                for document in self._metas.values()
                for code in document["exit_code_by_key"].values()
            ]
            alive = codes.count(ALIVE) + codes.count(UNREACHED)
            _say(f"{self._ended} of {of} tried, {alive} alive")
