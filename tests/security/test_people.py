"""Roles for people: what a reader, a corrector and an operator may, and what none of them may."""

import re

import pytest
import typer

from infra.ecp.main import app
from tests.contract.declared import PROJECT
from tests.security.account import ACCOUNT
from tests.security.people_calls import (
    COMMANDS,
    CORRECTOR,
    PEOPLE,
    PEOPLE_CALLS,
    READER,
    api,
    role_of_command,
)
from tests.security.policies import roles
from tests.security.targets import (
    ARTIFACTS,
    DATA,
    FACTS_FILE,
    PSEUDONYM_KEY,
    QUARANTINED_ROWS,
    ROTATION_KEY,
    Target,
    inputs,
    queue,
    role,
    service,
    stored,
    stream,
    table,
    task,
)
from tests.unit.infra.ecp.test_cli_commands import names_of

DOCUMENT = PROJECT / "docs/security.md"
NOBODY = [
    *(("dynamodb:PutItem", table(name)) for name in ("OrderKPIs", "TransformerState")),
    *(("dynamodb:DeleteItem", stream("batch/1")), ("dynamodb:PutItem", stream("batch/1"))),
    *((action, FACTS_FILE) for action in ("s3:PutObject", "s3:DeleteObject")),
    ("s3:DeleteObject", stored(DATA, f"processing/{'0' * 16}/result.json")),
    *(("secretsmanager:GetSecretValue", secret) for secret in (PSEUDONYM_KEY, ROTATION_KEY)),
    ("s3:GetObject", stored(ARTIFACTS, "lock/77aa.zip")),
    ("ecs:RunTask", task("transformation-task")),
    ("ecs:UpdateService", Target(f"{service('validator').resource}-of-another", "another service")),
    ("iam:PassRole", role("transformer-TaskRole")),
    ("iam:PassRole", role("transformer-TaskRole", given_to="lambda.amazonaws.com")),
    ("sqs:SendMessage", Target(f"arn:aws:sqs:us-east-1:{ACCOUNT}:somebody-else", "another queue")),
    ("sqs:ReceiveMessage", queue("transformer-commands")),
]
REFUSED = [
    *((name, *each) for name in PEOPLE for each in NOBODY),
    *((READER, "s3:GetObject", target) for target in (QUARANTINED_ROWS, *inputs())),
    *((READER, "s3:PutObject", target) for target in inputs()),
    (READER, "execute-api:Invoke", api("POST/quarantine/replays")),
    *(
        (name, "execute-api:Invoke", api("POST/console/operations/dead-letters/lock-commands-dlq"))
        for name in (READER, CORRECTOR)
    ),
    *((name, "sqs:SendMessage", queue("lock-commands")) for name in (READER, CORRECTOR)),
    *((name, "sqs:ReceiveMessage", queue("lock-commands-dlq")) for name in (READER, CORRECTOR)),
    (READER, "sqs:SendMessage", queue("aggregator-commands")),
]


@pytest.mark.parametrize("name", PEOPLE)
def test_what_a_person_asks_for_is_allowed(name: str) -> None:
    refused = [
        str(call)
        for call in PEOPLE_CALLS
        if call.role == name and not roles()[name].may(call.target.request(call.action))
    ]
    assert refused == []


@pytest.mark.parametrize(
    ("name", "action", "target"), REFUSED, ids=lambda one: getattr(one, "shown", one)
)
def test_what_is_not_theirs_is_refused(name: str, action: str, target: Target) -> None:
    assert not roles()[name].may(target.request(action))


@pytest.mark.parametrize("name", PEOPLE)
def test_only_people_of_the_account_may_take_it(name: str) -> None:
    assert roles()[name].trusted == {f"arn:aws:iam::{ACCOUNT}:root"}


def test_the_documented_commands_of_each_role_are_those_it_is_held_to() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (`[^|]+`) \|", DOCUMENT.read_text(), re.MULTILINE)
    told = {name: tuple(re.findall(r"`([^`]+)`", said)) for name, said in rows if name in PEOPLE}
    assert told == {name: tuple(sorted(commands)) for name, commands in COMMANDS.items()}


def test_every_command_is_of_a_role_or_says_why_it_is_of_none() -> None:
    for name in names_of(typer.main.get_command(app)):
        role_of_command(tuple(name.split()))
