"""How `ecp validate --source` reads an export: by the validator's own check."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.sources.model import Source
from infra.ecp.submissions.lookups import lookups_by_name


@dataclass(frozen=True)
class SourceReading:
    """A source, and its lookups as tables of text."""

    source: Source
    lookups: dict[str, Any]

    @property
    def kind(self) -> str:
        """What one row of its files is."""
        return self.source.row_kind

    def check(self, opened: Callable[[], Any], **given: Any) -> Any:
        """What the validator finds in a file."""
        from services.validator.reading.source_check import check_by_source

        return check_by_source(opened, self.source, lookups=self.lookups, **given)


def source_reading(name: str, lookups: Sequence[str]) -> SourceReading:
    """The source of that name and what it looks values up in; raises WrongUsage."""
    from infra.ecp.sources.keeping import read_source
    from infra.ecp.sources.trial import lookup_tables

    source = read_source(name)
    return SourceReading(source, lookup_tables(source, lookups_by_name(lookups, source)))
