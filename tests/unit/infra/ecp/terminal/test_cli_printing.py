"""Nothing from outside acts on a terminal, and there is one way only to print."""

import ast
import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.printable import is_shown, printable, printable_json, printable_lines
from infra.ecp.terminal.console import Terminal
from infra.ecp.terminal.output import (
    joined,
    painted,
    print_beside,
    print_error,
    print_heading,
    print_json,
    print_line,
    print_lines,
    print_note,
    print_table,
    print_traceback,
    print_verbatim,
    progress,
    styled,
)
from infra.environments import PROJECT

HARMFUL = (
    "\x1b[2J\x1b]0;title\x07\x1b]8;;http://evil\x1b\\",  # ESC, OSC, BEL
    "\x9b31m\x84\x85\x90\x9c\x7f\x08\r\x0b\x0c\x00",  # C1, DEL, BS, CR, VT, FF, NUL
    "\u202eevil\u202c\u2066\u2067\u2068\u2069\u200e\u200f\u061c",  # bidi
    "\u2028\u2029\n",  # lines
    "\u200b\u2060\ufeff\u00ad\u180e\U000e0041\U000e007f\U000e0101\u3164\u115f",  # unseen
    "\udc80\udcff\ud800",  # surrogates
    "\ue000\U0010ffff\u0378",  # private, no character, unassigned
)
MARKUP = "[bold]x[/] [link=http://evil]y[/link] [/] [red :smile: \\[b] \\"
ANYTHING = st.text(st.characters())  # surrogates, too

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("text", HARMFUL)
def test_what_could_harm_or_deceive_is_shown_by_its_escapes(text: str) -> None:
    shown = printable(f"a{text}b")
    assert shown.isprintable()
    assert shown[0] + shown[-1] == "ab"


@pytest.mark.parametrize(
    "text",
    [
        "Bücher",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with a ZWNJ
        "क्\u200dष",
        "❤️",
        "日本語",
        "a\\x1b",
        "\u0600\u0661",
        "e\u0301",
    ],
)
def test_what_names_are_made_of_is_shown_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_escapes_are_those_that_python_and_json_write() -> None:
    assert printable("a\n\t\x1b\x9b\u202e\U000e0041\udc80") == (
        r"a\n\t\x1b\x9b\u202e\U000e0041\udc80"
    )
    assert printable_lines("a\nb\x1b") == "a\nb\\x1b"


@given(ANYTHING)
def test_shown_text_holds_nothing_that_is_not_shown(text: str) -> None:
    shown = printable(text)
    assert all(map(is_shown, shown))
    assert printable(shown) == shown
    shown.encode()  # no surrogate is left


@given(ANYTHING)
def test_json_is_equal_when_parsed_and_harmless_before(text: str) -> None:
    document = printable_json(json.dumps({text: [text]}, ensure_ascii=False, indent=2))
    assert json.loads(document) == {text: [text]}
    assert all(map(is_shown, document.replace("\n", "")))


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_a_value_is_never_markup(first: str, second: str) -> None:
    line = styled("[bold]{}[/]: {}", first, second)
    assert line.plain == f"{printable(first)}: {printable(second)}"
    assert [(span.start, span.end, str(span.style)) for span in line.spans] == (
        [(0, len(printable(first)), "bold")] if first else []
    )


def test_a_styled_value_keeps_its_style_in_another_line() -> None:
    line = styled("[bold]{} and {:,}[/]", painted("[red]", "red"), 1234)
    assert line.plain == "[red] and 1,234"
    assert [str(style) for style in {span.style for span in line.spans}].count("bold") == 1
    assert any("red" in str(span.style) for span in line.spans)
    assert joined([line, line]).plain == f"{line.plain}, {line.plain}"


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def ways_to_print(text: str) -> Iterator[tuple[str, Callable[[], None]]]:
    yield "line", lambda: print_line(text)
    yield "styled", lambda: print_line(styled("[green]{}[/]", text))
    yield "lines", lambda: print_lines(text)
    yield "verbatim", lambda: print_verbatim(text)
    yield "heading", lambda: print_heading(text)
    yield "error", lambda: print_error(text, [text])
    yield "note", lambda: print_note(text)
    yield "beside", lambda: print_beside(text)
    yield "traceback", lambda: print_traceback(ValueError(text))
    yield "json", lambda: print_json({text: text})
    yield "table", lambda: print_table(text, (text,), [(text,)], more=text, limit=1)
    yield "cut table", lambda: print_table(text, (text,), [(text,), (text,)], more=text, limit=1)
    yield "empty table", lambda: print_table(text, (text,), [], empty=text)
    yield "progress", lambda: progressing(text)


def progressing(text: str) -> None:
    with progress(text) as say:
        say(text)


@pytest.mark.parametrize("is_terminal", [False, True])
@pytest.mark.parametrize("way", [name for name, _ in ways_to_print("")])
def test_every_way_to_print_shows_text_and_nothing_else(
    way: str, is_terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    for text in (*HARMFUL, MARKUP):
        screens = [Screen(), Screen()] if is_terminal else [io.StringIO(), io.StringIO()]
        monkeypatch.setattr("sys.stdout", screens[0])
        monkeypatch.setattr("sys.stderr", screens[1])
        dict(ways_to_print(f"<{text}>"))[way]()
        written = "".join(screen.getvalue() for screen in screens)
        assert written
        left = without_styles(written) if is_terminal else written
        assert all(map(is_shown, left.replace("\n", ""))), (way, left)
        if text == MARKUP and way not in ("json", "heading"):
            assert MARKUP in left


def without_styles(written: str) -> str:
    """Without the colours and movements that Rich itself writes."""
    return re.sub(r"\x1b\[[0-9;?]*[mKAhlJ]|\r", "", written)


def test_a_renderable_that_nobody_made_printable_is_made_so_as_it_leaves() -> None:
    from rich.panel import Panel
    from rich.text import Text

    sink = io.StringIO()
    Terminal(sink).print(Panel(Text("a\x9b\u202e\x1b]0;b")))
    assert not {"\x9b", "\u202e", "\x1b"} & set(sink.getvalue())


PRINTERS = ("infra/ecp/terminal/output.py", "infra/ecp/terminal/console.py")
PIPES = ("infra/local/background.py", "infra/ecp/terminal/streams.py")
"""One answers another process in lines of JSON, one tells whether anybody reads: neither shows."""
RICH_BY = {
    "infra/ecp/terminal/output.py": {"Rule", "Text"},
    "infra/ecp/terminal/console.py": {"Console", "ConsoleOptions", "RenderableType", "Segment",
                                      "Text"},
    "infra/ecp/terminal/tables.py": {"HEAVY_HEAD", "Box", "cell_len", "Group", "RenderableType",
                                     "Table", "Text"},
    "infra/ecp/batches/follow.py": {"Group", "Live", "Spinner", "Text"},
    "infra/ecp/submissions/submit.py": {"Text"},
}  # fmt: skip
"""What of Rich is used where; `Text` elsewhere is a type, and made by `styled` and `painted`."""
FORBIDDEN_CALLS = {"print", "echo", "secho", "prompt", "print_exception", "print_exc"}
STREAMS = {"stdout", "stderr", "__stdout__", "__stderr__"}


def modules() -> list[Path]:
    return sorted((PROJECT / "infra").rglob("*.py"))


def faults_of(source: str, path: str) -> list[str]:
    """How a module prints, or could, past the one place."""
    found = []
    for node in ast.walk(ast.parse(source)):
        where = f"{path}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            found += [f"{where} import {n.name}" for n in node.names if n.name.startswith("rich")]
            found += [f"{where} import click" for n in node.names if n.name == "click"]
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "rich":
            extra = {name.name for name in node.names} - RICH_BY.get(path, set())
            found += [f"{where} rich's {name}" for name in sorted(extra)]
        if path in PRINTERS:
            continue
        if isinstance(node, ast.Attribute) and path not in PIPES:
            is_stream = node.attr in STREAMS and ast.unparse(node.value) == "sys"
            found += [f"{where} {node.attr}"] * is_stream
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            of_typer = getattr(getattr(node.func, "value", None), "id", "") == "typer"
            if name in FORBIDDEN_CALLS or (of_typer and name == "confirm"):
                found.append(f"{where} {name}()")
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "styled":
            literal = node.args and isinstance(node.args[0], ast.Constant)
            if not literal:
                found.append(f"{where} styled() of a template that is not the code's own")
        if isinstance(node, ast.Call) and path != "infra/ecp/terminal/tables.py":
            is_text = getattr(node.func, "id", "") == "Text"
            found += [f"{where} Text made past styled() and painted()"] * is_text
        if isinstance(node, ast.ImportFrom) and node.module == "infra.ecp.terminal.output":
            used = {name.name for name in node.names}
            if "console" in used and path != "infra/ecp/batches/follow.py":
                found.append(f"{where} a console of its own")
    return found


@pytest.mark.medium
def test_no_module_of_infra_prints_any_other_way() -> None:
    faults = [
        fault
        for path in modules()
        for fault in faults_of(path.read_text(), path.relative_to(PROJECT).as_posix())
    ]
    assert faults == []


@pytest.mark.parametrize(
    "source",
    [
        "print(key)",
        "import sys\nsys.stdout.write(key)",
        "from rich.console import Console",
        "from rich.markup import escape",
        "import rich",
        "import typer\ntyper.echo(key)",
        "import typer\ntyper.confirm(key)",
        "from infra.ecp.terminal.output import console",
        "print_line(styled(f'[bold]{key}[/]'))",
        "import traceback\ntraceback.print_exc()",
    ],
)
def test_each_other_way_is_noticed(source: str) -> None:
    assert faults_of(source, "infra/ecp/kpis/why.py")


@pytest.mark.medium
def test_plain_lines_are_written_without_markup() -> None:
    """Markup in a plain string would be shown as it stands: `styled` is what was meant."""
    tag = re.compile(r"\[(/|bold|dim|red|green|yellow|cyan)[^\]]*\]")
    found = [
        f"{path.relative_to(PROJECT)}:{node.lineno}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "").startswith("print_")
        for argument in node.args
        if isinstance(argument, ast.Constant | ast.JoinedStr) and tag.search(ast.unparse(argument))
    ]
    assert found == []


@pytest.mark.medium
def test_every_character_is_decided_by_its_kind() -> None:
    unseen = [c for c in map(chr, range(0x110000)) if not is_shown(c)]
    assert {unicodedata.category(c) for c in unseen} >= {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert all(map(is_shown, "\u200c\u200d \u00a0\ufe0f"))


def test_what_goes_on_from_an_indented_line_stands_under_it(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    key = "orders/a-key-that-is-longer-than-the-terminal-is-wide.csv"
    print_line(f"  waits for rejected batch b1: a corrected {key} or none")
    print_line(styled("  [bold]{}[/] fits", "short"))
    print_line("no indent: wrapped where the terminal ends, at column 0")
    assert capsys.readouterr().out.split("\n") == [
        "  waits for rejected batch b1: a",
        "    corrected",
        f"    {key}",
        "    or none",
        "  short fits",
        "no indent: wrapped where the terminal",
        "ends, at column 0",
        "",
    ]
