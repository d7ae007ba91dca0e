"""The gate of contracts/compatibility on a project's sources, and who is hit by a break."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from contracts.compatibility.breaks import Break, label
from contracts.compatibility.catalogue import Catalogue, read_current
from contracts.compatibility.gate import check
from contracts.compatibility.releases import Plan, Releases
from contracts.sources.faults import InvalidSource
from contracts.sources.shipped import parse_shipped
from infra.contract_docs.participants import Participants, read_participants
from services.runtime.sources.compilation import check_source

API = "http/api"


@dataclass(frozen=True)
class ContractGate:
    """Everything that a verdict needs, read once from a project's folder."""

    project: Path

    @cached_property
    def current(self) -> Catalogue:
        """The contracts as they stand."""
        return read_current(self.project / "contracts")

    @cached_property
    def releases(self) -> Releases:
        """The frozen ones."""
        return Releases(self.project / "contracts/released")

    @cached_property
    def participants(self) -> Participants:
        """Who speaks them."""
        return read_participants(self.project, [label(path) for path in self.current.texts])

    @property
    def plan(self) -> Plan:
        """What the next release would freeze."""
        return self.releases.plan(self.current)

    def findings(self) -> list[dict[str, Any]]:
        """Every break as JSON values, with `breaks_for` and `written_by`; empty: all is well."""
        found = check(self.current, self.releases, self.participants.declared)
        found = found or [*_refused_expressions(self.current)]
        found += [_unanswered(*pair) for pair in self.participants.unanswered()]
        found += [*_broken_api(self.project)]
        return [vars(one) | self._people(one) for one in found]

    def _people(self, found: Break) -> dict[str, list[str]]:
        """Who can no longer read it, and who writes it."""
        if found.contract == API:
            return {"breaks_for": ["callers of the HTTP API"], "written_by": ["api"]}
        if found.contract.startswith("sources/"):
            folder = found.contract.split()[0].replace("sources", "incoming", 1)
            senders = [f"senders of files under {folder}/"]
            return {"breaks_for": senders, "written_by": senders}
        if found.contract.startswith("files/"):
            kind = found.contract.split("/")[1].split()[0]
            senders = [f"senders of {kind} files"]
            return {"breaks_for": senders, "written_by": senders}
        return {
            "breaks_for": self.participants.readers(found.contract),
            "written_by": self.participants.writers(found.contract),
        }


def _refused_expressions(current: Catalogue) -> Iterator[Break]:
    """Shipped sources with an expression that DuckDB would not be given."""
    for path in current.sources:
        try:
            check_source(parse_shipped(current.texts[path], path))
        except InvalidSource as error:
            yield Break(label(path), None, "schema", "", "expression", str(error))


def _broken_api(project: Path) -> Iterator[Break]:
    """What the frozen document of the HTTP API promises and the code does not keep."""
    from infra.contract_docs.openapi import breaks, read_frozen, served

    for where, rule, reason in breaks(read_frozen(project), served()):
        yield Break(API, None, "http", where, rule, reason)


def _unanswered(contract: str, participant: str) -> Break:
    reason = (
        f"{participant} waits for it and nobody sends it: a producer sends the old version beside "
        "the new one until no consumer declares the old one"
    )
    return Break(contract, None, "declared", "/consumes", "emits", reason)
