"""`user_id` as the facts may know it: a keyed hash of it (services/runtime/privacy/pseudonyms.py).

The same person always gets the same pseudonym, and nobody without the keys can tell who it is. Raw
ids stay in the inputs, the quarantine and the archive.
"""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from services.runtime.privacy.pseudonyms import NOBODY, Keyed

COLUMN = "user_id"


class Pseudonyms:
    """Pseudonyms under a chain of keys, the oldest first."""

    def __init__(self, key: bytes, *later: bytes) -> None:
        self._first = Keyed(key)
        self._later = tuple(map(Keyed, later))

    @property
    def check(self) -> str:
        """Which keys were used (services/runtime/privacy/pseudonyms.py, check_of)."""
        return self.of(NOBODY.encode())

    def of(self, user_id: bytes) -> str:
        """The pseudonym of an id in UTF-8: 64 hex digits."""
        [pseudonym] = self._of_each([user_id])
        return pseudonym

    def applied_to(self, table: Any) -> Any:
        """The same rows with pseudonyms for ids; a table without user ids comes back unchanged."""
        if COLUMN not in table.column_names:
            return table
        ids = pc.dictionary_encode(table[COLUMN].combine_chunks())
        distinct = ids.dictionary.cast(pa.binary()).to_pylist()
        pseudonyms = pa.array(self._of_each(distinct), pa.string())
        position = table.column_names.index(COLUMN)
        return table.set_column(position, COLUMN, pc.take(pseudonyms, ids.indices))

    def _of_each(self, ids: list[bytes]) -> list[str]:
        of = self._first.of
        pseudonyms = [of(user_id) for user_id in ids]
        for keyed in self._later:
            of = keyed.of
            pseudonyms = [of(pseudonym.encode()) for pseudonym in pseudonyms]
        return pseudonyms
