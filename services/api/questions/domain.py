"""Which question a published number raises; pure."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from contracts.clock import to_rfc3339
from contracts.envelope import Message, MessageContext, unanswered_command
from contracts.messages import CompareBatch, ExplainKpi, ListWaiting
from services.api.views.models import BatchView, Publication

Command = ExplainKpi | CompareBatch | ListWaiting

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
    return ExplainKpi(
        question_id=_question_id("why", stands),
        order_date=item["order_date"],
        category=category,
        requested_by=requested_by,
    )


def compare(batch: BatchView, requested_by: str) -> CompareBatch:
    """The question what a batch changed; once it is published, that is the same for good."""
    question_id = _question_id("diff", [batch.batch_id, batch.epoch])
    return CompareBatch(question_id=question_id, batch_id=batch.batch_id, requested_by=requested_by)


def list_waiting(newest: Publication, requested_by: str) -> ListWaiting:
    """The question what waits; each publication raises it anew."""
    stands = [newest.batch_id, newest.epoch, newest.at]
    return ListWaiting(question_id=_question_id("waiting", stands), requested_by=requested_by)


def _question_id(about: str, stands: list[Any]) -> str:
    digest = hashlib.sha256(json.dumps(stands).encode()).hexdigest()[:32]
    return f"{about}-{digest}"


def message_of(command: Command, message_id: str, now: datetime) -> Message:
    """The command as it is sent; nobody waits for a callback, the document is the answer."""
    context = MessageContext(SOURCE, command.question_id)
    stream_id = f"transformation/{command.question_id}"
    return unanswered_command(command, context, stream_id, message_id, to_rfc3339(now))
