"""Back in step with the lock: a fence far above the highest one seen is taken for granted.

Nothing else admits such a leap. It is a person's word, recorded, and only between two batches.
"""

from dataclasses import replace

from contracts.messages import AdmitFence, FenceAdmitted
from services.transformer.turns import take_turn
from services.transformer.use_cases import Ports


def admit_fence(command: AdmitFence, ports: Ports) -> None:
    """Refuse every fence below this one from now on; recorded in the request's stream.

    Gives way to a batch in work, and never lowers the fence: whoever is stale stays so.
    """
    with take_turn(command.request_id, ports) as turn:
        if turn is None:
            return
        before = turn.state()
        turn.adopt(replace(before, fence=max(before.fence, command.fence)))
        turn.record(
            FenceAdmitted(
                request_id=command.request_id,
                epoch=turn.epoch,
                fence_before=before.fence,
                fence=max(before.fence, command.fence),
                requested_by=command.requested_by,
                reason=command.reason,
            )
        )
