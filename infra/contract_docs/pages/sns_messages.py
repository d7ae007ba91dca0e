"""What AWS itself says to the services: events of its default bus, which have no schema of ours."""

from typing import Any

NOTICES = {
    "Object Created": ("aws.s3", "An object came into the data bucket; only a hint."),
    "Step Functions Execution Status Change": (
        "aws.states",
        "An execution of the saga ended; at best effort, so a sweeper looks too.",
    ),
}
"""AWS source and meaning of each `aws_events` entry of a service.yaml."""


def sns_message_key(name: str) -> str:
    """`ObjectCreated`."""
    return name.replace(" ", "")


def sns_message(name: str) -> dict[str, Any]:
    """The notice as an AsyncAPI message; its `detail` is documented by AWS."""
    source, about = NOTICES[name]
    return {
        "name": name,
        "title": f"{name} (of AWS)",
        "summary": about,
        "contentType": "application/json",
        "tags": [{"name": "notices of AWS"}],
        "payload": {
            "type": "object",
            "properties": {
                "source": {"const": source},
                "detail-type": {"const": name},
                "detail": {"type": "object"},
            },
            "required": ["source", "detail-type", "detail"],
        },
        "examples": [
            {
                "name": sns_message_key(name),
                "payload": {"source": source, "detail-type": name, "detail": {}},
            }
        ],
    }
