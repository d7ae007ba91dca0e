"""What an artifact holds is worked out for several stacks at once."""

import gc
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from infra.deployer import closure
from infra.environments import PROJECT

ENTRY_POINTS = ("services.lock.handler", "services.relay.handler", "services.aggregator.handler")


@pytest.fixture
def threads_that_give_way() -> Iterator[None]:
    """Each collection of garbage, and there are many, lets another thread go on."""

    def give_way(*_: object) -> None:
        time.sleep(0)

    before = gc.get_threshold()
    gc.callbacks.append(give_way)
    gc.set_threshold(50)
    yield
    gc.set_threshold(*before)
    gc.callbacks.remove(give_way)


@pytest.mark.medium
@pytest.mark.usefixtures("threads_that_give_way")
def test_closures_are_worked_out_side_by_side() -> None:
    closure._imports_once.cache_clear()
    with ThreadPoolExecutor(len(ENTRY_POINTS)) as pool:
        found = [pool.submit(closure.import_closure, [one], PROJECT) for one in ENTRY_POINTS]
    alone = [closure.import_closure([one], PROJECT) for one in ENTRY_POINTS]
    assert [each.result() for each in found] == alone
