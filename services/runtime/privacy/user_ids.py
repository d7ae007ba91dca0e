"""Putting a token in the place of one user's id in CSV text; every other byte stays as it is.

A record that the reader of the pipeline can read is the user's if its user_id column says so. One
that it cannot read is taken for the user's if the id stands in it as a whole word, wherever: it is
better to erase too much there. Pure: no clock, no I/O.
"""

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from contracts.file_contracts import file_contract
from services.runtime.csv_files.bad_file import BadFile
from services.runtime.csv_files.csv_records import (
    FirstLine,
    Layout,
    Record,
    field_span,
    is_split_by_returns,
    read_record,
)
from services.runtime.csv_files.header import is_separator_line, names_of, read_header
from services.runtime.csv_files.row_checks import row_checks
from services.runtime.csv_files.texts import composed, plain_text, without_marks

USER_COLUMN = "user_id"
BLOCK_BYTES = 1 << 20
_NEITHER_WORD = r"\s,;|:=\"'()<>\[\]{}"
"""What may stand beside an id that is a word of its own."""
_LINE = {
    False: re.compile(rb"[^\n]*\n|[^\n]+\Z"),
    True: re.compile(rb"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+\Z"),
}
_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


@dataclass(frozen=True)
class Replacement:
    """One user's id, and the token that takes its place: 1 to 64 characters that need no quotes.

    The id is as `texts.plain_text` gives it; files may spell it in other ways.
    """

    user_id: str
    token: str
    said_as: tuple[Mapping[str, str], ...] = ()
    """Texts of an export's columns, by their names, of which its source makes the id."""

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The id as text may spell it: quotes doubled once or twice, or written in Windows-1252."""
        spelled = {self.user_id.replace('"', '"' * times) for times in (1, 2, 4)}
        narrow = self.user_id.encode("cp1252", errors="ignore")
        if narrow.decode("cp1252") == self.user_id:
            spelled.add(narrow.decode(errors="surrogateescape"))
        return tuple(sorted(spelled, key=len, reverse=True))

    @cached_property
    def needles(self) -> tuple[bytes, ...]:
        """Bytes without which a text holds neither the id nor the token."""
        texts = (*self.words, self.token)
        narrow = {text.encode(errors="surrogateescape") for text in texts}
        wide = {
            text.encode(encoding)
            for text in (self.user_id, self.token)
            for encoding in _UTF_16.values()
        }
        return tuple(sorted(narrow | wide))

    @cached_property
    def _word(self) -> re.Pattern[str]:
        spelled = "|".join(map(re.escape, self.words))
        return re.compile(f"(?<![^{_NEITHER_WORD}])(?:{spelled})(?![^{_NEITHER_WORD}])")

    def in_words(self, text: str) -> str:
        """The text with the token for the id wherever that is a whole word.

        Where the id is only seen once letters are composed and spaces made plain, all of the text
        is.
        """
        plain = composed(text)
        return self._word.sub(self.token, plain if self._word.search(plain) else text)

    def is_in(self, content: bytes) -> bool:
        """Whether the id or the token may be in these bytes."""
        if any(needle in content for needle in self.needles):
            return True
        if content.isascii():
            return False
        plain = composed(content.decode(errors="surrogateescape")).encode(errors="surrogateescape")
        return any(needle in plain for needle in self.needles)


@dataclass
class Found:
    """What a text holds of a user once the token stands in the place of the id.

    `rows` are records whose user_id column says the token, `uncertain_rows` those that could not
    be read and hold it as a word. `replaced`: how many of both said the id before.
    """

    rows: int = 0
    uncertain_rows: int = 0
    replaced: int = 0

    def count(self, before: str, after: str, token: str, *, certain: bool) -> None:
        """One record that holds the user."""
        self.replaced += before != after
        if certain:
            self.rows += 1
        elif token in after:
            self.uncertain_rows += 1


@dataclass(frozen=True)
class Columns:
    """A layout that knows the width of a row and where its user_id stands, and no contract."""

    width: int
    user_position: int
    delimiter: str = ","
    spare: int = 0

    def is_healthy_row(self, _fields: Sequence[str]) -> bool:
        """It cannot tell."""
        return False

    def may_hold(self, _position: int, _value: str) -> bool:
        """Any text."""
        return True


def columns_named(names: Sequence[str], delimiter: str = ",", spare: int = 0) -> Columns | None:
    """Where user_id stands among a header's names; None unless it stands there exactly once."""
    lowered = [name.lower() for name in names]
    if lowered.count(USER_COLUMN) != 1:
        return None
    return Columns(len(lowered), lowered.index(USER_COLUMN), delimiter, spare)


def erase_in_record(raw: str, columns: Columns | None, wanted: Replacement, found: Found) -> str:
    """One record's text with the token for the id; without `columns` every word counts."""
    lines = _LINE[False].findall(raw.encode(errors="surrogateescape"))
    record = read_record(lines, 0, columns, is_last_block=True) if lines and columns else None
    if record is not None and record.line_count != len(lines):
        record = None
    return _erased(raw, record, columns, wanted, found)


def _erased(
    raw: str, record: Record | None, columns: Columns | None, wanted: Replacement, found: Found
) -> str:
    """`raw` is the record's text, its line break included; `record` what was read of it."""
    fields = record.fields if record and not record.problem else None
    if fields and columns and len(fields) == columns.width:
        if plain_text(fields[columns.user_position]) not in (wanted.user_id, wanted.token):
            return raw
        start, end = field_span(raw.rstrip("\r\n"), columns.user_position, columns.delimiter)
        after = f"{raw[:start]}{wanted.token}{raw[end:]}"
        found.count(raw, after, wanted.token, certain=True)
        return after
    after = wanted.in_words(raw)
    found.count(raw, after, wanted.token, certain=False)
    return after


@dataclass
class FileEraser:
    """Reads one file's unpacked bytes in order and gives them back with the token for the id.

    `kind` is the file's contract; `today` bounds its dates, which tells a row from a stray quote.
    """

    kind: str
    today: date
    wanted: Replacement
    found: Found = field(default_factory=Found)

    def rewritten(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The file, in pieces of about a MiB; a line without an end is held whole."""
        blocks = _blocks(iter(pieces))
        first = next(blocks, b"")
        if encoding := _utf_16_of(first):
            yield from self._in_words_of(encoding, first, blocks)
            return
        mark = first[: len(first) - len(without_marks(first))]
        yield mark
        reading = _Reading(self, _returns_end_lines(first))
        pending = first[len(mark) :]
        for block in blocks:
            done, pending = reading.take(pending, is_last=False)
            yield done
            pending += block
        yield reading.take(pending, is_last=True)[0]

    def _in_words_of(self, encoding: str, first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
        """UTF-16 is never a readable file: words only, line by line."""
        decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
        pending = ""
        for block in (first, *rest, None):
            pending += decoder.decode(block or b"", final=block is None)
            lines = pending.splitlines(keepends=True)
            pending = lines.pop() if lines and block is not None else ""
            done = "".join(_erased(line, None, None, self.wanted, self.found) for line in lines)
            yield done.encode(encoding, "surrogatepass")


class _Reading:
    """The records of one file; its first that is not blank says which column is whose."""

    def __init__(self, eraser: FileEraser, returns_end_lines: bool) -> None:
        self._eraser = eraser
        self._returns_end_lines = returns_end_lines
        self._has_header = False
        self._is_nobodys = False
        self._columns: Columns | None = None
        self._layout: Layout = FirstLine()

    def take(self, text: bytes, *, is_last: bool) -> tuple[bytes, bytes]:
        """The records that end in this text, rewritten, and the rest of it."""
        lines = _LINE[self._returns_end_lines].findall(text)
        rest = [] if is_last or not lines else [lines.pop()]
        done: list[bytes] = []
        at = 0
        while at < len(lines):
            if self._is_plain(lines[at]):
                done.append(lines[at])
                at += 1
                continue
            record = read_record(lines, at, self._layout, is_last_block=is_last)
            if record is None:
                break
            if self._is_split(record, lines[at]):
                done += self._of_parts(_LINE[True].findall(lines[at]))
                at += 1
                continue
            raw = b"".join(lines[at : at + record.line_count])
            done.append(self._of_record(raw, record))
            at += record.line_count
        return b"".join(done), b"".join(lines[at:] + rest)

    def _is_plain(self, line: bytes) -> bool:
        """One record for sure, in which neither the id nor the token stands."""
        if self._is_nobodys:
            return True
        is_simple = b'"' not in line and b"\r" not in line.rstrip(b"\r\n")
        return self._has_header and is_simple and not self._eraser.wanted.is_in(line)

    def _is_split(self, record: Record, line: bytes) -> bool:
        if self._returns_end_lines or not self._has_header:
            return False
        return is_split_by_returns(record, line, self._layout)

    def _of_record(self, raw: bytes, record: Record) -> bytes:
        if not self._has_header:
            return self._of_header(raw, record)
        return self._rewritten(raw, record)

    def _of_parts(self, parts: list[bytes]) -> Iterator[bytes]:
        at = 0
        while at < len(parts):
            record = read_record(parts, at, self._layout, is_last_block=True)
            count = record.line_count if record else 1
            yield self._rewritten(b"".join(parts[at : at + count]), record)
            at += count

    def _of_header(self, raw: bytes, record: Record) -> bytes:
        """Blank lines before the header are skipped, and one that only names the delimiter.

        A line that is no header is searched itself.
        """
        if not (record.fields or record.problem) or is_separator_line(record):
            return raw
        self._has_header = True
        contract = file_contract(self._eraser.kind)
        names = names_of(record)
        self._columns = columns_named(names)
        try:
            header = read_header(record, contract)
        except BadFile:
            self._layout = self._columns or FirstLine()
            return raw if self._columns else self._rewritten(raw, None)
        self._columns = columns_named(header.names, header.delimiter, header.spare)
        self._layout = row_checks(contract, header, self._eraser.today)
        self._is_nobodys = USER_COLUMN not in header.names
        return raw

    def _rewritten(self, raw: bytes, record: Record | None) -> bytes:
        wanted, found = self._eraser.wanted, self._eraser.found
        if not wanted.is_in(raw):
            return raw
        text = raw.decode(errors="surrogateescape")
        if any("\udc80" <= character <= "\udcff" for character in text):
            record = None
        after = _erased(text, record, self._columns, wanted, found)
        return after.encode(errors="surrogateescape")


def _blocks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces joined to about BLOCK_BYTES."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= BLOCK_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _returns_end_lines(text: bytes) -> bool:
    """Whether the first line ends with a CR alone."""
    first = re.search(rb"\r\n?|\n", text)
    return first is not None and first[0] == b"\r"


def _utf_16_of(text: bytes) -> str | None:
    """The kind of UTF-16 that the text is in, by its mark or its first character."""
    for mark, encoding in _UTF_16.items():
        if text.startswith(mark):
            return encoding
    if b"\0" not in text[:2]:
        return None
    return "utf-16-be" if text.startswith(b"\0") else "utf-16-le"
