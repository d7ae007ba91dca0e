"""How long the API takes for a month of KPIs on a local cloud, and how heavy its pages are."""

import random
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import urllib3

from infra.local import cloud as local_cloud
from infra.local.cloud import RunningCloud
from tests.performance.bus_ear import percentile
from tests.performance.figures import Figure, keep, within
from tests.support.ecp import ecp
from tests.support.pipeline import Pipeline
from tests.unit.api.kpi_items import Order, published

pytestmark = [pytest.mark.performance, pytest.mark.timeout(1800)]
FIRST, DAYS, CATEGORIES = date(2024, 8, 1), 365, 20
QUESTIONS, LOOKS = 400, 100
PROMISED_SECONDS, PROMISED_MB = 0.05, 0.3
YEAR = "from=2024-08-01&to=2025-07-31"
MONTH = "from=2025-07-01&to=2025-07-31"
LETTERS = "console/operations/dead-letters"
ASKED = (
    ("a month of orders", f"kpis/orders?{MONTH}", True),
    ("a month of all 20 categories", f"kpis/categories?{MONTH}", True),
    ("a year by month, compared", f"kpis/orders?{YEAR}&by=month&compare=previous", False),
)
OPERATIONS = (
    ("the page of operations", "console/operations"),
    ("the page of a queue's dead letters", f"{LETTERS}/validator-commands-dlq"),
)
PAGES = (
    *("console", "console/orders", f"console/orders?{MONTH}&compare=last_year"),
    *(f"console/categories?{YEAR}", "console/freshness", "console/batches"),
)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningCloud]:
    yield local_cloud.up(tmp_path, port=0, settings={"TRANSFORM_ENGINE": "duckdb"})
    local_cloud.down(tmp_path, keep=False)


def a_year(pipeline: Pipeline) -> None:
    """KPIs of a year, as the transformer publishes them, with names that are long and not ASCII."""
    chance = random.Random(11)
    names = [
        f"Category \u00e4\u20ac {n} " + "x" * chance.randint(0, 200) for n in range(CATEGORIES)
    ]
    orders = [
        Order(FIRST + timedelta(days=n), f"u{n}", n % 9 == 0, ((name, chance.randint(1, 10**6)),))
        for n in range(DAYS)
        for name in names
    ]
    order_items, category_items = published(orders)
    for table, found in (("OrderKPIs", order_items.values()), ("CategoryKPIs", category_items)):
        with pipeline.table(table).batch_writer() as writer:
            for item in found:
                writer.put_item(item)


def seconds_of(
    pool: urllib3.PoolManager, url: str, questions: int = QUESTIONS, **headers: str
) -> tuple[list[float], bytes]:
    """Of each of many questions, and the last answer; the first ones warm the function up."""
    found = []
    for n in range(questions + 20):
        started = time.perf_counter()
        answer = pool.request("GET", url, headers=headers, timeout=30)
        if n >= 20:
            found.append(time.perf_counter() - started)
        assert answer.status in (200, 304), answer.data
    return found, answer.data


def test_how_long_a_month_takes_and_how_heavy_pages_are(
    running: RunningCloud, tmp_path: Path
) -> None:
    environment = running.environment()
    a_year(Pipeline(environment))
    api = ecp("api", "url", directory=tmp_path, environment=environment).out.strip()
    pool = urllib3.PoolManager()
    floor, _ = seconds_of(pool, f"{api}/health")
    figures = []
    for what, path, is_promised in ASKED:
        seconds, _ = seconds_of(pool, f"{api}/{path}")
        figures += _figures(what, seconds, floor, is_promised=is_promised)
    etag = pool.request("GET", f"{api}/kpis/orders?{MONTH}").headers["ETag"]
    seconds, body = seconds_of(pool, f"{api}/kpis/orders?{MONTH}", **{"If-None-Match": etag})
    assert body == b""
    figures += _figures("the same month, which who asks has (304)", seconds, floor)
    for what, path in OPERATIONS:
        seconds, _ = seconds_of(pool, f"{api}/{path}", LOOKS)
        figures += _figures(what, seconds, floor)
    for path in PAGES:
        answer = pool.request("GET", f"{api}/{path}", timeout=30)
        assert answer.status == 200
        figures.append(within(f"page /{path}", len(answer.data) / 1e6, PROMISED_MB, "MB"))
    keep("api", figures, questions=QUESTIONS, days=DAYS, categories=CATEGORIES)


def _figures(
    what: str, seconds: list[float], floor: list[float], *, is_promised: bool = False
) -> list[Figure]:
    """Its 99th percentile beside the API answering that it is well, and beside the promise."""
    ours, least = percentile(seconds, 99), percentile(floor, 99)
    ratio = round(ours / least, 3)
    found = [Figure(f"{what}, p99", round(ours, 4), "GET /health, p99", round(least, 4), ratio)]
    return [*found, within(f"{what}, p99", ours, PROMISED_SECONDS, "s")] if is_promised else found
