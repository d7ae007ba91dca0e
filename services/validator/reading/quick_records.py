"""Records that are known from one look at the text, so that `csv_records.py` need not read them."""

import re
from functools import cache

from services.runtime.csv_files.csv_records import Layout, Record, body_of
from services.runtime.csv_files.texts import BLANKS

_MOST_BYTES = 1 << 16
_MOST_FIELDS = 30


class QuickRecords:
    """The records of a text whose lines end in LF or CRLF, and whose rows are of one width."""

    def __init__(self, text: bytes, layout: Layout) -> None:
        self._text, self._layout = text, layout
        self._pattern = _record_of(layout.width, layout.delimiter)

    def at(self, start: int, line: int) -> Record | None:
        """What `read_record` gives, where one look at the text shows a record of the right width.

        It starts at that byte, in that line. No line that goes on in it may have so many
        delimiters that it could be a row by itself.
        """
        match = self._pattern and self._pattern.match(self._text, start, start + _MOST_BYTES)
        if not match or b"\0" in match[0]:
            return None
        lines = match[0].split(b"\n")[:-1]
        width, delimiter = self._layout.width, self._layout.delimiter.encode()
        if any(each.count(delimiter) >= width - 1 for each in lines[1:]):
            return None
        groups = match.groups(b"")
        fields = [_field(*groups[at : at + 3]) for at in range(0, 3 * width, 3)]
        if len(lines) > 1:
            over_lines = [n for n in range(width) if b"\n" in groups[3 * n]]
            if not all(self._layout.may_hold(n, fields[n]) for n in over_lines):
                return None
        return Record(line, len(lines), body_of(match[0]), tuple(fields))


@cache
def _record_of(width: int, delimiter: str) -> re.Pattern[bytes] | None:
    """A record of so many fields, each quoted, a text formula, or bare; None where it is long."""
    if width > _MOST_FIELDS:
        return None
    blanks, end = BLANKS.replace(delimiter, "").encode(), re.escape(delimiter).encode()
    quoted = rb'[%b]*+"((?:[^"]++|"")*+)"[%b]*+' % (blanks, blanks)
    formula = rb'[%b]*+(="(?:[^"\r\n]++|"")*+")[%b]*+' % (blanks, blanks)
    field = rb'(?:%b|%b|([^"\r\n%b]*+))' % (quoted, formula, end)
    return re.compile(end.join([field] * width) + rb"\r?\n")


def _field(quoted: bytes, formula: bytes, bare: bytes) -> str:
    text = (formula or bare or quoted.replace(b'""', b'"')).decode()
    return text.strip(BLANKS)
