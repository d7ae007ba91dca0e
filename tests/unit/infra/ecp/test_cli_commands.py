"""Every command as people type it, against a moto account: what it prints and its exit code."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from contracts.envelope import parse
from contracts.identities import FileIdentity, batch_id_of
from contracts.layout import quarantined_file_key, quarantined_rows_key
from contracts.messages import RedriveBatch
from infra.ecp import target
from infra.ecp.main import app
from infra.ecp.submissions import sending, submit
from infra.ecp.submissions.upload import Submission, Uploader
from services.lock.items import lock_item
from tests.contract.builders import BATCH, EXECUTION
from tests.unit.infra.accounts import BUCKET, Account
from tests.unit.infra.batch_events import BEGAN, an_event, completed_batch
from tests.unit.infra.ecp.batches.test_outcome import an_example
from tests.unit.infra.ecp.cloud.test_status_queries import a_held_lock, some_batches
from tests.unit.infra.ecp.kpis.test_kpi_queries import a_category, a_day
from tests.unit.infra.ecp.quarantine.test_quarantine_queries import a_row, parquet
from tests.unit.infra.tables import put_items

PROMISED = {
    "up",
    "down",
    "demo",
    "deploy",
    "submit",
    "validate",
    "status",
    "batches",
    "batch",
    "redrive",
    "release",
    "ignored",
    "kpis orders",
    "kpis categories",
    "quarantine list",
    "quarantine show",
    "lock show",
    "lock break",
}
"""Commands of docs/design.md, Command line."""


def names_of(command: Any, before: tuple[str, ...] = ()) -> Iterator[str]:
    subcommands = getattr(command, "commands", {})
    if not subcommands:
        yield " ".join(before)
    for name, subcommand in subcommands.items():
        yield from names_of(subcommand, (*before, name))


COMMANDS = sorted(names_of(typer.main.get_command(app)))


def ecp(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def account(aws: Any, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setattr(target, "find_running_cloud", lambda: None)
    return Account(aws)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches_itself_with_an_example(command: str) -> None:
    said = ecp(*command.split(), "--help")
    assert said.exit_code == 0
    example = said.output.split("Example: ")[1]
    assert f"ecp {command}" in example.splitlines()[0]


def test_every_promised_command_is_there() -> None:
    assert PROMISED - set(COMMANDS) == set()


def test_without_a_command_the_help_is_shown() -> None:
    assert "ecp demo" in ecp().output


@pytest.mark.parametrize(
    "arguments",
    [("nonsense",), ("batch",), ("kpis", "orders", "--form"), ("up", "--port", "x")],
)
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    assert ecp(*arguments).exit_code == 2


def test_kpis_are_a_table_for_people_and_numbers_for_programs(account: Account) -> None:
    put_items(account.client("dynamodb"), "OrderKPIs", [a_day("2025-07-07"), a_day("2025-07-08")])
    put_items(account.client("dynamodb"), "CategoryKPIs", [a_category("Books", "2025-07-07")])

    shown = ecp("kpis", "orders", "--to", "2025-07-07").stdout
    assert "25.50" in shown
    assert "50.00 %" in shown
    assert "2025-07-08" not in shown
    [kpi] = json.loads(ecp("kpis", "categories", "--category", "Books", "--json").stdout)
    assert kpi["avg_return_rate"] == 0.3333
    assert "none in this period" in ecp("kpis", "orders", "--from", "2026-01-01").stdout
    wrong = ecp("kpis", "orders", "--from", "July")
    assert (wrong.exit_code, wrong.stderr) == (
        2,
        "error: --from July: not a day; write it as YYYY-MM-DD, today, yesterday or 3-days-ago\n",
    )


def test_the_lock_is_free_or_says_who_holds_it_and_who_waits(account: Account) -> None:
    assert ecp("lock", "show").stdout == "the lock is free\n"
    put_items(account.client("dynamodb"), "ProcessingLockTable", [lock_item(a_held_lock())])
    shown = ecp("lock", "show").stdout
    assert f"held by batch {BATCH}" in shown
    assert EXECUTION in shown
    assert "arn:other" in shown
    assert json.loads(ecp("lock", "show", "--json").stdout)["fence"] == 7


def test_status_tells_everything_at_once(account: Account) -> None:
    empty = ecp("status").stdout
    for said in ("lock: free", "open set: empty", "Running: none", "Dead letters: none"):
        assert said in empty
    put_items(account.client("dynamodb"), "ProcessingLockTable", [lock_item(a_held_lock())])
    put_items(account.client("dynamodb"), "AggregatorState", some_batches())
    url = account.client("sqs").get_queue_url(QueueName="lock-commands-dlq")["QueueUrl"]
    account.client("sqs").send_message(QueueUrl=url, MessageBody="x")
    shown = ecp("status").stdout
    assert f"lock: held by batch {BATCH}" in shown
    assert "lock-commands-dlq" in shown
    document = json.loads(ecp("status", "--json").stdout)
    assert document["dead_letters"] == {"lock-commands-dlq": 1}


def test_batches_lists_the_newest_first(account: Account) -> None:
    put_items(account.client("dynamodb"), "AggregatorState", some_batches())
    newest = json.loads(ecp("batches", "--limit", "1", "--json").stdout)
    assert [batch["status"] for batch in newest] == ["RUNNING"]
    assert "COMPLETED" in ecp("batches").stdout


def test_a_batch_tells_its_story(account: Account) -> None:
    account.record(completed_batch())
    shown = ecp("batch", BATCH).stdout
    assert f"Batch {BATCH}: COMPLETED" in shown
    assert "lock granted, fence 7" in shown
    story = json.loads(ecp("batch", BATCH, "--json").stdout)
    assert story["status"] == "COMPLETED"
    assert [event["event_type"] for event in story["events"]][:2] == ["BatchSealed", "BatchStarted"]


def test_batches_and_their_events_name_the_source_of_a_file_where_one_has_any(
    account: Account,
) -> None:
    key = "incoming/my-shop/1.csv"
    file = {"source": {"name": "my-shop", "version": 3, "gives": ["orders"]}}
    account.record([an_event("FileValidated", key="orders/1.csv")])
    assert "source" not in ecp("batch", BATCH).stdout
    assert "sources" not in ecp("batches").stdout
    [plain] = json.loads(ecp("batch", BATCH, "--json").stdout)["events"]
    assert plain["source"] is None

    document = an_example("BatchManifest")
    document["files"] = [document["files"][0] | file | {"key": key}]
    manifest = account.objects.put_json(BUCKET, "processing/manifest.json", document).model_dump()
    account.record([an_event("BatchSealed", manifest=manifest), an_event("FileValidated", key=key)])
    told = [
        (event["event_type"], event["source"])
        for event in json.loads(ecp("batch", BATCH, "--json").stdout)["events"]
    ]
    assert told == [
        ("FileValidated", None),
        ("BatchSealed", None),
        ("FileValidated", "my-shop v3"),
    ]
    assert "my-shop v3" in ecp("batch", BATCH).stdout
    rows = some_batches()
    [running] = [row for row in rows if row["pk"] == "batches" and row["status"] == "RUNNING"]
    running["manifest"] = manifest
    put_items(account.client("dynamodb"), "AggregatorState", rows)
    listed = json.loads(ecp("batches", "--json").stdout)
    assert [batch["sources"] for batch in listed] == [["my-shop v3"], []]
    assert "my-shop v3" in ecp("batches").stdout


def test_a_batch_that_is_not_there_is_wrong_usage(account: Account) -> None:
    said = ecp("batch", "nowhere")
    assert (said.exit_code, said.stderr) == (
        2,
        "error: nowhere: there is no such batch; `ecp batches` lists the newest\n",
    )


def test_an_account_without_the_pipeline_is_told_so(aws: Any) -> None:
    said = ecp("status")
    assert said.exit_code == 3
    assert "the pipeline is not deployed in this account and region" in said.stderr
    assert len(said.stderr.splitlines()) == 1


def test_only_a_failed_batch_can_be_redriven(account: Account) -> None:
    account.record(completed_batch())
    said = ecp("redrive", BATCH)
    assert said.exit_code == 2
    assert f"batch {BATCH} is COMPLETED: only a FAILED batch can be run again" in said.stderr


def test_a_redrive_is_a_command_to_the_aggregator(account: Account) -> None:
    account.record([an_event("BatchSealed"), an_event("BatchFailed", 1)])
    said = ecp("redrive", BATCH, "--json")
    assert json.loads(said.stdout) == {"batch_id": BATCH, "requested": True}
    [message] = account.client("sqs").receive_message(QueueUrl=account.commands)["Messages"]
    command = parse(message["Body"])
    assert isinstance(command.data, RedriveBatch)
    assert (command.data.batch_id, command.task_token) == (BATCH, None)
    assert "@" in command.data.requested_by


def put_quarantine(account: Account, *rows: dict[str, Any]) -> None:
    s3 = account.client("s3")
    s3.put_object(Bucket=BUCKET, Key=quarantined_rows_key(BATCH, 0), Body=parquet(*rows))


def test_quarantined_rows_are_listed_with_the_promised_fields(account: Account) -> None:
    assert "Quarantined rows: none" in ecp("quarantine", "list").stdout
    put_quarantine(account, a_row(2), a_row(7))
    listed = json.loads(ecp("quarantine", "list", "--json").stdout)
    assert [row["line"] for row in listed] == [2, 7]
    promised = {"batch_id", "key", "kind", "line", "column", "rule", "message", "raw"}
    assert promised <= listed[0].keys()
    assert "2025-02-30" in ecp("quarantine", "list", "--batch", BATCH).stdout
    assert "none" in ecp("quarantine", "list", "--batch", "f" * 16).stdout


def test_a_quarantined_row_is_shown_with_a_caret_under_the_fault(account: Account) -> None:
    put_quarantine(account, a_row(2))
    lines = ecp("quarantine", "show", "orders/a.csv").stdout.splitlines()
    assert lines[0].startswith("orders/a.csv line 2: order_date '2025-02-30' is not a date")
    assert lines[1] == "  1,2,2025-02-30,1.00,completed"
    assert lines[2] == "      ^^^^^^^^^^"
    assert lines[3] == "  write a real day as YYYY-MM-DD"
    assert ecp("quarantine", "show", "orders/b.csv").exit_code == 2
    [row] = json.loads(ecp("quarantine", "show", BATCH, "--json").stdout)
    assert row["advice"] == "write a real day as YYYY-MM-DD"


def test_a_file_that_was_refused_whole_is_listed_beside_the_rows(account: Account) -> None:
    key = quarantined_file_key(BATCH, "orders/wrong.csv")
    account.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"x")
    shown = ecp("quarantine", "list").stdout
    assert "orders/wrong.csv" in shown
    assert "Files refused whole" in shown
    assert "`ecp batch" in ecp("quarantine", "show", "orders/wrong.csv").stdout
    reason = {"key": "orders/wrong.csv", "reason": "no header", "rule": "file.header"}
    account.record([an_event("FileRejected", **reason)])
    assert "no header (rule file.header)" in ecp("quarantine", "show", "orders/wrong.csv").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("dismiss", "orders/a.csv", "--reason", " "), "--reason: say why"),
        (("dismiss", "orders/a.csv", "--reason", "x" * 2001), "at most 2,000 characters"),
        (("dismiss", BATCH, "--line", "2", "--reason", "x"), "go with the key of an input"),
        (("dismiss", BATCH, "--batch", BATCH, "--reason", "x"), "go with the key of an input"),
        (("dismiss", "orders/b.csv", "--reason", "x"), "nothing of orders/b.csv is open"),
        (("list", "--open", "--all"), "exclude each other"),
    ],
)
def test_what_cannot_be_asked_of_quarantine_is_said(
    account: Account, arguments: tuple[str, ...], said: str
) -> None:
    put_quarantine(account, a_row(2))
    answer = ecp("quarantine", *arguments)
    assert (answer.exit_code, said in answer.stderr) == (2, True), answer.stderr


def a_shop(folder: Path) -> Path:
    for kind in ("orders", "order_items", "products"):
        (folder / kind).mkdir(parents=True)
        (folder / kind / "a.csv").write_text("x\n")
    return folder


def test_submit_uploads_and_says_which_batch_it_will_be(account: Account, tmp_path: Path) -> None:
    said = ecp("submit", a_shop(tmp_path), "--json")
    assert said.exit_code == 0, said.stderr
    document = json.loads(said.stdout)
    assert [file["key"] for file in document["files"]] == [
        "orders/a.csv",
        "order_items/a.csv",
        "products/a.csv",
    ]
    s3 = account.client("s3")
    body = s3.get_object(Bucket=BUCKET, Key=document["manifest"])["Body"].read()
    assert json.loads(body)["files"] == document["files"]
    pinned = [FileIdentity(BUCKET, **file) for file in document["files"]]
    assert document["batch_id"] == batch_id_of(pinned)


def test_submit_says_what_it_leaves_out_and_sends_nothing_when_a_kind_is_gone(
    account: Account, tmp_path: Path
) -> None:
    shop = a_shop(tmp_path)
    (shop / "orders/._a.csv").write_text("")
    (shop / "orders/b.tsv").write_text("")
    said = ecp("submit", shop, "--json")
    assert said.exit_code == 0, said.stderr
    document = json.loads(said.stdout)
    assert [one["path"] for one in document["left_out"]] == ["orders/._a.csv", "orders/b.tsv"]
    assert document["left_out"][1]["did_you_mean"] == "orders/b.csv"
    assert len(document["files"]) == 3
    before = account.client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"]

    (shop / "order_items").rename(shop / "Order Items")
    said = ecp("submit", shop, "--json")
    assert said.exit_code == 1
    document = json.loads(said.stdout)
    assert (document["batch_id"], document["status"]) == (None, "NOT_SENT")
    assert document["left_out"][0]["did_you_mean"] == "order_items/"
    assert "no order_items file is left to send" in said.stderr
    assert "did you mean order_items/?" in ecp("submit", shop).stderr
    assert account.client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == before


@pytest.mark.parametrize(
    ("end", "exit_code"), [("BatchCompleted", 0), ("BatchRejected", 1), ("BatchFailed", 3)]
)
def test_submit_that_waits_exits_with_how_the_batch_ended(
    account: Account,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    end: str,
    exit_code: int,
) -> None:
    result = account.objects.put_json(BUCKET, "processing/result.json", an_example("BatchResult"))
    manifest = account.objects.put_json(
        BUCKET, "processing/manifest.json", an_example("BatchManifest")
    )
    sealed = an_event("BatchSealed", manifest=manifest.model_dump())
    changes = {"result": result.model_dump()} if end == "BatchCompleted" else {}
    account.record([sealed, an_event(end, 1, **changes)])
    monkeypatch.setattr(Submission, "batch_id", BATCH)
    monkeypatch.setattr(sending, "system_clock", lambda: BEGAN - timedelta(seconds=1))

    said = ecp("submit", a_shop(tmp_path), "--wait", "--json")

    assert said.exit_code == exit_code, said.stderr
    outcome = json.loads(said.stdout)
    assert outcome["duration_seconds"] == 3.0
    assert outcome["files"]
    shown = ecp("submit", tmp_path, "--wait")
    assert shown.exit_code == exit_code
    assert outcome["status"] in shown.stdout


def test_ctrl_c_while_waiting_says_that_the_batch_goes_on(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(submit, "follow", interrupted)
    said = ecp("submit", a_shop(tmp_path), "--wait")
    assert said.exit_code == 130
    assert "stopped waiting; the batch goes on: `ecp batch" in said.stderr


def test_ctrl_c_while_uploading_says_that_nothing_was_submitted(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Uploader, "_put_manifest", interrupted)
    said = ecp("submit", a_shop(tmp_path))
    assert said.exit_code == 130
    assert "nothing was submitted, and what was uploaded is deleted again" in said.stderr
    assert account.client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_parts_of_one_export_are_submitted_as_one_statement(
    account: Account, tmp_path: Path
) -> None:
    said = ecp("submit", a_shop(tmp_path), "--parts", "--json")
    assert said.exit_code == 0, said.stderr
    manifest = json.loads(said.stdout)["manifest"]
    body = account.client("s3").get_object(Bucket=BUCKET, Key=manifest)["Body"].read()
    assert json.loads(body)["one_statement"] is True


def test_debug_shows_where_an_error_came_from_wherever_it_stands(account: Account) -> None:
    said = ecp("batch", "nowhere", "--debug")
    assert said.exit_code == 2
    assert "Traceback" in said.stderr
    assert "Traceback" not in ecp("batch", "nowhere").stderr


def test_money_of_a_great_shop_keeps_its_cents(account: Account) -> None:
    great = a_day("2025-07-07", total_revenue=Decimal("123456789012.34"))
    put_items(account.client("dynamodb"), "OrderKPIs", [great])
    assert "123,456,789,012.34" in ecp("kpis", "orders").stdout
    assert '"total_revenue": 123456789012.34' in ecp("kpis", "orders", "--json").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rotate-key",), "nobody can be asked here: say --yes too"),
        (("erase", "1001"), "nobody can be asked here: say --yes too"),
        (("erase", "1001", "--json"), "nobody can be asked here: say --yes too"),
        (("erase", "x" * 65, "--yes"), "is no user_id that a file could state"),
        (("erase", "  ", "--dry-run"), "is no user_id that a file could state"),
        (("receipts", "a\x07b"), "is no user_id that a file could state"),
    ],
)
def test_an_erasure_needs_an_id_that_could_be_and_somebody_who_says_yes(
    account: Account, arguments: tuple[str, ...], said: str
) -> None:
    answer = ecp("privacy", *arguments)
    assert answer.exit_code == 2
    assert said in answer.stderr


def test_a_category_that_is_spelled_otherwise_is_suggested(account: Account) -> None:
    put_items(account.client("dynamodb"), "OrderKPIs", [a_day("2025-07-07")])
    put_items(account.client("dynamodb"), "CategoryKPIs", [a_category("Books", "2025-07-07")])
    said = ecp("kpis", "categories", "--category", "books", "--json")
    assert (said.exit_code, json.loads(said.stdout)) == (0, [])
    assert "there is no category books (did you mean Books?)" in said.stderr
    there = ecp("kpis", "categories", "--category", "Books", "--from", "today")
    assert "no category" not in there.stderr


def test_programs_see_which_batch_set_a_kpi(account: Account) -> None:
    put_items(account.client("dynamodb"), "OrderKPIs", [a_day("2025-07-07")])
    [kpi] = json.loads(ecp("kpis", "orders", "--json").stdout)
    assert (kpi["batch_id"], kpi["epoch"], kpi["updated_at"]) == (
        "3f2a9c0d1e4b5a67",
        3,
        "2025-07-07T12:00:00.000Z",
    )
    assert "3f2a9c0d1e4b5a67" not in ecp("kpis", "orders").stdout
