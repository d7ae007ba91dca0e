"""docs/cost.md says what docs/cost.json comes to: prices times amounts, in Decimal."""

import json
import re
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tests.contract.declared import PROJECT
from tests.security.account import of_type

COST = json.loads((PROJECT / "docs/cost.json").read_text())
PAGE = (PROJECT / "docs/cost.md").read_text()
SERVICE = {
    "alarm": "CloudWatch",
    "custom": "CloudWatch",
    "public": "Fargate",
    "secret": "Secrets",
    "Step": "Step Functions",
}


def amounts(batches_a_day: str) -> Counter[str]:
    """What is used in a month; a worker that is awake takes every batch of ten minutes."""
    days = Decimal(COST["days a month"])
    batches = Decimal(batches_a_day) * days
    wakings = min(batches, Decimal(COST["most wakings a day"]) * days)
    used: Any = Counter()
    for times, of in (
        (Decimal(1), COST["fixed a month"]),
        (batches, COST["of a batch"]),
        (wakings, COST["of a batch that wakes its workers"]),
    ):
        for name, amount in of.items():
            used[name] += times * Decimal(amount)
    return used  # type: ignore[no-any-return]


def table() -> str:
    sums: dict[str, list[Decimal]] = {}
    columns = COST["batches a day"]
    for column, batches in enumerate(columns):
        for name, amount in amounts(batches).items():
            service = SERVICE.get(name.split()[0], name.split()[0])
            row = sums.setdefault(service, [Decimal(0)] * len(columns))
            row[column] += amount * Decimal(COST["prices"][name])
    sums["**a month**"] = [sum(one, Decimal(0)) for one in zip(*sums.values(), strict=True)]
    lines = [f"| service | {' | '.join(f'{int(one):,} batches a day' for one in columns)} |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    for service, row in sums.items():
        cents = (one.quantize(Decimal("0.01"), ROUND_HALF_UP) for one in row)
        lines.append(f"| {service} | {' | '.join(f'{one:,}' for one in cents)} |")
    return "\n".join(lines)


def test_the_table_is_what_prices_and_amounts_come_to() -> None:
    assert table() in PAGE, f"put this into docs/cost.md:\n{table()}"


def test_every_amount_has_a_price_and_every_price_an_amount() -> None:
    used = {name for name, of in COST.items() if isinstance(of, dict) and name != "prices"}
    assert {name for one in used for name in COST[one]} == set(COST["prices"])


def test_alarms_and_secrets_are_counted_from_the_templates() -> None:
    assert int(COST["fixed a month"]["alarm"]) == len(of_type("AWS::CloudWatch::Alarm"))
    assert int(COST["fixed a month"]["secret"]) == len(of_type("AWS::SecretsManager::Secret"))


def test_the_page_says_that_prices_were_not_fetched() -> None:
    assert re.search(r"us-east-1.*not fetched", PAGE, re.DOTALL)
