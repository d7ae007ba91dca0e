"""The cells of a block as expressions see them: composed, trimmed, and NULL where they say nothing.

What a text is worth is the same here as in the plain files' reading (csv_files/texts.py), for whole
columns at once.
"""

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from services.runtime.csv_files.texts import BLANKS, SPACES


def cells(texts: pa.ChunkedArray | pa.Array, missing: Collection[str]) -> pa.Array:
    """A column of texts in NFC, every space a space, without spaces around; missing ones NULL."""
    column = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    if not pc.all(pc.string_is_ascii(column), min_count=0).as_py():
        column = pc.utf8_normalize(column, form="NFC")
        column = pc.replace_substring_regex(column, f"[{SPACES}]", " ")
    column = pc.utf8_trim(column, characters=BLANKS)
    nothing = pc.is_in(column, value_set=pa.array(sorted(missing), column.type))
    return pc.if_else(nothing, pa.scalar(None, column.type), column)
