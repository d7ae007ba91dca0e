"""The one envelope of commands and events, as CloudEvents 1.0 has it (docs/design.md, Messages)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from contracts import messages, schemas
from contracts.clock import from_rfc3339
from contracts.errors import ContractViolation
from contracts.foreign import json_object, shown

MAX_MESSAGE_BYTES = 200_000
"""Larger payloads go to S3 and travel as an ObjectRef (docs/design.md, Messages)."""


MAX_NAME_BYTES = 2048
"""A partition key of DynamoDB, which is also the longest task token (AWS API references)."""


@dataclass(frozen=True)
class MessageContext:
    """Who speaks, about which batch, and in answer to what."""

    source: str
    correlation_id: str | None = None
    causation_id: str | None = None


@dataclass(frozen=True)
class Message:
    """One command or event; only a command carries a task token."""

    event_id: str
    event_type: str
    schema_version: int
    source: str
    occurred_at: str
    stream_id: str
    stream_version: int
    correlation_id: str | None
    causation_id: str | None
    data: Any
    task_token: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The envelope as JSON-ready values, checked in the closed form.

        Raises ContractViolation when `data` does not conform, or the whole is over 200 KB.
        """
        envelope = {
            "event_id": self.event_id,
            "event_type": self.event_type,
            "schema_version": self.schema_version,
            "source": self.source,
            "occurred_at": self.occurred_at,
            "stream_id": self.stream_id,
            "stream_version": self.stream_version,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "data": self.data.model_dump(mode="json"),
        }
        if self.task_token is not None:
            envelope["task_token"] = self.task_token
        check_envelope(envelope, closed=True)
        return envelope

    def to_json(self) -> str:
        """`to_dict` as compact JSON text of at most 200 KB."""
        text = json.dumps(self.to_dict(), separators=(",", ":"), ensure_ascii=False)
        size = len(text.encode())
        if size > MAX_MESSAGE_BYTES:
            raise ContractViolation(
                f"{self.event_type} on {self.stream_id} has {size} bytes, "
                f"more than {MAX_MESSAGE_BYTES}: "
                "put the payload into S3 and send its ObjectRef"
            )
        return text


def unanswered_command(
    command: BaseModel,
    context: MessageContext,
    stream_id: str,
    message_id: str,
    now: str,
) -> Message:
    """A command whose sender waits for no answer, so it carries no token; `now` is RFC 3339."""
    return Message(
        event_id=message_id,
        event_type=type(command).__name__,
        schema_version=1,
        source=context.source,
        occurred_at=now,
        stream_id=stream_id,
        stream_version=0,
        correlation_id=context.correlation_id,
        causation_id=context.causation_id,
        data=command,
    )


def parse(body: str | Mapping[str, Any]) -> Message:
    """Read an envelope in the open form: unknown properties are ignored.

    Takes the JSON text or its value, bare or inside an EventBridge event (`detail`). Whatever is
    wrong with it is a ContractViolation that names it: nothing else is ever raised.
    """
    envelope = json_object(body)
    if "detail" in envelope and "detail-type" in envelope:
        envelope = json_object(envelope["detail"])
    check_envelope(envelope, closed=False)
    model = model_of(envelope["event_type"])
    known = {name: _known(name, envelope[name]) for name in _ENVELOPE_FIELDS}
    try:
        from_rfc3339(known["occurred_at"])
        data = model.model_validate(envelope["data"])
    except (ValidationError, ValueError) as error:
        raise ContractViolation(f"{envelope['event_type']}: {shown(str(error), 500)}") from error
    return Message(**known, data=data, task_token=_token(envelope))


def task_token_of(body: str) -> str | None:
    """The task token of a message that may break its contract; None when there is none to read."""
    try:
        token = json_object(body).get("task_token")
    except ContractViolation:
        return None
    return token if isinstance(token, str) and _is_name(token) else None


def check_envelope(envelope: Mapping[str, Any], *, closed: bool) -> None:
    """Raise ContractViolation unless the envelope and its `data` conform to their schemas."""
    schemas.check("parts", "Envelope", 1, envelope, closed=closed)
    kind = kind_of_type(envelope["event_type"])
    if kind == "events" and "task_token" in envelope:
        raise ContractViolation(f"{envelope['event_type']} is an event: it must not carry a token")
    version = envelope["schema_version"]
    schemas.check(kind, envelope["event_type"], version, envelope["data"], closed=closed)


def kind_of_type(event_type: str) -> schemas.Kind:
    """Whether a message type is a command or an event; raises ContractViolation for neither."""
    for schema in schemas.all_schemas():
        if schema.name == event_type and schema.kind in ("commands", "events"):
            return schema.kind
    raise ContractViolation(f"{event_type!r} is not a known command or event")


def model_of(event_type: str) -> type[BaseModel]:
    """The generated model of a message type's `data`."""
    kind_of_type(event_type)
    model: type[BaseModel] = getattr(messages, event_type)
    return model


def _known(name: str, value: Any) -> Any:
    """A field of the envelope; the JSON schema takes 3.0 for a whole number, as JSON does."""
    if isinstance(value, float):
        return int(value)
    if isinstance(value, str) and not _is_name(value):
        raise ContractViolation(f"Envelope v1: {name}: {shown(value)!r} is no name")
    return value


def _token(envelope: Mapping[str, Any]) -> str | None:
    token: str | None = envelope.get("task_token")
    if token is not None and not _is_name(token):
        raise ContractViolation("Envelope v1: task_token: it is none of Step Functions")
    return token


def _is_name(text: str) -> bool:
    """Whether it can be a key of DynamoDB, a token of Step Functions and a word in a log line."""
    return 0 < len(text.encode()) <= MAX_NAME_BYTES and text.isprintable()


_ENVELOPE_FIELDS = (
    "event_id",
    "event_type",
    "schema_version",
    "source",
    "occurred_at",
    "stream_id",
    "stream_version",
    "correlation_id",
    "causation_id",
)
