"""A copy of the project's contracts, and of who speaks them, to be changed in tests."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contracts.compatibility.breaks import label
from infra.contract_docs.gate import ContractGate
from tests.contract.declared import PROJECT

Edit = Callable[[dict[str, Any]], object]
COPIED = ("contracts/schemas", "contracts/files")
SEALED = "schemas/events/BatchSealed/v1.json"
ACQUIRE = "schemas/commands/AcquireLock/v1.json"
OBJECT_REF = "schemas/parts/ObjectRef/v1.json"
ORDERS = "files/orders/v1.json"


class ContractProject:
    """The copy under a folder; every change is made to its files, as a developer would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / "contracts").exists():
            self._copy_from_checkout()

    def copied_to(self, folder: Path) -> "ContractProject":
        """Another one that is as this one is now."""
        shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True)
        return ContractProject(folder)

    def _copy_from_checkout(self) -> None:
        for name in COPIED:
            shutil.copytree(PROJECT / name, self.folder / name)
        for name in ("services", "infra"):
            (self.folder / name).symlink_to(PROJECT / name)
        (self.folder / "docs").mkdir()

    @property
    def gate(self) -> ContractGate:
        """A gate that reads the files as they are now."""
        return ContractGate(self.folder)

    def release(self) -> str:
        """Freeze everything; the version of the release."""
        return self.gate.releases.freeze(self.gate.current).version

    def path(self, contract: str) -> Path:
        return self.folder / "contracts" / contract

    def edit(self, contract: str, edit: Edit) -> None:
        """Change one document in place."""
        document = json.loads(self.path(contract).read_text())
        edit(document)
        self.write(contract, document)

    def write(self, contract: str, document: dict[str, Any]) -> None:
        self.path(contract).parent.mkdir(parents=True, exist_ok=True)
        self.path(contract).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")

    def declare(self, service: str, old: str, new: str) -> None:
        """Change a text in the service.yaml of a copy."""
        services = self.folder / "services"
        if services.is_symlink():
            services.unlink()
            shutil.copytree(PROJECT / "services", services)
        path = self.folder / f"services/{service}/service.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def findings(self, contract: str | None = None) -> list[dict[str, Any]]:
        """What breaks, of one contract or of all."""
        return [
            one
            for one in self.gate.findings()
            if contract is None or one["contract"] == label(contract)
        ]


def said(findings: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    """Direction, pointer and rule of each."""
    return {(one["direction"], one["pointer"], one["rule"]) for one in findings}
