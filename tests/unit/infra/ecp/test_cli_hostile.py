"""What people and programs see of hostile keys, cells, reasons and names, through every command."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from contracts.layout import quarantined_file_key, quarantined_rows_key
from contracts.printable import is_shown
from infra.ecp import target
from infra.ecp.app import app
from infra.ecp.batches import logs
from infra.ecp.terminal.errors import CommandFailed
from infra.errors import LocalCloudError
from infra.local import cloud
from tests.contract.builders import BATCH, OTHER_BATCH
from tests.support.examples import some
from tests.unit.infra.accounts import BUCKET, Account
from tests.unit.infra.batch_events import an_event, completed_batch
from tests.unit.infra.ecp.batches.test_log_lines import a_line, write_lines
from tests.unit.infra.ecp.kpis.test_kpi_queries import a_category, a_day
from tests.unit.infra.ecp.quarantine.test_quarantine_queries import a_row, parquet
from tests.unit.infra.tables import put_items

HOSTILE = "\x1b[2J\x1b]0;t\x07\x9b31m\x7f\u202e\u2066\u200f\u061c\u2028\u200b\ufeff[red]x[/] [/]\n"
KEY = f"orders/../../{HOSTILE.strip()}.csv"
MARK = (
    "\\x1b[2J\\x1b]0;t\\x07\\x9b31m\\x7f\\u202e\\u2066\\u200f\\u061c\\u2028\\u200b\\ufeff[red]x[/]"
)


def names_of(command: Any, before: tuple[str, ...] = ()) -> Iterator[str]:
    subcommands = getattr(command, "commands", {})
    if not subcommands:
        yield " ".join(before)
    for name, subcommand in subcommands.items():
        yield from names_of(subcommand, (*before, name))


COMMANDS = sorted(names_of(typer.main.get_command(app)))

FAILING: dict[str, list[str]] = {
    **{
        name: []
        for name in (
            "status", "batches", "kpis orders", "kpis categories", "quarantine list",
            "quarantine export", "lock show", "dlq list", "rebuild", "maintain", "verify",
            "privacy receipts", "up", "down", "demo", "ignored", "waiting", "bootstrap",
            "api url", "api rebuild", "freshness", "console", "kpis anomalies",
        )
    },
    **{name: [HOSTILE] for name in ("batch", "logs", "diff", "redrive", "quarantine show")},
    "query": ["from order_kpis"],
    "dlq show": ["lock-commands-dlq"],
    "dlq redrive": ["lock-commands-dlq", "--yes"],
    "dlq drop": ["lock-commands-dlq", "1", "--reason", HOSTILE],
    "deploy": ["validator", "--yes"],
    "lock align": ["--reason", HOSTILE],
    "lock break": ["--reason", HOSTILE, "--yes"],
    "release": [BATCH, "--reason", HOSTILE, "--yes"],
    "privacy erase": ["1001", "--yes"],
    "privacy rotate-key": ["--yes"],
    "quarantine dismiss": [KEY, "--reason", HOSTILE],
    "quarantine replay": [f"{HOSTILE}.csv"],
    "why": [HOSTILE, "2025-07-07"],
    "submit": [HOSTILE],
    "validate": [HOSTILE],
    "sample": [f"/dev/null/{HOSTILE}"],
    **{f"sources {name}": [HOSTILE] for name in ("detect", "draft", "add", "list", "show")},
    "sources remove": [HOSTILE, "--yes"],
    "sources test": [HOSTILE, "x.csv"],
    **{f"contracts {name}": [HOSTILE] for name in ("check", "release", "docs", "export", "import")},
}  # fmt: skip
"""How each command is run against a cloud, or with arguments, that fail in hostile words."""


def ecp(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def assert_harmless(said: Result) -> None:
    for text in (said.stdout, said.stderr):
        assert all(map(is_shown, text.replace("\n", ""))), ascii(text)
    assert said.exception is None or isinstance(said.exception, SystemExit), said.exception


@pytest.mark.parametrize("command", COMMANDS)
def test_whatever_a_fault_says_a_command_only_shows_it(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A command that is not in FAILING is new: say how it is made to fail."""

    def no_cloud(*_: Any, **__: Any) -> Any:
        raise CommandFailed(f"no cloud {HOSTILE}")

    def nothing_local(*_: Any, **__: Any) -> Any:
        raise LocalCloudError(f"no cloud {HOSTILE}\nand its log {HOSTILE}")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(target, "choose", no_cloud)
    monkeypatch.setattr(cloud, "up", nothing_local)
    monkeypatch.setattr(cloud, "down", nothing_local)
    for debug in ([], ["--debug"]):
        said = ecp(*debug, *command.split(), *FAILING[command])
        assert_harmless(said)
        assert said.exit_code != 0
        assert "\\x1b[2J" in said.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def account(aws: Any, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setattr(target, "find_running_cloud", lambda: None)
    monkeypatch.setattr(logs, "find_running_cloud", lambda: None)
    account = Account(aws)
    s3, sqs, dynamodb = aws("s3"), aws("sqs"), aws("dynamodb")
    archive = "ecommerce-archive-bucket"
    s3.create_bucket(Bucket=archive)
    aws("ssm").put_parameter(
        Name="/ecommerce-pipeline/platform/archive-bucket", Value=archive, Type="String"
    )
    row = a_row(2, message=f"{KEY} line 2: {HOSTILE}", raw=f"1,{HOSTILE},3", rule="x.y")
    s3.put_object(
        Bucket=BUCKET,
        Key=quarantined_rows_key(BATCH, 0),
        Body=parquet(row, row | {"line": 3, "key": KEY}),
    )
    s3.put_object(Bucket=BUCKET, Key=quarantined_file_key(OTHER_BATCH, KEY), Body=b"refused")
    put_items(dynamodb, "CategoryKPIs", [a_category(HOSTILE, "2025-07-07")])
    put_items(dynamodb, "OrderKPIs", [a_day("2025-07-07", batch_id=HOSTILE)])
    account.record(
        [
            *completed_batch(),
            an_event("FileRejected", 10, key=KEY, reason=HOSTILE),
            an_event("BatchFailed", 11, reason=HOSTILE),
        ]
    )
    write_lines(
        aws("logs"), "/aws/lambda/event-relay", a_line(service=HOSTILE, message=HOSTILE, key=KEY)
    )
    url = sqs.get_queue_url(QueueName="lock-commands-dlq")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"event_type": "[red]x\u202e\u009b"}))
    return account


SEEN = (
    ("status",),
    ("batches",),
    ("batch", BATCH),
    ("logs", BATCH),
    ("kpis", "orders"),
    ("kpis", "categories"),
    ("kpis", "categories", "--category", HOSTILE + "x"),
    ("quarantine", "list"),
    ("quarantine", "list", "--all"),
    ("quarantine", "show", KEY),
    ("quarantine", "show", BATCH),
    ("quarantine", "show", OTHER_BATCH),
    ("dlq", "list"),
    ("dlq", "show", "lock-commands-dlq"),
    ("lock", "show"),
)


@pytest.mark.parametrize(
    "arguments", some((each,) for each in SEEN), ids=lambda arguments: " ".join(arguments[:2])
)
def test_what_is_shown_of_hostile_data_is_text(account: Account, arguments: Any) -> None:
    for more in ((), ("--json",)):
        said = ecp(*arguments, *more)
        assert_harmless(said)
        assert said.exit_code == 0, said.stderr
        if more:
            json.loads(said.stdout)


def test_the_data_is_there_to_be_seen(account: Account) -> None:
    """Or the tests above would pass over empty tables."""
    for arguments in (("batch", BATCH), ("quarantine", "show", KEY), ("kpis", "categories"),
                      ("logs", BATCH), ("quarantine", "list")):  # fmt: skip
        assert MARK in ecp(*arguments).stdout, arguments
    assert json.loads(ecp("kpis", "categories", "--json").stdout)[0]["category"] == HOSTILE


def test_exports_of_hostile_keys_stay_in_their_directory(account: Account, tmp_path: Path) -> None:
    home = tmp_path / "a" / "b" / "home"
    home.mkdir(parents=True)
    refused, rows = home / "refused", home / "rows"
    said = [
        ecp("quarantine", "export", OTHER_BATCH, "--to", refused),
        ecp("quarantine", "export", BATCH, "--to", rows),
    ]
    for each in said:
        assert_harmless(each)
        assert each.exit_code == 0, each.stderr
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.is_relative_to(home) for path in written} == {True}
    [file] = [path for path in written if path.is_relative_to(refused)]
    assert file.read_bytes() == b"refused"
    assert [path.name for path in written if path.is_relative_to(rows)] == ["orders.csv"]
    replayed = ecp("quarantine", "replay", rows / "orders.csv", "--dry-run")
    assert_harmless(replayed)
    dismissed = ecp("quarantine", "dismiss", f"{KEY}x", "--reason", HOSTILE)
    assert_harmless(dismissed)


def test_local_files_with_hostile_names_and_cells_are_shown_as_text(
    account: Account, tmp_path: Path
) -> None:
    name = re.sub("[/\n]", "", HOSTILE)
    folder = tmp_path / "shop" / "orders"
    folder.mkdir(parents=True)
    cells = HOSTILE.replace("\n", "")
    (folder / f"{name}.csv").write_text(
        f"order_id,user_id,order_date,total_amount,status\n1,{cells},{cells},1.00,ok\n"
    )
    (folder / f"{name}.tsv").write_text("")
    for command in (["validate"], ["validate", "--json"], ["submit"], ["submit", "--json"]):
        said = ecp(*command, tmp_path / "shop")
        assert_harmless(said)
        assert "\\x1b" in said.output or "\\u001b" in said.output
