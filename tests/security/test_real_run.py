"""The calls of a real run on the local cloud: a good batch, bad rows, a rejected file, a rebuild.

Each call is recorded where botocore makes it, and the evaluator asked: it evaluates what MiniStack,
which enforces the same rights, leaves out.
"""

from http import HTTPStatus
from pathlib import Path
from urllib.request import urlopen

import pytest

from infra.local import cloud as local_cloud
from tests.contract.declared import PROJECT
from tests.security.calls import (
    AGGREGATOR,
    API,
    API_OPERATIONS,
    API_VIEWS,
    ARCHIVER,
    CALLS,
    GUARD,
    LOCK,
    RELAY,
    TRANSFORMER,
    VALIDATOR,
)
from tests.security.policies import Request, roles
from tests.security.recorded import recorded_requests
from tests.support.deployed_code import code_path
from tests.support.ecp import ecp
from tests.support.pipeline import Pipeline
from tests.support.shop import (
    a_product,
    an_item,
    an_order,
    items_csv,
    orders_csv,
    products_csv,
)

pytestmark = [pytest.mark.integration, pytest.mark.thorough]
RECORDER = PROJECT / "tests/security/recorder"


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Request]]:
    """Who asked for what while three batches and a rebuild went through a cloud of their own."""
    directory = tmp_path_factory.mktemp("recorded")
    calls_file = directory / "calls"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", code_path(RECORDER))
        environment.setenv("RECORDED_CALLS", str(calls_file))
        running = local_cloud.up(directory, port=0, settings={"SETTLE_SECONDS": "2"})
        try:
            _use(Pipeline(running.environment()), directory)
        finally:
            local_cloud.down(directory)
    return list(recorded_requests(calls_file))


def _use(pipeline: Pipeline, directory: Path) -> None:
    items, products = items_csv(an_item()), products_csv(a_product())
    good = [an_order(str(number)) for number in range(1, 11)]
    for name, orders, status in (
        ("good", orders_csv(*good, an_order("11", order_date="2025-02-30")), "COMPLETED"),
        ("rejected", "no header\n1\n", "REJECTED"),
    ):
        files = {f"orders/{name}.csv": orders, f"order_items/{name}.csv": items}
        pipeline.upload_set(name, {**files, f"products/{name}.csv": products})
        assert pipeline.batch_of(f"orders/{name}.csv")["status"] == status
    rebuilt = ecp("rebuild", directory=directory, environment=pipeline.environment)
    assert rebuilt.exit_code == 0, rebuilt.err
    api = ecp("api", "url", directory=directory, environment=pipeline.environment).out.strip()
    days = "from=2025-07-01&to=2025-07-31"
    for asked_for in (
        *(f"kpis/orders?{days}", f"kpis/categories?{days}", "freshness", "batches", "ignored"),
        "console/operations",
        "console/operations/dead-letters/lock-commands-dlq",
        *("health", f"batches/{pipeline.batch_of('orders/good.csv')['batch_id']}"),
    ):
        with urlopen(f"{api}/{asked_for}") as answer:  # noqa: S310
            assert answer.status == HTTPStatus.OK


def test_every_call_of_a_real_run_is_allowed(asked: list[tuple[str, Request]]) -> None:
    refused = {
        f"{name}: {request.action} on {request.resource} {dict(request.context)}"
        for name, request in asked
        if not roles()[name].may(request)
    }
    assert not refused, "\n".join(sorted(refused))


def test_every_call_of_a_real_run_is_in_the_list(asked: list[tuple[str, Request]]) -> None:
    listed = {(call.role, call.action) for call in CALLS}
    assert {(name, request.action) for name, request in asked} - listed == set()


def test_every_service_was_heard(asked: list[tuple[str, Request]]) -> None:
    heard = {name for name, _ in asked}
    assert heard == {
        *(AGGREGATOR, API, API_OPERATIONS, API_VIEWS, ARCHIVER, LOCK, RELAY),
        *(GUARD, TRANSFORMER, VALIDATOR),
    }
    assert len({(name, request.action) for name, request in asked}) > 40
