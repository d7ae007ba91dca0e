"""The catalog that a worker starts with, asked by several threads before anybody else did."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.errorfactory import BaseClientExceptions, ClientExceptionsFactory
from pyiceberg.exceptions import NoSuchTableError

from infra.environments import LOCAL_REGION
from services.transformer.adapters import glue_catalog
from services.transformer.facts.tables import TABLES
from tests.support.moto_account import moto_account
from tests.support.transformer_cloud import settings_on


@pytest.fixture
def slow_error_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads give way while the classes of a client's errors are made and when one is chosen."""
    for where, name in (
        (ClientExceptionsFactory, "_create_client_exceptions"),
        (BaseClientExceptions, "from_code"),
    ):
        monkeypatch.setattr(where, name, _after_a_while(getattr(where, name)))


def _after_a_while(function: Any) -> Any:
    def slowly(*given: Any) -> Any:
        made = function(*given)
        time.sleep(0.2)
        return made

    return slowly


@moto_account()
@pytest.mark.usefixtures("slow_error_classes")
def test_three_threads_that_find_no_table_are_each_told_so() -> None:
    boto3.client("glue", region_name=LOCAL_REGION).create_database(DatabaseInput={"Name": "facts"})
    catalog = glue_catalog(settings_on("facts"))
    with ThreadPoolExecutor(len(TABLES)) as threads:
        asked = [threads.submit(catalog.load_table, f"facts.{name}") for name in TABLES]
    assert [type(one.exception()) for one in asked] == [NoSuchTableError] * len(TABLES)
