"""How the bytes of a file are to be read, measured on its first megabyte; nothing is guessed later.

What is measured stands in the draft of a source, and holds from then on (docs/design.md, Sources).
"""

import csv
import io
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

from contracts.errors import DataRejected
from contracts.sources.model import Encoding, FileFormat, Quoting
from infra.ecp.submissions.directories import why_not_sendable
from infra.ecp.terminal.errors import WrongUsage

HEAD_BYTES = 1 << 20
"""What is looked at of a file, once it is unpacked."""
MAX_ROWS = 1000
_MAX_TITLE_LINES = 20
"""Lines above a header that are looked through for it."""
_DELIMITERS = (",", ";", "\t", "|")
_QUOTINGS: tuple[Quoting, ...] = ("doubled", "backslash", "none")
Record = tuple[str, ...]


class NotReadable(DataRejected):
    """A file that nobody can read as a table of texts."""


@dataclass(frozen=True)
class Head:
    """The beginning of a file: its bytes, unpacked, and whether they are all."""

    path: Path
    content: bytes
    is_all: bool

    def text(self, encoding: Encoding) -> str | None:
        """The text by an encoding, without a byte order mark; None when it is no such text."""
        content = self.content
        for cut in range(1 if self.is_all else 4):
            try:
                return content[: len(content) - cut].decode(encoding).removeprefix("\ufeff")
            except UnicodeDecodeError:
                continue
        return None

    def records(self, file: FileFormat, most: int = MAX_ROWS) -> list[Record]:
        """The first records by a format, from the header on; none where they cannot be split.

        The last one is left away where the file goes on behind it.
        """
        text = self.text(file.encoding)
        if text is None:
            return []
        found = [*islice(_split(text, file, file.skip_lines), most + 1)]
        return found[:most] if self.is_all or len(found) > most else found[:-1]

    @cached_property
    def format(self) -> FileFormat:
        """How it is read, as measured; decimal and thousands are those of a plain number."""
        encoding = self._encoding()
        text = self.text(encoding) or ""
        best = max(
            (
                (*_evenness(text, FileFormat(delimiter, encoding, quoting)), -at)
                for at, (quoting, delimiter) in enumerate(
                    (quoting, delimiter) for quoting in _QUOTINGS for delimiter in _DELIMITERS
                )
            ),
        )
        quoting, delimiter = divmod(-best[2], len(_DELIMITERS))
        file = FileFormat(_DELIMITERS[delimiter], encoding, _QUOTINGS[quoting])
        return FileFormat(
            file.delimiter, encoding, file.quoting, skip_lines=_title_lines(text, file)
        )

    def _encoding(self) -> Encoding:
        for mark, encoding in _MARKS:
            if self.content.startswith(mark):
                if self.text(encoding) is None:
                    raise NotReadable(f"{self.path}: it begins as {encoding} and goes on otherwise")
                return encoding
        if b"\0" in self.content:
            raise NotReadable(
                f"{self.path}: it holds NUL bytes: it is no text, or UTF-16 without its mark; "
                "export it as CSV in UTF-8"
            )
        if self.text("utf-8") is not None:
            return "utf-8"
        return "cp1252" if self.text("cp1252") is not None else "latin-1"


_MARKS: tuple[tuple[bytes, Encoding], ...] = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


def read_head(path: Path) -> Head:
    """The first megabyte of a file, unpacked where it is gzip.

    Raises WrongUsage for what is no file, NotReadable for what is no text.
    """
    from services.validator.reading.file_text import why_no_text

    if path.is_dir():
        raise WrongUsage(f"{path}: this is a directory; name the files in it")
    if not path.exists() and not path.is_symlink():
        raise WrongUsage(f"{path}: there is no such file")
    if (fault := why_not_sendable(path, path.name)) is not None:
        raise WrongUsage(f"{path}: {fault}")
    with path.open("rb") as file:
        content = file.read(HEAD_BYTES + 1)
    if content.startswith(b"\x1f\x8b"):
        content = _unpacked(path, content)
    if not content.strip(b" \r\n\t\xef\xbb\xbf"):
        raise NotReadable(f"{path}: it is empty")
    if (why := why_no_text(content)) is not None:
        raise NotReadable(f"{path}: {why}")
    return Head(path, content[:HEAD_BYTES], len(content) <= HEAD_BYTES)


def _unpacked(path: Path, content: bytes) -> bytes:
    """At most one byte more than is looked at, whatever it would unpack to."""
    try:
        return zlib.decompressobj(wbits=31).decompress(content, HEAD_BYTES + 1)
    except zlib.error as error:
        raise NotReadable(f"{path}: it begins as gzip and cannot be unpacked ({error})") from error


def _split(text: str, file: FileFormat, skipped: int = 0) -> Iterator[Record]:
    """Records by a format, after so many lines; ends where a record cannot be read."""
    lines = io.StringIO(text, newline="")
    for _ in range(skipped):
        lines.readline()
    reader = csv.reader(
        lines,
        delimiter=file.delimiter,
        quoting=csv.QUOTE_NONE if file.quoting == "none" else csv.QUOTE_MINIMAL,
        doublequote=file.quoting == "doubled",
        escapechar="\\" if file.quoting == "backslash" else None,
    )
    try:
        yield from (tuple(record) for record in reader if record)
    except csv.Error:
        return


def _evenness(text: str, file: FileFormat) -> tuple[float, int]:
    """How many of the first records have the width that most have, and that width."""
    widths = Counter(len(record) for record in islice(_split(text, file), 200))
    if not widths:
        return 0.0, 0
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
    return (count / widths.total() if width > 1 else 0.0), width


def _title_lines(text: str, file: FileFormat) -> int:
    """Lines above the header, which is the first record as wide as most with names in it."""
    _, width = _evenness(text, file)
    lines = text.splitlines()[:_MAX_TITLE_LINES]
    for skipped in range(len(lines)):
        record = next(_split(text, file, skipped), ())
        if lines[skipped].strip() and len(record) == width and _is_header(record):
            return skipped
    return 0


def _is_header(record: Record) -> bool:
    names = [name.strip() for name in record if name.strip()]
    return len(names) * 2 > len(record) and not any(name[0].isdigit() for name in names[:2])
