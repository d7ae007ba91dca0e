"""What people are mailed holds no line and no mark of somebody else's."""

from contracts.messages import BatchOverdue
from contracts.printable import is_shown
from services.aggregator.notifications import overdue

KEY = "orders/a\nWhat to do: call\u202e 0800\x1b[31m\x9b\u2028.csv"


def test_a_key_is_one_piece_of_one_line() -> None:
    event = BatchOverdue(
        bucket="data",
        set_number=1,
        waiting_since="2025-07-07T12:00:00.000Z",
        file_count=1,
        missing=[f"{KEY}, named by manifests/a.json"],
    )
    lines = overdue(event).message.split("\n")
    assert [line for line in lines if line.startswith("What to do")] == [lines[-1]]
    assert sum("0800" in line for line in lines) == 1
    assert all(map(is_shown, "".join(lines)))
