"""Admitting a lock fence above the highest one seen, as an operator asks, between two batches.

Who asked and why is recorded. One message goes one leap up and no further, so that a forged one
does no harm that the lock cannot catch up with.
"""

from dataclasses import replace

from contracts.errors import Refused
from contracts.messages import AdmitFence, FenceAdmitted
from services.runtime.fences import is_never_granted
from services.transformer.batch.state import Ports, current_state
from services.transformer.maintenance.exclusive_writer import exclusive_epoch


def admit_fence(command: AdmitFence, ports: Ports) -> None:
    """Refuse every fence below this one from now on; recorded in the request's stream.

    Gives way to a batch in work, and never lowers the fence: whoever is stale stays so. Raises
    Refused for one that is more than a leap up.
    """
    seen = current_state(ports).fence
    if is_never_granted(command.fence, beside=seen):
        raise Refused(f"fence {command.fence} is too far above {seen}: admit it by steps")
    with exclusive_epoch(command.request_id, ports) as writer:
        if writer is None:
            return
        before = writer.state()
        writer.adopt(replace(before, fence=max(before.fence, command.fence)))
        writer.record(
            FenceAdmitted(
                request_id=command.request_id,
                epoch=writer.epoch,
                fence_before=before.fence,
                fence=max(before.fence, command.fence),
                requested_by=command.requested_by,
                reason=command.reason,
            )
        )
