"""Which question a published number raises; pure."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from contracts.clock import to_rfc3339
from contracts.envelope import Message, MessageContext, unanswered_command
from contracts.messages import ExplainKpi

SOURCE = "ecommerce-pipeline/api"
ASK_AGAIN_AFTER = timedelta(seconds=60)
"""Whoever asks meanwhile waits for the same answer: one message is enough for all of them."""
KEPT = timedelta(days=1)


def explain(item: Mapping[str, Any], requested_by: str) -> ExplainKpi:
    """The question for an item of OrderKPIs or CategoryKPIs as it stands.

    A number that is published anew raises another question, so an answer is never an older one's.
    """
    category = item.get("category")
    stands = [item["order_date"], category, int(item["epoch"]), item["updated_at"]]
    digest = hashlib.sha256(json.dumps(stands).encode()).hexdigest()[:32]
    return ExplainKpi(
        question_id=f"why-{digest}",
        order_date=item["order_date"],
        category=category,
        requested_by=requested_by,
    )


def message_of(command: ExplainKpi, message_id: str, now: datetime) -> Message:
    """The command as it is sent; nobody waits for a callback, the document is the answer."""
    context = MessageContext(SOURCE, command.question_id)
    stream_id = f"transformation/{command.question_id}"
    return unanswered_command(command, context, stream_id, message_id, to_rfc3339(now))
