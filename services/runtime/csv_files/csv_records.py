"""One CSV record from physical lines, and which quote is stray; knows no columns and no files.

RFC 4180, strictly: a quoted field opens at the start of a field and closes at its end (spaces and
tabs around the quotes are fine), a quote inside is doubled, and an unquoted field holds no quote
but those of `="0001"`, by which spreadsheets keep a text a text. Fields at the end that the header
has no names for are dropped if they are empty, or below names that are.
What does not fit is a broken record, and a broken record is always one physical line: the lines
after it are read on their own. A quoted field may hold line breaks, unless that would swallow
rows: see `read_record`. A record that holds a NUL byte is bad, whatever else it holds.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, Protocol

from services.runtime.csv_files.advice import BACKSLASHES
from services.runtime.csv_files.texts import BLANKS, plain_text

MAX_RECORD_BYTES = 1 << 20
"""Longest record, and how far the end of a quoted field is looked for; 1 MiB."""

NUL_RULE = "record.nul"
STRAY_QUOTE = "a quote stands inside a field that does not start with one"
TEXT_AFTER_QUOTE = "text follows the closing quote of a field"
NO_END_BEFORE_A_ROW = "a quoted field does not close before the next row"


@dataclass(frozen=True)
class _Grammar:
    """How fields look where this delimiter stands between them; blanks may stand around them."""

    blanks: str
    opening_quote: re.Pattern[str]
    after_closing_quote: re.Pattern[str]
    bare_field: re.Pattern[str]
    formula: re.Pattern[str]


@cache
def _grammar(delimiter: str) -> _Grammar:
    blanks, end = BLANKS.replace(delimiter, ""), re.escape(delimiter)
    return _Grammar(
        blanks=blanks,
        opening_quote=re.compile(rf'[{blanks}]*+"'),
        after_closing_quote=re.compile(rf"[{blanks}]*+({end}|\Z)"),
        bare_field=re.compile(rf'([^"{end}]*+)({end}|\Z)'),
        formula=re.compile(rf'[{blanks}]*+(="(?:[^"]++|"")*+")[{blanks}]*+({end}|\Z)'),
    )


_QUOTED_TEXT = re.compile(r'(?:[^"]++|"")*+')


@dataclass(frozen=True)
class Problem:
    """Why a record or a field is bad: the rule's name, and what is wrong in words."""

    rule: str
    text: str
    column: str | None = None


NUL_PROBLEM = Problem(NUL_RULE, "the row holds a NUL byte: export it again")


class Record(NamedTuple):
    """One record: trimmed fields, or the problem that makes it bad; neither when blank.

    A row with a NUL byte may have both.

    `first` is the index of its first physical line, `raw` its text without the last line break.
    """

    first: int
    line_count: int
    raw: str
    fields: tuple[str, ...] | None = None
    problem: Problem | None = None

    def at(self, first: int) -> "Record":
        """The same record on another line."""
        return Record(first, *self[1:])


@dataclass(frozen=True)
class FirstLine:
    """The layout of a header: one line, of whatever width."""

    delimiter: str = ","
    width: int = 0
    spare: int = 0

    def is_healthy_row(self, _fields: Sequence[str]) -> bool:
        """No row yet."""
        return False

    def may_hold(self, _position: int, _value: str) -> bool:
        """No name has several lines."""
        return False


class Layout(Protocol):
    """What the reader has to know of the rows to tell a stray quote from a long field."""

    @property
    def width(self) -> int:
        """How many fields a row has; 0 where nobody knows."""

    @property
    def spare(self) -> int:
        """How many more it may have without meaning anything by it."""

    @property
    def delimiter(self) -> str:
        """The character between two fields."""

    def is_healthy_row(self, fields: Sequence[str]) -> bool:
        """Whether these fields make a row without any fault."""

    def may_hold(self, position: int, value: str) -> bool:
        """Whether the column at that position can hold this text of several lines."""


def read_record(
    lines: Sequence[bytes], first: int, layout: Layout, *, is_last_block: bool
) -> Record | None:
    """The record that starts at `lines[first]`; None when it may end after the last line given.

    Lines are physical lines with their line breaks, valid UTF-8. A quoted field goes on over line
    breaks only if, within 1 MiB, it closes properly, the record then has the expected width, the
    columns holding the line breaks may hold them, and no line on the way is a healthy row by
    itself (nor a part of one that a CR ends). Otherwise its opening quote is stray and the first
    line alone is the broken record.
    """
    line = lines[first]
    if len(line) > MAX_RECORD_BYTES:
        return _too_long(first, line)
    record = _read(lines, first, layout, is_last_block)
    if record and "\0" in record.raw:
        return record._replace(problem=NUL_PROBLEM)
    return record


def is_split_by_returns(record: Record, first_line: bytes, layout: Layout) -> bool:
    """Whether the CRs inside a line end lines, in a file whose lines end in LF or CRLF.

    They do if the record that begins there is no row of the expected width, or if every part that
    they leave is a healthy row or blank; otherwise they are content, for a column to judge. A
    line of more than 1 MiB is never split.
    """
    if len(first_line) > MAX_RECORD_BYTES or b"\r" not in first_line:
        return False
    parts = body_of(first_line).split("\r")
    if len(parts) == 1:
        return False
    if record.fields is None or len(record.fields) != layout.width:
        return True
    return all(_is_healthy(part, layout) for part in parts if part.strip(BLANKS))


def fields_before_fault(text: str, delimiter: str) -> list[str]:
    """The fields of a broken record's first line that end before what is wrong with it."""
    scan = _Scan(delimiter)
    scan.read_line(text)
    fields = scan.fields if scan.is_open or scan.fault else scan.fields[:-1]
    return [field.strip(BLANKS) for field in fields]


def field_span(text: str, position: int, delimiter: str = ",") -> tuple[int, int]:
    """Where the value of a field stands in a readable record's text, blanks and quotes left out.

    Quotes inside are doubled there. `position` counts from 0 and is one of the record's fields.
    """
    start = 0
    for _ in range(position):
        start = _field_end(text, start, delimiter) + 1
    opening = _grammar(delimiter).opening_quote.match(text, start)
    inside = _QUOTED_TEXT.match(text, opening.end()) if opening else None
    first, after = inside.span() if inside else (start, _field_end(text, start, delimiter))
    value = text[first:after]
    first += len(value) - len(value.lstrip(BLANKS))
    return first, first + len(value.strip(BLANKS))


def _field_end(text: str, start: int, delimiter: str) -> int:
    """The index of the delimiter after the field that begins at `start`, or of the text's end."""
    grammar = _grammar(delimiter)
    if formula := grammar.formula.match(text, start):
        return formula.start(2)
    opening = grammar.opening_quote.match(text, start)
    inside = _QUOTED_TEXT.match(text, opening.end()) if opening else None
    end = text.find(delimiter, inside.end() if inside else start)
    return end if end >= 0 else len(text)


def _read(lines: Sequence[bytes], first: int, layout: Layout, is_last_block: bool) -> Record | None:
    line = lines[first]
    body = body_of(line)
    if '"' not in body:
        return _without_quotes(first, body, layout)
    scan = _Scan(layout.delimiter)
    scan.read_line(body)
    position, size = first, len(line)
    while scan.is_open:
        position += 1
        if position == len(lines):
            if is_last_block:
                return _broken(first, body, "a quoted field never closes")
            return None
        size += len(lines[position])
        if size > MAX_RECORD_BYTES or len(scan.fields) >= layout.width + layout.spare:
            return _broken(first, body, "a quoted field does not close in time")
        following = body_of(lines[position])
        if _holds_healthy_row(following, layout):
            return _broken(first, body, NO_END_BEFORE_A_ROW)
        scan.continue_on(following, _line_break(lines[position - 1]))
    if scan.fault:
        return _broken(first, body, scan.fault)
    fields = _fitted([field.strip(BLANKS) for field in scan.fields], layout)
    if position == first:
        return Record(first, 1, body, fields)
    spans = [(n, fields[n]) for n in scan.positions_over_lines if n < len(fields)]
    if len(fields) != layout.width or not all(layout.may_hold(n, value) for n, value in spans):
        return _broken(first, body, "a quoted field does not close on its line")
    count = position - first + 1
    raw = body_of(b"".join(lines[first : position + 1]))
    return Record(first, count, raw, fields)


def _without_quotes(first: int, body: str, layout: Layout) -> Record:
    if layout.delimiter not in body and not body.strip(BLANKS + "\r"):
        return Record(first, 1, body)
    fields = [field.strip(BLANKS) for field in body.split(layout.delimiter)]
    return Record(first, 1, body, _fitted(fields, layout))


class _Scan:
    """Fields read so far; `is_open` while a quoted field goes on, `fault` once a quote is wrong."""

    def __init__(self, delimiter: str) -> None:
        self._delimiter, self._grammar = delimiter, _grammar(delimiter)
        self.fields: list[str] = []
        self.positions_over_lines: list[int] = []
        self.is_open = False
        self.fault: str | None = None
        self._held: list[str] = []

    def read_line(self, text: str, start: int = 0) -> None:
        """Read fields from `start` to the end of the line."""
        if text.find('"', start) < 0:
            self.fields.extend(text[start:].split(self._delimiter))
            return
        while True:
            quote = self._grammar.opening_quote.match(text, start)
            if quote:
                self._held = []
                after = self._read_quoted(text, quote.end())
            else:
                after = self._read_bare(text, start)
            if after is None:
                return
            start = after

    def continue_on(self, text: str, line_break: str) -> None:
        """Go on reading a quoted field on the next line."""
        if len(self.fields) not in self.positions_over_lines:
            self.positions_over_lines.append(len(self.fields))
        self._held.append(line_break)
        after = self._read_quoted(text, 0)
        if after is not None:
            self.read_line(text, after)

    def _read_bare(self, text: str, start: int) -> int | None:
        match = self._grammar.bare_field.match(text, start)
        match = match or self._grammar.formula.match(text, start)
        if not match:
            self.fault = STRAY_QUOTE
            return None
        self.fields.append(match[1])
        return match.end() if match[2] else None

    def _read_quoted(self, text: str, start: int) -> int | None:
        inside = _QUOTED_TEXT.match(text, start)
        end = inside.end() if inside else start
        self._held.append(text[start:end])
        self.is_open = end == len(text)
        if self.is_open:
            return None
        closing = self._grammar.after_closing_quote.match(text, end + 1)
        if not closing:
            self.fault = TEXT_AFTER_QUOTE
            return None
        self.fields.append("".join(self._held).replace('""', '"'))
        return closing.end() if closing[1] else None


def _holds_healthy_row(body: str, layout: Layout) -> bool:
    if _is_healthy(body, layout):
        return True
    return "\r" in body and any(_is_healthy(part, layout) for part in body.split("\r"))


def _is_healthy(body: str, layout: Layout) -> bool:
    """Whether a line is a healthy row by itself; most lines of prose fail at the comma count."""
    if body.count(layout.delimiter) < layout.width - 1 or "\0" in body or body.count('"') % 2:
        return False
    if '"' in body:
        scan = _Scan(layout.delimiter)
        scan.read_line(body)
        if scan.is_open or scan.fault:
            return False
        parts = scan.fields
    else:
        parts = body.split(layout.delimiter)
    fields = [field.strip(BLANKS) for field in parts]
    return layout.is_healthy_row(_fitted(fields, layout))


def _fitted(fields: list[str], layout: Layout) -> tuple[str, ...]:
    """The fields, without those at the end that no column is for, if the row may have them."""
    width = layout.width
    if 0 < width < len(fields) and not any(map(plain_text, fields[width + layout.spare :])):
        return tuple(fields[:width])
    return tuple(fields)


def broken(text: str, *, has_backslashes: bool) -> Problem:
    """What is wrong with a broken record, which may have backslashes before quotes."""
    advice = 'quote the whole field and double the quotes inside, such as "24"" screen"'
    return Problem("record.quote", f"{text}: {BACKSLASHES if has_backslashes else advice}")


def _broken(first: int, body: str, text: str) -> Record:
    return Record(first, 1, body, problem=broken(text, has_backslashes='\\"' in body))


def _too_long(first: int, line: bytes) -> Record:
    text = f"the line is longer than {MAX_RECORD_BYTES:,} bytes"
    if b"\r" in line[:MAX_RECORD_BYTES].rstrip(b"\r\n"):
        text += " and holds carriage returns: end all lines of the file in the same way"
    return Record(first, 1, body_of(line), problem=Problem("record.length", text))


def body_of(line: bytes) -> str:
    """A line's text without its line break, which is LF, CRLF or CR."""
    return line.decode(errors="replace").removesuffix("\n").removesuffix("\r")


def _line_break(line: bytes) -> str:
    return line[len(line.rstrip(b"\r\n")) :][-2:].decode()
