"""Cursors: where a page ended, as text that means nothing to who asks."""

import base64
import binascii
import json
from collections.abc import Mapping
from http import HTTPStatus

from services.api.http.problems import ProblemFound

MAX_CURSOR_CHARACTERS = 4096


def cursor_of(position: Mapping[str, str] | None) -> str | None:
    """Of a place after which a page follows; None stays None."""
    if position is None:
        return None
    text = json.dumps(dict(position), separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position_of(cursor: str | None, *names: str, **fixed: str) -> dict[str, str] | None:
    """The place: exactly these names, those of `fixed` with that value or beginning.

    Raises ProblemFound (400) for what this question gave to nobody.
    """
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise _unknown() from error
    if not isinstance(found, dict) or set(found) != {*names, *fixed}:
        raise _unknown()
    if not all(isinstance(value, str) and value for value in found.values()):
        raise _unknown()
    if any(not found[name].startswith(value) for name, value in fixed.items()):
        raise _unknown()
    return found


def _unknown() -> ProblemFound:
    return ProblemFound(
        HTTPStatus.BAD_REQUEST,
        "cursor: this question gave no such cursor; take `next` of its last page, or begin anew",
    )
