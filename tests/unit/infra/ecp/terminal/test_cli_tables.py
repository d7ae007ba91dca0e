"""At any width no number, date, id or key is cut, and nothing is left out."""

import io
import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from infra.ecp.terminal import output
from infra.ecp.terminal.console import Terminal
from infra.ecp.terminal.output import print_table

WIDTHS = (60, 80, 100, 200)
WHOLE = st.one_of(
    st.sampled_from(
        [
            "3f2a9c0d1e4b5a67",
            "2025-07-30",
            "2025-07-30 10:11:12",
            "orders/july, second half.csv",
            "3,341.96",
            "arn:aws:states:us-east-1:000000000000:execution:ecsJob:3f2a9c0d1e4b5a67",
            "\u6ce8\u6587/\u4e03\u6708.csv",
            "",
            "-",
        ]
    ),
    st.integers().map("{:,}".format),
)
WORDS = ["the", "file", "was", "refused", "orders/a.csv", "1,234.50"]
SENTENCE = st.lists(st.sampled_from(WORDS), max_size=30)
HEADERS = ("batch", "order_date", "total_items_sold", "orders in the facts", "why", "reason")


class Screen(io.StringIO):
    """A terminal of a given width."""

    def isatty(self) -> bool:
        return True


def printed(width: int, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        patch.setenv("NO_COLOR", "1")
        patch.setenv("TERM", "xterm")
        screen = Screen()
        patch.setattr(output, "console", lambda **_: Terminal(screen))
        print_table("T", columns, rows)
    return re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue()).split("\n")


@st.composite
def tables(draw: st.DrawFn) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    columns = tuple(draw(st.lists(st.sampled_from(HEADERS), min_size=1, unique=True)))
    cells = [SENTENCE.map(" ".join) if name in ("why", "reason") else WHOLE for name in columns]
    return columns, draw(st.lists(st.tuples(*cells), min_size=1, max_size=5))


@given(tables(), st.sampled_from(WIDTHS))
def test_every_cell_is_whole_in_one_line_and_every_word_of_a_sentence_is_there(
    table: tuple[tuple[str, ...], list[tuple[str, ...]]], width: int
) -> None:
    columns, rows = table
    lines = printed(width, columns, rows)
    longest = max(cell_len(cell) for row in rows for cell in row)
    for row in rows:
        for name, cell in zip(columns, row, strict=True):
            if name in ("why", "reason"):
                assert all(any(word in line for line in lines) for word in cell.split())
            else:
                assert any(cell in line for line in lines), (cell, lines)
    names = max(map(len, columns))
    assert all(cell_len(line.rstrip()) <= max(width, longest + names + 2) for line in lines)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_table_of_a_batch_is_whole_at_every_width(
    width: int,
) -> None:
    columns = ("order_date", "total_orders", "total_revenue", "total_items_sold", "return_rate",
               "unique_customers", "guests")  # fmt: skip
    row = ("2025-07-30", "1,234", "3,341.96", "12,345", "12.50 %", "1,100", "20")
    lines = printed(width, columns, [row])
    assert all(any(cell in line for line in lines) for cell in row)
    assert all(cell_len(line.rstrip()) <= width for line in lines)
    if width >= 80:
        assert any(all(cell in line for cell in row) for line in lines)  # still a table


def test_without_a_terminal_nothing_is_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    reason = " ".join(["refused"] * 100)
    print_table("T", ("key", "reason"), [("orders/a.csv", reason)])
    assert any(reason in line for line in capsys.readouterr().out.splitlines())
