"""Erasing one user from the archive: its files are rewritten, and the versions before deleted."""

from collections.abc import Callable

from contracts.envelope import Message
from contracts.errors import ContractViolation
from contracts.layout import kind_of_stored
from contracts.messages import ErasureRequest, ObjectVersion, UserErasedFromArchive
from services.archiver.use_cases import SOURCE
from services.runtime.privacy.erasure import (
    ErasurePorts,
    Rewrite,
    carry_out,
    csv_rewrite,
    export_rewrite,
    replacement_of,
)


def erase_from_archive(message: Message, ports: ErasurePorts) -> None:
    """Put the token in the user's place in the objects of the command; say how many there were."""
    carry_out(
        message,
        f"archive/{message.data.request_id}",
        lambda request: rewrites(request, ports),
        lambda counts: UserErasedFromArchive(**counts),
        ports,
        SOURCE,
    )


def rewrites(request: ErasureRequest, ports: ErasurePorts) -> Callable[[ObjectVersion], Rewrite]:
    """How an archived input is rewritten; audit documents name no user."""
    wanted, today = replacement_of(request), ports.clock().date()

    def rewrite_of(version: ObjectVersion) -> Rewrite:
        if version.export is not None:
            return export_rewrite(version.export, wanted)
        kind = kind_of_stored(version.key)
        if kind is None:
            raise ContractViolation(f"{version.key} is no archived input")
        return csv_rewrite(kind, today, wanted)

    return rewrite_of
