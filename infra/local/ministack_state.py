"""MiniStack's state as this project needs it: dumped whole, and made good after a restart.

The one place that reaches into MiniStack's modules (its version is pinned, and
tests/integration/test_saved_state.py holds that it can be done). Beyond what MiniStack dumps itself
it keeps what the streams of DynamoDB have not delivered: an event that was appended and not yet
relayed is relayed after the restart.
"""

import json
import logging
import os
import re
import time
from html import unescape
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from infra.local.saved_state import flush_to_disk, link_tree

STREAMS = "ecp-streams"
CODE = "lambda-blobs"
RESTARTED = "States.ServiceRestart"
_LISTED_KEY = re.compile(r"<(Key|Prefix|Delimiter|KeyMarker|NextKeyMarker)>(.*?)</\1>", re.DOTALL)
"""What `encoding-type=url` is about in the answer of ListObjectVersions."""


def dump_state(folder: Path, last: Path) -> dict[str, int]:
    """Write the state of every service into `folder`; returns the size of each file in bytes.

    The code of functions seldom changes: it is taken over from the `last` save by hard links.
    Raises OSError, or TypeError for what JSON cannot hold: nothing is left out silently.
    """
    from ministack import app
    from ministack.core import persistence
    from ministack.services import lambda_svc

    link_tree(last / CODE, folder / CODE)
    lambda_svc.CODE_BLOB_DIR = str(folder / CODE)
    for name, get_state in app._build_persistence_save_dict().items():
        state = get_state()
        if state is not None:
            _write(folder / f"{name}.json", persistence._state_format_version(name), state)
    _write(folder / f"{STREAMS}.json", 1, _undelivered())
    return {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in (*folder.glob("*.json"), *folder.glob(f"{CODE}/*"))
    }


def _write(path: Path, version: int, state: Any) -> None:
    from ministack.core import persistence

    wrapped = {"__ministack_format__": version, "payload": state}
    with path.open("w", encoding="utf-8") as file:
        json.dump(wrapped, file, default=persistence._json_default)
    flush_to_disk(path)


def _undelivered() -> dict[str, Any]:
    """Of each table's stream: the records that somebody has not taken yet, and their position."""
    from ministack.core.responses import AccountRegionScopedDict
    from ministack.services import dynamodb, lambda_svc

    records, trimmed = AccountRegionScopedDict(), AccountRegionScopedDict()
    for (account, region, table), kept in dynamodb._stream_records.all_items():
        first = dynamodb._stream_trimmed.get_scoped(account, region, table, 0)
        taken = [
            lambda_svc._dynamodb_stream_positions.get_scoped(*mapping[:2], mapping[2], first)
            for mapping, subscription in lambda_svc._esms.all_items()
            if f":table/{table}/stream/" in subscription.get("EventSourceArn", "")
        ]
        start = min(taken, default=first)
        records.set_scoped(account, region, table, kept[max(0, start - first) :])
        trimmed.set_scoped(account, region, table, max(start, first))
    return {"records": records, "trimmed": trimmed}


def queues_with_retries() -> list[dict[str, Any]]:
    """Messages that were delivered more than once: their queue, body and count."""
    from ministack.services import sqs

    return [
        {"queue": queue["name"], "body": message["body"], "deliveries": message["receive_count"]}
        for queue in sqs._queues.all_values()
        if not queue["name"].endswith("-dlq")
        for message in list(queue["messages"])
        if message["receive_count"] > 1
    ]


class Restored:
    """What came of bringing the last save back into MiniStack."""

    def __init__(self) -> None:
        self.failure: str | None = None
        """Why it cannot be used: MiniStack itself would go on with a part of it."""
        self.interrupted: list[str] = []
        """ARNs of the executions that ran when the state was saved; they are FAILED now."""

    def load_ministack(self) -> Any:
        """Import MiniStack so that it loads the save when it starts; returns its application."""
        from ministack import app

        logging.getLogger().addHandler(_Complaints(self))
        load = app._load_persisted_state

        def load_all() -> None:
            load()
            self._load_streams()
            _take_back_messages()

        app._load_persisted_state = load_all
        _encode_listed_keys()
        app.save_all = lambda _services: None  # the whole was saved before, in one step
        return app.app

    def tell_interrupted(self) -> None:
        """Say on the default bus, as Step Functions does, that those executions ended."""
        from ministack.services import stepfunctions

        for execution in stepfunctions._executions.all_values():
            if execution.get("error") == RESTARTED and not execution.get("ecp_told"):
                execution["ecp_told"] = True
                self.interrupted.append(execution["executionArn"])
                stepfunctions._emit_execution_status_event(execution)

    def _load_streams(self) -> None:
        from ministack.core import persistence
        from ministack.services import dynamodb

        path = os.path.join(persistence.STATE_DIR, f"{STREAMS}.json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                saved = json.load(file, object_hook=persistence._json_object_hook)["payload"]
            dynamodb._stream_records.update(saved["records"])
            dynamodb._stream_trimmed.update(saved["trimmed"])


def _encode_listed_keys() -> None:
    """Let ListObjectVersions keep to `encoding-type=url`, as S3 does and boto3 asks for.

    MiniStack writes keys as they are: one with a control character would make its XML unreadable,
    and with it each listing that the aggregator's sweep makes.
    """
    from ministack.services import s3

    listed = s3._list_object_versions

    def encoded(bucket_name: str, query_params: dict[str, Any]) -> tuple[int, Any, bytes]:
        status, headers, body = listed(bucket_name, query_params)
        if status == HTTPStatus.OK and s3._qp(query_params, "encoding-type", "") == "url":
            text = _LISTED_KEY.sub(
                lambda found: f"<{found[1]}>{quote(unescape(found[2]), safe='/')}</{found[1]}>",
                body.decode(),
            )
            end = "</ListVersionsResult>"
            body = text.replace(end, f"<EncodingType>url</EncodingType>{end}").encode()
        return status, headers, body

    s3._list_object_versions = encoded


def _take_back_messages() -> None:
    """Let messages be taken again at once that were in hand when it was saved: nobody has them."""
    from ministack.services import sqs

    for queue in sqs._queues.all_values():
        for message in queue["messages"]:
            if message["receive_count"]:
                message["visible_at"] = min(message["visible_at"], time.time())


class _Complaints(logging.Handler):
    """Hears MiniStack say that it could not load something."""

    def __init__(self, restored: Restored) -> None:
        super().__init__(logging.ERROR)
        self._restored = restored

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if said.startswith(("Failed to restore persisted state", "Persistence: failed to load")):
            self._restored.failure = f"the saved state cannot be loaded: {said}"
