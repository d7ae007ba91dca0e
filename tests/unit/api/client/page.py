"""The blocks of docs/python.md, and a shop that they are run on."""

import ast
import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import date, timedelta
from typing import Any, NamedTuple

import pandas as pd

from contracts.envelope import Message
from infra.environments import PROJECT
from services.api.questions.domain import SOURCE, explain
from tests.contract.builders import BATCH, a_document
from tests.unit.api.harness import ApiHarness, a_life, an_event
from tests.unit.api.kpi_items import Order, published

PAGE = PROJECT / "docs/python.md"
BLOCK = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)
SHOWN = ("display.width", 100, "display.max_columns", None, "display.max_colwidth", 40)


class Block(NamedTuple):
    """Code of the page, and what the page says it gives; None where it says nothing."""

    code: str
    shown: str | None


def blocks(text: str) -> Iterator[Block]:
    """In their order."""
    for found in BLOCK.finditer(text):
        yield Block(found[1], found[2])


def run(code: str, names: dict[str, Any]) -> str:
    """What a notebook shows of a block: what it prints, and its last expression."""
    tree, out = ast.parse(code), io.StringIO()
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    with redirect_stdout(out), pd.option_context(*SHOWN):
        exec(compile(tree, "docs/python.md", "exec"), names)  # noqa: S102
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "docs/python.md", "eval"), names)  # noqa: S307
            print(repr(value))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n" * bool(
        out.getvalue()
    )


def odd_numbers() -> Iterator[Message]:
    """One that stands, and one of a day that was mended."""
    day = {"order_date": "2025-07-09", "published_by": BATCH}
    far = {"value": 40.29, "expected": 141.6, "lowest": 118.22, "highest": 169.6}
    stream = f"kpi-anomaly/{day['order_date']}"
    yield an_event("KpiAnomalyDetected", stream, 1, **day, **far, series="revenue", score=-24.3)
    day = {"order_date": "2025-07-16", "published_by": BATCH}
    mended = {"value": 4, "expected": 4, "lowest": 1.2, "highest": 9.1, "odd_value": 8}
    yield an_event("KpiAnomalyResolved", f"kpi-anomaly/{day['order_date']}", 2, **day, **mended)


def a_small_shop() -> ApiHarness:
    """Two months of a shop that sells two categories, and one batch."""
    harness = ApiHarness()
    orders = [
        Order(
            date(2025, 6, 1) + timedelta(days=n % 61),
            f"user {n % 17}" if n % 5 else "",
            n % 9 == 0,
            (("Books", 700 + 13 * n % 4001), ("Games", 1999 + 7 * n % 301))[: 1 + n % 2],
        )
        for n in range(244)
    ]
    harness.kpis.order_items, harness.kpis.category_items = published(orders)
    harness.hear(*a_life(), *odd_numbers())
    [item] = [one for one in harness.kpis.category_items
              if (one["order_date"], one["category"]) == ("2025-07-31", "Books")]  # fmt: skip
    question_id = explain(item, SOURCE).question_id
    revenue = str(item["daily_revenue"])
    measure = {"name": "daily_revenue", "published": revenue, "recomputed": revenue}
    file = {"kind": "order_items", "batch_id": BATCH, "key": "order_items/a.csv", "rows": 4,
            "orders": 4, "quantity": 4, "amount": revenue}  # fmt: skip
    harness.others.answers[question_id] = a_document(
        "KpiExplanation", question_id=question_id, category="Books", order_date="2025-07-31",
        measures=[measure], contributions=[file], lines=[], equal=True,
    )  # fmt: skip
    return harness
