"""Each role may make every call that it makes, and has no right that no call needs."""

import ast
from functools import cache
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from tests.contract.declared import PROJECT
from tests.security.calls import CALLS as CALLS_OF_SERVICES
from tests.security.calls import Call
from tests.security.deployment_calls import DEPLOYMENT_CALLS
from tests.security.people_calls import PEOPLE_CALLS
from tests.security.policies import applies, listed, roles

CALLS = (*CALLS_OF_SERVICES, *DEPLOYMENT_CALLS, *PEOPLE_CALLS)
CLIENTS = (
    "dynamodb",
    "emr-serverless",
    "events",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "stepfunctions",
)
RECEIVERS = {"_dynamodb", "_emr", "_s3", "s3", "client", "_client", "sqs", "_sqs", "bus"}
"""What a boto3 client is called where one is called."""


@pytest.mark.parametrize("call", CALLS_OF_SERVICES, ids=str)
def test_a_call_that_is_made_is_allowed(call: Call) -> None:
    assert roles()[call.role].may(call.target.request(call.action)), (
        f"{call.where} needs {call.action} on {call.target.resource}"
    )


def test_every_call_of_a_deployment_is_allowed() -> None:
    refused = [
        f"{call.where}: {call.role} needs {call.action} on {call.target.resource}"
        for call in DEPLOYMENT_CALLS
        if not roles()[call.role].may(call.target.request(call.action))
    ]
    assert refused == []


def test_every_role_of_the_templates_is_looked_at() -> None:
    assert {call.role for call in CALLS} == set(roles())


def test_no_right_is_given_that_no_call_needs() -> None:
    unused = [
        f"{name}: {action} on {resource}"
        for name, role in roles().items()
        for statement in role.statements
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
        if not any(
            call.role == name
            and call.action == action
            and applies({**statement, "Resource": resource}, call.target.request(action))
            for call in CALLS
        )
    ]
    assert not unused, "\n".join(unused)


def test_no_action_is_given_by_a_wildcard() -> None:
    given = {
        (name, action)
        for name, role in roles().items()
        for statement in role.statements
        for action in listed(statement["Action"])
    }
    assert [one for one in sorted(given) if "*" in one[1] or "?" in one[1]] == []


@cache
def operations() -> frozenset[str]:
    """The names of all operations of the clients that the code makes, as boto3 spells them."""
    session = botocore.session.get_session()
    return frozenset(
        xform_name(name)
        for client in CLIENTS
        for name in session.get_service_model(client).operation_names
    ) | {"copy"}


def operations_in(path: Path) -> set[str]:
    """Operations called on a client, or named as the first argument of a helper that calls one."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Attribute):
            on = node.func.value
            receiver = on.attr if isinstance(on, ast.Attribute) else getattr(on, "id", "")
            if receiver in RECEIVERS:
                found.add(node.func.attr)
        if node.args and isinstance(node.args[0], ast.Constant):
            found.add(str(node.args[0].value))
    return found & operations()


def test_the_list_of_calls_is_that_of_the_code() -> None:
    """A new call in the code fails here until it is listed, and then until it is allowed."""
    sources = [*PROJECT.glob("contracts/**/*.py"), *PROJECT.glob("services/**/*.py")]
    in_code = {
        (str(path.relative_to(PROJECT)), operation)
        for path in sources
        for operation in operations_in(path)
    }
    listed_here = {(call.where, call.operation) for call in CALLS_OF_SERVICES if call.operation}
    assert in_code == listed_here
