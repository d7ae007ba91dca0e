"""The accepted rows of one file on their way to S3: a local Parquet file for each kind."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from contracts.file_contracts import file_contract
from contracts.sources.model import Kind
from services.validator.pseudonyms import Pseudonyms
from services.validator.reading.staged_rows import accepted_schema
from services.validator.reading.verdict import FileCheck
from services.validator.row_files import RowFile, keep_standing
from services.validator.sources.staged_columns import staged_schema

WITH_USERS: Kind = "orders"
"""The kind whose rows name users."""


class StagedKinds:
    """Use as a context manager; user ids become pseudonyms on their way in."""

    def __init__(
        self,
        folder: Path,
        kinds: Sequence[Kind],
        pseudonyms: Pseudonyms | None,
        *,
        by_source: bool,
    ) -> None:
        self._stack = ExitStack()
        self._is_plain = not by_source
        self._files: dict[Kind, RowFile] = {}
        for kind in kinds:
            path = folder / f"{kind}.parquet"
            schema = accepted_schema(file_contract(kind)) if self._is_plain else staged_schema(kind)
            named = [pseudonyms.applied_to] if pseudonyms and kind == WITH_USERS else []
            self._files[kind] = self._stack.enter_context(RowFile(path, schema, *named))

    def __enter__(self) -> "StagedKinds":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def write(self, kind: Kind, rows: Any) -> None:
        """Append rows of a kind."""
        self._files[kind].write(rows)

    def writer(self, kind: Kind) -> Callable[[Any], None]:
        """Appends rows of that kind."""
        return self._files[kind].write

    def finish(self, check: FileCheck) -> dict[Kind, int]:
        """Close the files and take out what does not stand; how many rows each holds."""
        held = {kind: file.finish() for kind, file in self._files.items()}
        removed = {kind.kind: kind.removed for kind in check.kinds}
        for kind, file in self._files.items():
            gone = check.removed if self._is_plain else removed.get(kind)
            if gone:
                held[kind] = keep_standing(file.path, gone)
        return held

    def paths(self, check: FileCheck) -> dict[Kind, Path | None]:
        """By kind the file, None where it has no row that is accepted."""
        accepted = {kind.kind: kind.accepted for kind in check.kinds}
        return {
            kind: file.path if (check.accepted if self._is_plain else accepted.get(kind)) else None
            for kind, file in self._files.items()
        }
