"""The pages that are made of contracts, of who speaks them, and of the API: AsyncAPI, OpenAPI."""

from pathlib import Path

from infra.contract_docs.gate import ContractGate
from infra.contract_docs.openapi import FROZEN, breaks, read_frozen, served, text_of
from infra.contract_docs.pages.asyncapi import asyncapi_text
from infra.contract_docs.pages.message_index import MessageIndex
from infra.contract_docs.pages.page import page_text


def pages(gate: ContractGate) -> dict[Path, str]:
    """The text of each generated page by its path."""
    speech = MessageIndex(gate.current, gate.participants)
    folder = gate.project / "docs"
    return {
        folder / "asyncapi.yaml": asyncapi_text(speech),
        folder / "messages.md": page_text(speech),
        **_openapi(gate.project),
    }


def _openapi(project: Path) -> dict[Path, str]:
    """What the API answers; while that breaks what is frozen, the frozen document stays."""
    path = project / FROZEN
    if not path.parent.exists():
        return {}
    frozen, now = read_frozen(project), served()
    return {path: text_of(frozen if any(breaks(frozen, now)) else now)}
