"""The pages that are made of the contracts and of who speaks them: AsyncAPI, and one to read."""

from pathlib import Path

from infra.contract_docs.gate import ContractGate
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
    }
