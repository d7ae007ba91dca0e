"""Bodies that are no message of ours, each hard to swallow in its own way."""

import json
from copy import deepcopy
from typing import Any

from tests.contract.builders import EXECUTION, a_body, an_envelope, on_the_bus

STATUS_CHANGE = "Step Functions Execution Status Change"


def _with(event_type: str, **changes: Any) -> dict[str, Any]:
    envelope = an_envelope(event_type)
    return {**envelope, "data": {**deepcopy(envelope["data"]), **changes}}


def _spliced(event_type: str, field: str, text: str) -> str:
    """A message in which a field's value is this text, JSON or not."""
    return json.dumps(_with(event_type, **{field: "@@"})).replace('"@@"', text)


HOSTILE = {
    "nothing": "",
    "a word": "hello",
    "a string": '"AcquireLock"',
    "a number": "7",
    "a list": "[1, 2]",
    "null": "null",
    "true": "true",
    "an empty object": "{}",
    "5,000 digits": '{"fence": ' + "9" * 5000 + "}",
    "5,000 digits in a float": '{"fence": ' + "9" * 5000 + ".5}",
    "3,000 lists": "[" * 3000,
    "100,000 lists": "[" * 100_000,
    "3,000 lists, closed": "[" * 3000 + "]" * 3000,
    "100,000 objects": '{"a":' * 100_000,
    "900 levels inside a message": _spliced("AcquireLock", "more", "[" * 900 + "]" * 900),
    "100 levels inside a message": _spliced("AcquireLock", "more", "[" * 100 + "]" * 100),
    "a lone surrogate": "\ud800",
    "a lone surrogate in a name": '{"\udfff": 1}',
    "an escaped surrogate": _spliced("AcquireLock", "execution_id", '"\\ud800"'),
    "an escaped surrogate as token": a_body("AcquireLock", task_token="\ud83d"),
    "NaN": _spliced("AcquireLock", "attempt", "NaN"),
    "Infinity": _spliced("AcquireLock", "attempt", "-Infinity"),
    "1e400": _spliced("AcquireLock", "attempt", "1e400"),
    "1e30, a whole number": _spliced("AcquireLock", "attempt", "1e30"),
    "40 digits": _spliced("ReleaseLock", "fence", "9" * 40),
    "2^53": _spliced("ReleaseLock", "fence", str(2**53)),
    "a name twice": _spliced("ReleaseLock", "fence", '1, "fence": 2'),
    "1 MB": json.dumps(_with("AcquireLock", execution_id="x" * 1_000_000)),
    "NUL": "\x00",
    "NUL inside JSON": '{"a": "\x00"}',
    "control characters": "\x1b[2J\x07\u202e\u009b",
    "a token that is a number": a_body("AcquireLock", task_token=7),
    "a token that is an object": a_body("AcquireLock", task_token={"a": 1}),
    "a token of 3,000 letters": a_body("AcquireLock", task_token="t" * 3000),
    "a token with a line feed": a_body("AcquireLock", task_token="a\nb"),
    "a batch with a line feed": a_body("AcquireLock", correlation_id="a\nb"),
    "a batch of 3,000 letters": a_body("AcquireLock", correlation_id="b" * 3000),
    "a moment that never was": a_body("AcquireLock", occurred_at="2025-06-30T23:59:60Z"),
    "a version that is a fraction": a_body("AcquireLock", schema_version=1.5),
    "a type that is an object": json.dumps({**an_envelope(), "event_type": {"a": 1}}),
    "a type of pydantic": json.dumps({**an_envelope(), "event_type": "BaseModel"}),
    "data that is a list": a_body("AcquireLock", data=[]),
    "an event with a token": a_body("BatchCompleted", task_token="another"),
    "an event without detail": json.dumps({"detail-type": "BatchSealed", "source": "x"}),
    "an event whose detail is text": json.dumps({**on_the_bus(an_envelope()), "detail": "x"}),
    "an event whose detail is deep": json.dumps(
        {**on_the_bus(an_envelope()), "detail": "[" * 3000}
    ),
    "a status change of nothing": json.dumps({"detail-type": STATUS_CHANGE, "id": "1"}),
    "a status change of a list": json.dumps(
        {
            "detail-type": STATUS_CHANGE,
            "id": "1",
            "detail": {"executionArn": [], "status": "FAILED"},
        }
    ),
    "a status change without a status": json.dumps(
        {"detail-type": STATUS_CHANGE, "id": "1", "detail": {"executionArn": EXECUTION}}
    ),
    "a notice of S3 without an object": json.dumps({"detail-type": "Object Created", "detail": {}}),
    "a notice of S3 of wrong types": json.dumps(
        {
            "detail-type": "Object Created",
            "detail": {"bucket": {"name": "b"}, "object": {"key": 7, "version-id": []}},
        }
    ),
    "a notice of S3 with a list": json.dumps({"detail-type": "Object Created", "detail": [1]}),
    "a notice of S3 with a long key": json.dumps(
        {
            "detail-type": "Object Created",
            "detail": {"bucket": {"name": "b"}, "object": {"key": "orders/" + "x" * 2000}},
        }
    ),
}
"""By what is wrong with them; no queue of the pipeline takes any of them."""
