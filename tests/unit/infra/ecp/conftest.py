"""Whatever a command asks AWS for in these tests, the person who may give it may ask for."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from botocore.client import BaseClient
from typer.testing import CliRunner

from infra.ecp.kpis import queries
from tests.security.people_calls import role_of_command
from tests.security.policies import roles
from tests.security.recorded import requests_of


@pytest.fixture
def few_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file holds a day before 2024; or each question asks moto for 20,000 days."""
    monkeypatch.setattr(queries, "FIRST_DAY", date(2024, 1, 1))


@pytest.fixture(autouse=True)
def asked_in_a_role(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test whose command asks for more than its role has (infra/stacks/people.yaml)."""
    giving: list[str] = []
    refused: set[str] = set()
    invoke, call = CliRunner.invoke, BaseClient._make_api_call

    def invoked(runner: CliRunner, app: Any, args: Any = None, **options: Any) -> Any:
        words = [str(one) for one in args or () if not str(one).startswith("-")]
        giving.append(_role_of(words))
        try:
            return invoke(runner, app, args, **options)
        finally:
            giving.pop()

    def called(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        if giving and giving[-1]:
            service = client.meta.service_model.service_name
            for request in requests_of(service, operation, parameters):
                if not roles()[giving[-1]].may(request):
                    refused.add(f"{giving[-1]}: {request.action} on {request.resource}")
        return call(client, operation, parameters)

    monkeypatch.setattr(CliRunner, "invoke", invoked)
    monkeypatch.setattr(BaseClient, "_make_api_call", called)
    yield
    assert sorted(refused) == []


def _role_of(words: list[str]) -> str:
    """None of a command that is of no role, or no command at all."""
    try:
        return role_of_command(tuple(words)) or ""
    except KeyError:
        return ""
