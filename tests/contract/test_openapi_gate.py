"""What callers of the HTTP API rely on stays: each way to break it is found out."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from infra.contract_docs.openapi import breaks, read_frozen, served, text_of
from tests.contract.declared import PROJECT

FROZEN = read_frozen(PROJECT)
ORDERS = "/kpis/orders"
Change = Callable[[Any], Any]


def test_the_code_keeps_what_is_frozen_and_the_document_is_current() -> None:
    assert list(breaks(FROZEN, served())) == []
    assert text_of(served()) == text_of(FROZEN), "run `ecp contracts docs`"


class Document:
    """The frozen document, to be changed in one place."""

    def __init__(self) -> None:
        self.now = deepcopy(FROZEN)
        self.orders: dict[str, Any] = self.now["paths"][ORDERS]["get"]

    def parameter(self, name: str) -> dict[str, Any]:
        return next(one for one in self.orders["parameters"] if one["name"] == name)

    def limit(self, **changes: Any) -> None:
        self.parameter("limit")["schema"].update(changes)

    def schema(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.now["components"]["schemas"][name]
        return found

    def field(self, name: str, field: str) -> dict[str, Any]:
        found: dict[str, Any] = self.schema(name)["properties"][field]
        return found

    def drop(self, name: str, field: str) -> None:
        del self.schema(name)["properties"][field]

    def ask_for(self, name: str, *, required: bool) -> None:
        self.orders["parameters"].append(
            {"name": name, "in": "query", "required": required, "schema": {"type": "string"}}
        )


@pytest.mark.parametrize(
    ("change", "where", "rule"),
    [
        (lambda d: d.now["paths"].pop("/ignored"), "GET /ignored", "removed"),
        (lambda d: d.parameter("to").update(name="until"), f"{ORDERS} to", "removed"),
        (lambda d: d.ask_for("zone", required=True), f"{ORDERS} zone", "required"),
        (lambda d: d.limit(maximum=10), f"{ORDERS} limit", "maximum"),
        (lambda d: d.limit(minimum=2), f"{ORDERS} limit", "minimum"),
        (lambda d: d.limit(default=9), f"{ORDERS} limit", "default"),
        (lambda d: d.limit(type="string"), f"{ORDERS} limit", "type"),
        (lambda d: d.schema("By")["enum"].remove("week"), f"{ORDERS} by", "enum"),
        (lambda d: d.drop("OrderRow", "guests"), ".rows [] .guests", "removed"),
        (lambda d: d.field("OrderRow", "guests").update(type="number"), ".guests", "type"),
        (lambda d: d.drop("BatchView", "status"), ".batch .status", "removed"),
        (lambda d: d.field("BatchView", "status")["enum"].append("LOST"), ".status", "enum"),
        (
            lambda d: d.field("SourceView", "arrived_at").update(anyOf=[{"type": "integer"}]),
            ".arrived_at",
            "type",
        ),
        (lambda d: d.orders["responses"]["200"]["content"].pop("text/csv"), "text/csv", "removed"),
        (lambda d: d.orders["responses"].pop("304"), f"{ORDERS} 304", "removed"),
    ],
)
def test_a_broken_promise_is_found(change: Change, where: str, rule: str) -> None:
    document = Document()
    change(document)
    found = [place for place, its, _ in breaks(FROZEN, document.now) if its == rule]
    assert [place for place in found if where in place]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.now["paths"].update({"/why": d.now["paths"]["/health"]}),
        lambda d: d.ask_for("zone", required=False),
        lambda d: d.limit(maximum=5000),
        lambda d: d.schema("By")["enum"].append("year"),
        lambda d: d.schema("OrderRow")["properties"].update(median={"type": "number"}),
        lambda d: d.schema("OrderRow").update(description="said better"),
    ],
)
def test_what_is_only_added_breaks_nobody(change: Change) -> None:
    document = Document()
    change(document)
    assert list(breaks(FROZEN, document.now)) == []
