"""What is asked when rows are corrected, by an id that follows from it; pure."""

import hashlib
import json
from datetime import datetime

from contracts.clock import to_rfc3339
from contracts.envelope import Message, MessageContext, unanswered_command
from contracts.messages import ObjectRef, QuarantineCorrections, ReplayQuarantine
from services.api.questions.domain import SOURCE


def replay_id_of(rows: QuarantineCorrections, request: str | None, *, dry_run: bool) -> str:
    """The same rows with the same fields, under the same `request`, are the same replay."""
    stands = [rows.model_dump(mode="json"), request, dry_run]
    digest = hashlib.sha256(json.dumps(stands, sort_keys=True).encode()).hexdigest()[:32]
    return f"replay-{digest}"


def message_of(
    replay_id: str,
    corrections: ObjectRef,
    message_id: str,
    now: datetime,
    *,
    dry_run: bool,
    requested_by: str,
) -> Message:
    """The command as it is sent; the document is the answer."""
    command = ReplayQuarantine(
        replay_id=replay_id, corrections=corrections, dry_run=dry_run, requested_by=requested_by
    )
    context = MessageContext(SOURCE, replay_id)
    stream_id = f"validation/{replay_id}"
    return unanswered_command(command, context, stream_id, message_id, to_rfc3339(now))
