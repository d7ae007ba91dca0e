"""How commands speak: tables for people, JSON for programs, one line per error."""

import json
from collections.abc import Callable
from decimal import Decimal

import pytest

from infra.ecp.settings import CliSettings, pipeline_settings
from infra.ecp.terminal import output
from infra.ecp.terminal.console import UNBOUNDED
from infra.ecp.terminal.output import print_error, print_json, print_note, print_table
from infra.ecp.terminal.output import text as cell

Capture = pytest.CaptureFixture[str]


def printed(capsys: Capture, print_something: Callable[[], None]) -> list[str]:
    print_something()
    return capsys.readouterr().out.splitlines()


def test_numbers_stand_to_the_right_and_texts_to_the_left(capsys: Capture) -> None:
    rows = [("a.csv", 7), ("longer.csv", 1200)]
    lines = printed(capsys, lambda: print_table("Files", ("file", "rows"), rows))
    assert lines[0].strip() == "Files"
    assert lines[2:] == ["a.csv           7", "longer.csv  1,200"]


def test_a_long_sentence_makes_no_long_rules_where_no_terminal_bounds_the_width(
    capsys: Capture,
) -> None:
    rows = [("a.csv", "a reason of many words " * 20)]
    lines = printed(capsys, lambda: print_table("Files", ("file", "reason"), rows))
    assert len(lines) == 3
    assert "━" not in "".join(lines)


def test_nothing_to_show_is_said_in_words(capsys: Capture) -> None:
    lines = printed(capsys, lambda: print_table("Files", ("file",), [], empty="none yet"))
    assert lines == ["Files: none yet"]


def test_a_long_table_says_how_much_it_leaves_out_and_where_the_rest_is(capsys: Capture) -> None:
    rows = [(n,) for n in range(1005)]
    lines = printed(capsys, lambda: print_table("Files", ("n",), rows, limit=5))
    assert lines[-1] == "... and 1,000 more; --json has them all"
    assert [line.strip() for line in lines[2:-1]] == ["0", "1", "2", "3", "4"]


def test_brackets_in_data_are_data(capsys: Capture) -> None:
    lines = printed(capsys, lambda: print_table("T", ("key",), [("orders/[red]x[/].csv",)]))
    assert "orders/[red]x[/].csv" in "".join(lines)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (True, "yes"),
        (1234567, "1,234,567"),
        (Decimal("1234.50"), "1,234.50"),
        (0.123, "0.12"),
        ("x", "x"),
    ],
)
def test_a_cell_reads_well(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_decimals_become_json_numbers(capsys: Capture) -> None:
    print_json({"money": Decimal("12.75"), "count": Decimal("3"), "name": "Bücher"})
    said = capsys.readouterr().out
    assert json.loads(said) == {"money": 12.75, "count": 3, "name": "Bücher"}
    assert '"count": 3,' in said
    assert "Bücher" in said


def test_what_is_no_json_is_a_fault_of_ours() -> None:
    with pytest.raises(TypeError, match="set cannot be written as JSON"):
        print_json({1})


def test_errors_and_notes_go_to_standard_error_on_one_line_each(capsys: Capture) -> None:
    print_error("x " * 200 + "[odd]", ["the log says why"])
    print_note("by the way")
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert lines[0].startswith("error: x x")
    assert lines[0].endswith("[odd]")
    assert lines[1:] == ["  the log says why", "note: by the way"]


def test_without_a_terminal_there_is_no_colour_and_room_enough() -> None:
    console = output.console()
    assert (console.no_color, console.width) == (True, UNBOUNDED)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECP_PORT", "4600")
    monkeypatch.setenv("ECP_WAIT_SECONDS", "5")
    settings = CliSettings()
    assert (settings.port, settings.wait_seconds, settings.poll_seconds) == (4600, 5, 0.15)


def test_only_the_tunables_of_the_pipeline_travel_with_up() -> None:
    environment = {"SETTLE_SECONDS": "5", "LEASE_SECONDS": "", "HOME": "/", "ECP_PORT": "1"}
    assert pipeline_settings(environment) == {"SETTLE_SECONDS": "5"}
