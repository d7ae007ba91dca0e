"""The text of a source's file as the reader of plain files knows it: UTF-8, and quotes doubled.

A quote that is no quote there (escaped by a backslash, or in a file without quoting) is one of
Unicode's noncharacters on its way through, and itself again in every cell and in the raw text.
"""

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pyarrow.compute as pc

from contracts.sources.model import FileFormat, Quoting
from services.runtime.csv_files.bad_file import BadFile
from services.validator.reading.file_text import ByteStream, LineEnds, checked_text
from services.validator.reading.line_blocks import ReadText

_QUOTE, _BACKSLASH = "\U0010ffff", "\U0010fffe"
_MARKS = tuple(mark.encode() for mark in (_QUOTE, _BACKSLASH))
_ESCAPED = re.compile(rb'\\([\\"])')
_MARK_OF = {b'"': _MARKS[0], b"\\": _MARKS[1]}


def text_reader(form: FileFormat) -> ReadText:
    """Gives the text of files of this format."""
    return partial(_read, form=form)


def _read(
    stream: ByteStream, name: str, size: int, ends: LineEnds, *, form: FileFormat
) -> Iterator[bytes]:
    chunks = checked_text(stream, name, size, ends, form.encoding)
    return chunks if form.quoting == "doubled" else _marked(chunks, form.quoting)


def _marked(chunks: Iterator[bytes], quoting: Quoting) -> Iterator[bytes]:
    pending = b""
    for chunk in chunks:
        if any(mark in chunk for mark in _MARKS):
            raise BadFile(
                "file.encoding", "the file holds U+10FFFF or U+10FFFE, which are no characters"
            )
        if quoting == "none":
            yield chunk.replace(b'"', _MARKS[0])
            continue
        text = _ESCAPED.sub(lambda found: _MARK_OF[found[1]], pending + chunk)
        pending = text[len(text.rstrip(b"\\")) :]
        yield text[: len(text) - len(pending)]
    if pending:
        yield pending


def restored_cells(texts: Any) -> Any:
    """Cells of an Arrow array without marks."""
    return _restored(texts, '"', "\\")


def restored_rows(texts: Any, quoting: Quoting) -> Any:
    """Whole rows, as they stand in the file."""
    return texts if quoting == "doubled" else _restored(texts, *_written(quoting))


def holds_marks(text: bytes) -> bool:
    """Whether any cell of the text has to be restored."""
    return any(mark in text for mark in _MARKS)


def _written(quoting: Quoting) -> tuple[str, str]:
    return ('"', "") if quoting == "none" else ('\\"', "\\\\")


def _restored(texts: Any, quote: str, backslash: str) -> Any:
    for mark, written in ((_QUOTE, quote), (_BACKSLASH, backslash)):
        texts = pc.replace_substring(texts, mark, written)
    return texts
