"""Commands as the saga sends them."""

from dataclasses import replace

from pydantic import BaseModel

from contracts.envelope import Message, MessageContext, unanswered_command


def saga_command(
    command: BaseModel,
    message_id: str,
    now: str,
    batch_id: str | None = None,
    token: str | None = None,
) -> Message:
    """With the token that its answer goes to; `now` is RFC 3339."""
    context = MessageContext("ecommerce-pipeline/saga", batch_id)
    sent = unanswered_command(command, context, "command/saga", message_id, now)
    return replace(sent, task_token=token)
