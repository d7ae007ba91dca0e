"""docs/bi.md: its blocks run on published tables, and give what stands under them."""

import re

import pytest

from infra.environments import PROJECT
from services.transformer.engines.port import EngineName
from services.transformer.engines.spark_session import new_session
from services.transformer.facts.tables import SCHEMAS, TABLES
from tests.support.transformer_cloud import make_stores, settings_on, workbench_on
from tests.support.transforming import Workbench, a_batch, line, order, product
from tests.unit.api.client.page import blocks, run

pytestmark = pytest.mark.medium

PAGE = (PROJECT / "docs/bi.md").read_text()
DATABASE = "ecommerce"
SQL = re.compile(r"```sql\n(.*?)```\n\n```text\n(.*?)```\n", re.DOTALL)
SHOP = a_batch(
    [
        order("1", "2025-07-01", user_id="u1", total_amount="20.00"),
        order("2", "2025-07-01", user_id="u2", total_amount="5.50", status="returned"),
        order("3", "2025-07-02", user_id="u1", total_amount="8.00"),
    ],
    [line("1", "b", 2), line("2", "g", 1, "5.50"), line("3", "b", 1, "8.00")],
    [product("b", "Books"), product("g", "Games")],
)


@pytest.fixture(scope="module")
def published(cloud: str) -> Workbench:
    make_stores(DATABASE)
    engine: EngineName = "duckdb"
    bench = workbench_on(cloud, DATABASE, engine)
    bench.transform(SHOP)
    return bench


@pytest.mark.usefixtures("published")
def test_each_block_of_python_gives_what_stands_under_it() -> None:
    names: dict[str, object] = {}
    compared = 0
    for block in blocks(PAGE):
        assert run(block.code, names) == (block.shown or ""), block.code
        compared += block.shown is not None
    assert compared == 3


@pytest.mark.spark
@pytest.mark.timeout(1800)
def test_each_query_of_spark_gives_what_stands_under_it(published: Workbench, cloud: str) -> None:
    assert published
    spark = new_session(settings_on(DATABASE, aws_endpoint_url=cloud))
    found = SQL.findall(PAGE)
    for sql, shown in found:
        rows = [str(tuple(row)) for row in spark.sql(sql).collect()]
        assert rows == shown.splitlines(), sql
    assert len(found) == 2


def test_glue_says_of_each_table_what_athena_asks_for(published: Workbench) -> None:
    """That it is Iceberg, where its metadata is, and which columns it has."""
    glue = published.ports.facts._catalog.glue  # type: ignore[attr-defined]
    for name in TABLES:
        table = glue.get_table(DatabaseName=DATABASE, Name=name)["Table"]
        assert table["Parameters"]["table_type"] == "ICEBERG"
        assert table["Parameters"]["metadata_location"].endswith(".metadata.json")
        columns = {
            column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]
        }
        assert list(columns) == SCHEMAS[name].column_names
    assert columns["daily_revenue"] == "decimal(38,2)"
