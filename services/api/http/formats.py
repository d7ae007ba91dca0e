"""JSON, CSV or Parquet, as the question's Accept header or `format` asks; ETags and 304."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel

from services.api.http.parquet import parquet_of
from services.api.http.problems import ProblemFound
from services.api.kpis.tables import csv_text

JSON, CSV = "application/json", "text/csv"
PARQUET = "application/vnd.apache.parquet"
FORMATS = {"json": JSON, "csv": CSV, "parquet": PARQUET}
MAX_ANSWER_BYTES = 5_500_000
"""Lambda answers at most 6 MB (AWS Lambda quotas)."""
VARY = {"Cache-Control": "private, no-cache", "Vary": "Accept"}


def media_type(accept: str | None, format_: str | None) -> str:
    """The one that is asked for; `format` wins. Raises ProblemFound (406) when we have none."""
    if format_ is not None:
        return FORMATS[format_]
    best, best_quality = None, 0.0
    for part in (accept or "*/*").split(","):
        wanted, quality = _weighed(part)
        if quality <= best_quality:
            continue
        for ours in FORMATS.values():
            if wanted in ("*/*", ours, f"{ours.partition('/')[0]}/*"):
                best, best_quality = ours, quality
                break
    if best is None:
        detail = f"there is {JSON}, {CSV} and {PARQUET}, and not {accept}"
        raise ProblemFound(HTTPStatus.NOT_ACCEPTABLE, detail)
    return best


def _weighed(part: str) -> tuple[str, float]:
    """`text/csv;q=0.5` as the type and its weight; a weight that is no number counts nothing."""
    wanted, *parameters = (one.strip().lower() for one in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return wanted, float(value)
            except ValueError:
                return wanted, 0.0
    return wanted, 1.0


def etag_of(*parts: Any) -> str:
    """A strong validator of all that an answer is made of."""
    text = json.dumps(parts, default=str, separators=(",", ":"), sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def is_known(etag: str, if_none_match: str | None) -> bool:
    """Whether who asks has this answer already (RFC 9110, 13.1.2)."""
    known = [one.strip().removeprefix("W/") for one in (if_none_match or "").split(",")]
    return etag in known or "*" in known


def not_modified(etag: str) -> Response[str]:
    """The answer that says so."""
    return Response(int(HTTPStatus.NOT_MODIFIED), None, "", {"ETag": etag, **VARY})


def as_json(model: BaseModel, etag: str) -> Response[str]:
    """A model as JSON; raises ProblemFound (413) when it would not fit."""
    return _answer(JSON, model.model_dump_json(), etag, {})


def as_table(
    media: str,
    columns: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    etag: str,
    next_: str | None,
) -> Response[str]:
    """CSV (RFC 4180 with a header) or Parquet (days as dates, money and rates as decimals).

    Where more follows, X-Next-Cursor has the next page's cursor.
    """
    more = {"X-Next-Cursor": next_} if next_ else {}
    if media == CSV:
        content_type = f"{CSV}; charset=utf-8; header=present"
        return _answer(content_type, csv_text(columns, rows), etag, more)
    text = base64.b64encode(parquet_of(columns, rows)).decode()
    answer = _answer(PARQUET, text, etag, more)
    answer.base64_encoded = True  # The gateway makes bytes of it.
    return answer


def _answer(content_type: str, text: str, etag: str, more: Mapping[str, str]) -> Response[str]:
    size = len(text.encode())
    if size > MAX_ANSWER_BYTES:
        raise ProblemFound(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the answer would have {size} bytes, over {MAX_ANSWER_BYTES}: ask with a smaller "
            "limit, or for fewer days",
        )
    return Response(int(HTTPStatus.OK), content_type, text, {**VARY, **more, "ETag": etag})
