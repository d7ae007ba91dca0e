"""What waits for orders and products, read from the facts as the transformer left them."""

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from typer.testing import CliRunner

from contracts.envelope import MessageContext
from infra.ecp.app import app
from infra.ecp.kpis import facts as facts_query
from infra.ecp.kpis import waiting as waiting_command
from infra.ecp.kpis.facts import PublishedFacts
from infra.ecp.kpis.waiting_lines import read_waiting
from services.runtime.event_store import StreamAppend
from services.transformer.history.near_misses import NearMiss, near_misses
from services.transformer.history.waiting import unknown_products
from tests.support import transforming
from tests.support.transforming import (
    Batch,
    Workbench,
    a_batch,
    line,
    local_workbench,
    manifest_of,
    order,
    product,
)
from tests.unit.infra.batch_events import an_event


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return local_workbench(tmp_path)


def published(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> PublishedFacts:
    item = bench.ports.store.get_item("TransformerState", {"StateId": "facts"})
    monkeypatch.setattr(facts_query.items, "get_item", lambda *_: item)
    return PublishedFacts(bench.ports.facts._catalog, Mock())


def waiting(bench: Workbench, monkeypatch: pytest.MonkeyPatch, **limits: Any) -> dict[str, Any]:
    facts, ports = published(bench, monkeypatch), bench.ports
    found = read_waiting(facts, ports.store, ports.objects, **limits)
    return found.as_document()


@pytest.mark.medium
def test_what_waits_is_named_with_its_line_since_when_and_what_is_alike(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = a_batch(
        [order("00100"), order("7")],
        [line("100"), line("7"), line("100", quantity=2), line("7", "P2")],
        [product("p1"), product("p2", "Toys")],
    )
    bench.transform(first)
    second = a_batch([order("8")], [line("99", "p1"), line("100", "p9")])
    bench.transform(second)
    found = waiting(bench, monkeypatch)
    assert (found["order_lines_without_order"], found["order_lines_without_product"]) == (4, 2)
    by_id = {each["order_id"]: each for each in found["orders"]}
    assert list(by_id) == ["100", "99"], "oldest first"
    assert by_id["100"]["lines"] == 3
    assert by_id["100"]["near"] == [{"id": "00100", "differs_in": "leading zeros"}]
    stated = by_id["100"]["stated"]
    assert [(each["batch_id"], each["line"], each["lines"]) for each in stated] == [
        (first.batch_id, 2, 2),
        (second.batch_id, 3, 1),
    ]
    assert stated[0]["since"] == by_id["100"]["since"] < stated[1]["since"]
    assert by_id["99"]["near"] == []
    assert [(each["product_id"], each["near"]) for each in found["products"]] == [
        ("P2", [{"id": "p2", "differs_in": "upper and lower case"}]),
        ("p9", []),
    ]


@pytest.mark.medium
def test_the_source_of_the_file_is_told_by_its_manifest_and_by_its_folder_once_that_is_gone(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_a_source(batch: Batch) -> dict[str, Any]:
        manifest = manifest_of(batch)
        for file in manifest["files"]:
            file["key"] = f"incoming/my-shop/{batch.batch_id}.csv"
            file["source"] = {"name": "my-shop", "version": 3, "gives": ["order_items"]}
        return manifest

    bench.transform(a_batch(items=[line("1", "p1")]))
    monkeypatch.setattr(transforming, "manifest_of", of_a_source)
    batch, other = a_batch(items=[line("2", "p1")]), a_batch(items=[line("3", "p1")])
    ref = bench.stage(batch).manifest.model_dump()
    sealed = an_event("BatchSealed", batch_id=batch.batch_id, manifest=ref)
    for each in (batch, other):
        bench.transform(each)
    append = StreamAppend("batch/sealed", 0, [sealed.data])
    bench.ports.store.append(append, context=MessageContext("test", batch.batch_id))

    found = waiting(bench, monkeypatch)
    assert {each["order_id"]: each["stated"][0]["source"] for each in found["orders"]} == {
        "1": None,
        "2": "my-shop v3",
        "3": "my-shop",
    }
    monkeypatch.setattr(waiting_command, "current_target", Mock())
    monkeypatch.setattr(waiting_command, "read", lambda _: found)
    shown = CliRunner().invoke(app, ["waiting"]).stdout
    assert "my-shop v3" in shown
    plain = {**found, "orders": found["orders"][:1], "products": []}
    assert plain["orders"][0]["order_id"] == "1"
    monkeypatch.setattr(waiting_command, "read", lambda _: plain)
    assert "source" not in CliRunner().invoke(app, ["waiting"]).stdout


@pytest.mark.medium
def test_what_came_waits_no_more(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.transform(a_batch(items=[line("1", "p1")]))
    bench.transform(a_batch([order("1")], products=[product("p1")]))
    found = waiting(bench, monkeypatch)
    assert (found["orders"], found["products"]) == ([], [])


@pytest.mark.medium
def test_a_warning_looks_for_near_misses_only_among_few(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.transform(a_batch([order("00100"), order("2")], [line("100", "p1")]))
    for limit, count in ((1, 0), (2, 1)):
        [found] = waiting(bench, monkeypatch, compared_ids=limit)["orders"]
        assert len(found["near"]) == count


def test_a_submission_is_warned_of_what_its_own_lines_miss_near_misses_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str, batch_id: str, *near: str) -> dict[str, Any]:
        stated = [{"batch_id": batch_id, "key": "order_items/a.csv", "line": 2}]
        alike = [{"id": each, "differs_in": "leading zeros"} for each in near]
        return {"order_id": name, "lines": 1, "stated": stated, "near": alike}

    orders = [missing(name, "ours") for name in "abc"]
    orders += [missing("7", "ours", "007"), missing("d", "theirs", "0d")]
    found = {"orders": orders, "products": []}
    monkeypatch.setattr(waiting_command, "read", lambda *_: found)
    said = waiting_command.warnings(Mock(), "ours")
    assert said[0] == (
        "order 7 has not come, 1 line since order_items/a.csv line 2; 007 is there and differs in "
        "leading zeros"
    )
    assert [one.split()[1] for one in said] == ["7", "a", "b", "1"]
    assert waiting_command.warnings(Mock(), "another") == []


@pytest.mark.medium
def test_the_products_behind_unknown_are_those_of_lines_that_count(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.transform(
        a_batch(
            [order("1"), order("2", "2025-07-08")],
            [line("1", "p8"), line("2", "p9"), line("3", "p7"), line("1", "p1")],
            [product("p1", "Unknown")],
        )
    )
    facts = published(bench, monkeypatch)
    assert unknown_products(facts) == ["p8", "p9"]
    assert unknown_products(facts, "2025-07-08") == ["p9"]


@pytest.mark.parametrize(
    ("one", "other", "differs_in"),
    [
        ("100", "00100", "leading zeros"),
        ("ORD-100", "ORD-00100", "leading zeros"),
        ("2001", "2001.0", "a decimal part of zeros"),
        ("2001", "2001,00", "a decimal part of zeros"),
        ("a-1", "A-1", "upper and lower case"),
        ("7", '"7"', 'quotes or Excel\'s ="..." around it'),
        ("7", "'7", 'quotes or Excel\'s ="..." around it'),
        ("0007", '="0007"', 'quotes or Excel\'s ="..." around it'),
        ("é", "e\u0301", "the form of Unicode"),
        ("12", "\uff11\uff12", "full-width or otherwise formatted signs"),
        ("3", "\u0663", "the script of the digits"),
        ("xy", "x\u200by", "spaces, accents or invisible characters"),
        ("10 01", "10\u00a001", "full-width or otherwise formatted signs"),
        ("1001", "#1001", "a # before it"),
        ("a-b", "a\u2013b", "another kind of dash"),
        ("A1", "\u04101", "letters of another alphabet"),
        ("SO1001", "SO-1001", "separators"),
        ("1001", "1,001", "separators"),
        ("893123456789012345", "8.93E+17", "a spreadsheet has shortened one"),
        (
            "893123456789012345",
            "893123456789012000",
            "the last digits, which a spreadsheet has turned into zeros",
        ),
    ],
)
def test_ids_that_people_take_for_one(one: str, other: str, differs_in: str) -> None:
    assert near_misses([one], ["x", other]) == {one: [NearMiss(other, differs_in)]}
    assert near_misses([other], [one, "x"]) == {other: [NearMiss(one, differs_in)]}


@pytest.mark.parametrize(
    ("one", "other"),
    [("1-11", "11-1"), ("1-11", "111"), ("10", "100"), ("1001", "1010"), ("a1", "b1"), ("7", "7")],
)
def test_ids_that_are_two(one: str, other: str) -> None:
    assert near_misses([one], [other]) == {}


def test_at_most_three_are_shown_and_known_ids_are_gone_through_once() -> None:
    known = iter([f"{'0' * zeros}5" for zeros in range(1, 9)])
    [found] = near_misses(["5"], known).values()
    assert [miss.known for miss in found] == ["05", "005", "0005"]
    assert next(known, None) is None
