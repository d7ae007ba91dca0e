"""What people see of quarantined rows: a share of every file, faults without their rules' names."""

from collections import Counter
from typing import Any

from infra.ecp.quarantine.view import counted, fair_share, print_rows
from tests.contract.builders import BATCH, OTHER_BATCH
from tests.unit.infra.ecp.quarantine.test_quarantine_queries import a_row

MESSAGE = (
    "orders/a.csv line 3: order_date 'x' is not a date (rule order_date.format, orders v1); "
    "status is empty (rule status.required, orders v1)"
)


def rows(**lines_by_key: int) -> list[dict[str, Any]]:
    return [
        {"batch_id": BATCH, "key": key, "line": line}
        for key, count in lines_by_key.items()
        for line in range(2, 2 + count)
    ]


def shares(found: list[dict[str, Any]]) -> dict[str, list[int]]:
    return {
        key: [row["line"] for row in found if row["key"] == key]
        for key in {r["key"] for r in found}
    }


def test_a_file_of_many_bad_rows_leaves_room_for_the_others() -> None:
    assert shares(fair_share(rows(a=100, b=2, c=9), 8)) == {
        "a": [2, 3, 4],
        "b": [2, 3],
        "c": [2, 3, 4],
    }
    assert shares(fair_share(rows(a=5), 8)) == {"a": [2, 3, 4, 5, 6]}
    assert len(fair_share(rows(**{f"k{n}": 3 for n in range(30)}), 20)) == 20


def test_counts_name_only_what_there_is() -> None:
    every = Counter({"open": 1200, "answered": 3, "dismissed": 2})
    assert counted(every, Counter()) == "1,205 rows: 1,200 open, 3 answered, 2 dismissed"  # type: ignore[arg-type]
    assert counted(Counter(), Counter({"dismissed": 1})) == "1 refused file: 1 dismissed"  # type: ignore[arg-type]


def test_faults_are_listed_without_rules_and_with_the_batch_only_where_there_are_several(
    capsys: Any,
) -> None:
    one = a_row(3) | {"message": MESSAGE, "batch_id": BATCH}
    print_rows([one])
    said = " ".join(capsys.readouterr().out.replace("\u2502", " ").split())
    assert "(rule" not in said
    assert BATCH not in said
    print_rows([one, one | {"batch_id": OTHER_BATCH}])
    said = capsys.readouterr().out
    assert BATCH in said
    assert OTHER_BATCH in said
