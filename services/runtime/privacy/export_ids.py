"""Erasing one user from a file of another shape: an export that a source reads.

The columns that the source makes the user of say whose a row is: as they are, joined, or as the
request says that the user stands in them (`said_as`). In a row of the user they get the
token, and what the source has no use for (names, streets, telephones) is emptied. Where the columns
cannot be told, the id counts wherever it is a whole word. Pure: no clock, no I/O.
"""

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from contracts.messages import ExportColumns
from services.runtime.csv_files.texts import composed, plain_text
from services.runtime.privacy.user_ids import Found, Replacement
from services.runtime.sources.numbered import numbered_places

JOINTS = ("", " ", "-", "_", "/", ":", "|", ", ")
"""By which a source may join several columns to a user."""
MAX_RECORD_LINES = 1000
"""So far the end of a quoted field is looked for."""


class Cell(NamedTuple):
    """Where a field stands in its record, and what it says."""

    start: int
    end: int
    text: str


@dataclass
class ExportEraser:
    """Reads one export's unpacked bytes in order and gives them back with the token for the id."""

    columns: ExportColumns
    wanted: Replacement
    found: Found = field(default_factory=Found)
    _names: Sequence[str] | None = None
    """Of the header, once it is known."""
    _is_users_order: bool = False

    def rewritten(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The file in pieces; a record is held whole."""
        encoder = codecs.getincrementalencoder(self.columns.encoding)("surrogateescape")
        for text in self._texts(pieces):
            yield encoder.encode(text)

    def _texts(self, pieces: Iterable[bytes]) -> Iterator[str]:
        lines = _lines(pieces, self.columns.encoding)
        for _ in range(self.columns.skip_lines):
            yield self._by_words(next(lines, ""))
        pending: list[str] = []
        for line in lines:
            pending.append(line)
            if self._is_open("".join(pending)):
                if len(pending) < MAX_RECORD_LINES:
                    continue
                yield from self._broken(pending)
            else:
                yield self.record("".join(pending))
            pending = []
        yield from self._broken(pending)

    def _is_open(self, text: str) -> bool:
        """Whether a quoted field of the record goes on in the next line."""
        if self.columns.quoting == "none" or '"' not in text:
            return False
        if self.columns.quoting == "backslash":
            text = re.sub(r"\\.", "", text, flags=re.DOTALL)
        return text.count('"') % 2 == 1

    def _broken(self, lines: Sequence[str]) -> Iterator[str]:
        """Lines that are no record together: each by itself, by its words."""
        for line in lines:
            yield self._by_words(line)

    def _by_words(self, text: str) -> str:
        if not self._may_hold(text):
            return text
        after = self.wanted.in_words(text)
        self.found.count(text, after, self.wanted.token, certain=False)
        return after

    def _may_hold(self, text: str) -> bool:
        if self.wanted.is_in(text.encode(errors="surrogateescape")):
            return True
        folded = text.casefold()
        if self.wanted.said_as:
            bare = _bare(text)
            if any(
                all(_bare(part) in bare for part in said.values()) for said in self.wanted.said_as
            ):
                return True
        is_joined = len(self.columns.user_columns) > 1
        user_id = self.wanted.user_id.casefold()
        parts = re.split(r"[\s\-_/:|,]+", user_id) if is_joined else [user_id]
        return all(part in folded for part in parts)

    def record(self, text: str) -> str:
        """A record, its line break included; the first that is not blank is the header."""
        if not text.strip():
            return text
        if self._names is None:
            cells = _cells(text.lstrip("\ufeff"), self.columns)
            self._names = [cell.text for cell in cells]
            return text
        if not self._may_hold(text) and not self._is_users_order:
            return text
        cells, places = _cells(text, self.columns), self._places(self.columns.user_columns)
        if len(cells) < len(self._names) or not places:
            return self._by_words(text)
        said = [cells[place].text for place in places]
        named = {self._names[place].casefold(): cells[place].text for place in places}
        is_made_of = any(
            all(named.get(name.casefold()) == part for name, part in each.items())
            for each in self.wanted.said_as
        )
        goes_on = self.columns.carried_down and self._is_users_order and not any(said)
        self._is_users_order = goes_on or is_made_of or self._is_the_user(said)
        return self._of_the_user(text, cells, places) if self._is_users_order else text

    def _places(self, names: Sequence[str]) -> list[int]:
        """Where columns stand: as they are written, else without case, as a source binds them."""
        known = [*(self._names or ())]
        folded = [name.casefold() for name in known]
        exact = [known.index(name) for name in names if name in known]
        loose = [name.casefold() for name in names if name not in known]
        numbered = numbered_places(names, known).values()
        return sorted(
            {
                *exact,
                *(folded.index(name) for name in loose if name in folded),
                *(place for places in numbered for place in places.values()),
            }
        )

    def _is_the_user(self, said: Sequence[str]) -> bool:
        ours = {self.wanted.user_id.casefold(), self.wanted.token.casefold()}
        texts = {text.casefold() for text in said} | {
            joint.join(text for text in said if text).casefold() for joint in JOINTS
        }
        return not ours.isdisjoint(texts)

    def _of_the_user(self, text: str, cells: Sequence[Cell], users: Sequence[int]) -> str:
        used = self._places(self.columns.used_columns)
        after = text
        for place in reversed(range(len(cells))):
            start, end, said = cells[place]
            if place in users and said:
                after = f"{after[:start]}{self.wanted.token}{after[end:]}"
            elif place not in used and said:
                after = after[:start] + after[end:]
        self.found.count(text, after, self.wanted.token, certain=True)
        return after


def _bare(text: str) -> str:
    """A text however its quotes are written."""
    return re.sub(r'["\\]', "", composed(text))


@dataclass
class StatedUsers(ExportEraser):
    """Reads an export and changes nothing: what its user columns say, each combination once."""

    stated: set[tuple[tuple[str, str], ...]] = field(default_factory=set)

    def record(self, text: str) -> str:
        """A record, as it is; the first that is not blank is the header."""
        if not text.strip() or self._names is None:
            return super().record(text)
        cells, places = _cells(text, self.columns), self._places(self.columns.user_columns)
        if len(cells) >= len(self._names):
            self.stated.add(tuple((self._names[place], cells[place].text) for place in places))
        return text


def _cells(text: str, columns: ExportColumns) -> list[Cell]:
    """The fields of a record, and where they stand."""
    field_of, body = _field(columns.delimiter, columns.quoting), text.rstrip("\r\n")
    found: list[Cell] = []
    at, goes_on = 0, True
    while goes_on:
        match = field_of.match(body, at)
        if match is None:  # a field may be empty, so that one always begins here
            return found
        quoted = match["quoted"]
        said = match["bare"] if quoted is None else _unquoted(quoted, columns.quoting)
        found.append(Cell(match.start(), match.start("end"), plain_text(said)))
        at, goes_on = match.end(), bool(match["end"])
    return found


@cache
def _field(delimiter: str, quoting: str) -> re.Pattern[str]:
    end = re.escape(delimiter)
    inside = {"doubled": r'(?:[^"]|"")*+', "backslash": r'(?:[^"\\]|\\.)*+', "none": r"(?!)"}
    return re.compile(
        rf'(?:[ ]*+"(?P<quoted>{inside[quoting]})"[ ]*+|(?P<bare>[^{end}]*+))(?P<end>{end}|\Z)',
        re.DOTALL,
    )


def _unquoted(text: str, quoting: str) -> str:
    if quoting == "backslash":
        return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
    return text.replace('""', '"')


def _lines(pieces: Iterable[bytes], encoding: str) -> Iterator[str]:
    """The file's lines with their ends, LF or CRLF; a line is held whole."""
    decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
    pending = ""
    for piece in pieces:
        *done, pending = (pending + decoder.decode(piece)).split("\n")
        yield from (f"{line}\n" for line in done)
    pending += decoder.decode(b"", final=True)
    if pending:
        yield pending
