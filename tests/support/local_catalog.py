"""An Iceberg catalog in a dictionary, its tables on the local disk: pyiceberg without a server."""

import threading
from pathlib import Path
from typing import Any

from pyiceberg.catalog import MetastoreCatalog
from pyiceberg.exceptions import NoSuchTableError, TableAlreadyExistsError
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.serializers import FromInputFile
from pyiceberg.table import CommitTableResponse, Table
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER


class LocalCatalog(MetastoreCatalog):
    """Commits one at a time and holds writers to their requirements, as Glue does."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            "local",
            **{
                "warehouse": f"file://{folder}",
                "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO",
            },
        )
        self._folder = folder
        self.metadata_locations: dict[str, str] = {}
        self._lock = threading.Lock()

    def forked(self) -> "LocalCatalog":
        """A catalog of its own over the same files, which never change once written."""
        fork = LocalCatalog(self._folder)
        fork.metadata_locations = dict(self.metadata_locations)
        return fork

    def load_table(self, identifier: Any) -> Table:
        """The table at its newest metadata."""
        name = self.identifier_to_table_name(identifier)
        if name not in self.metadata_locations:
            raise NoSuchTableError(name)
        location = self.metadata_locations[name]
        io = self._load_file_io(location=location)
        metadata = FromInputFile.table_metadata(io.new_input(location))
        return Table(self.identifier_to_tuple(identifier), metadata, location, io, self)

    def create_table(
        self,
        identifier: Any,
        schema: Any,
        location: str | None = None,
        partition_spec: Any = UNPARTITIONED_PARTITION_SPEC,
        sort_order: Any = UNSORTED_SORT_ORDER,
        properties: Any = None,
    ) -> Table:
        """A new table, or TableAlreadyExistsError."""
        staged = self._create_staged_table(
            identifier, schema, location, partition_spec, sort_order, properties or {}
        )
        name = self.identifier_to_table_name(identifier)
        with self._lock:
            if name in self.metadata_locations:
                raise TableAlreadyExistsError(name)
            self._write_metadata(staged.metadata, staged.io, staged.metadata_location)
            self.metadata_locations[name] = staged.metadata_location
        return self.load_table(identifier)

    def commit_table(self, table: Table, requirements: Any, updates: Any) -> CommitTableResponse:
        """Check the requirements against the newest metadata, then write the next."""
        with self._lock:
            current = self.load_table(table.name())
            staged = self._update_and_stage_table(current, table.name(), requirements, updates)
            if staged.metadata == current.metadata:
                return CommitTableResponse(
                    metadata=current.metadata, metadata_location=current.metadata_location
                )
            self._write_metadata(staged.metadata, staged.io, staged.metadata_location)
            self.metadata_locations[table.name()[-1]] = staged.metadata_location
            return CommitTableResponse(
                metadata=staged.metadata, metadata_location=staged.metadata_location
            )

    def identifier_to_table_name(self, identifier: Any) -> str:  # type: ignore[override]
        """The last part of the identifier."""
        return str(self.identifier_to_tuple(identifier)[-1])

    def _resolve_table_location(
        self, location: str | None, database_name: str, table_name: str
    ) -> str:
        return location or f"{self.properties['warehouse']}/{database_name}/{table_name}"

    def _unsupported(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("the transformer does not need this of a catalog")

    close = create_namespace = create_view = drop_namespace = drop_table = drop_view = _unsupported
    list_namespaces = list_tables = list_views = load_namespace_properties = _unsupported
    load_view = namespace_exists = purge_table = register_table = register_view = _unsupported
    rename_table = replace_view = update_namespace_properties = view_exists = _unsupported
