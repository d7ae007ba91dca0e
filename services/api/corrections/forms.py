"""Forms that change something: signed for one caller and place, sent from our own pages only."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from urllib.parse import urlsplit

KeyOf = Callable[[str], bytes]


class NotOurForm(Exception):
    """The form is not taken; the text says why and what to do."""


def token_for(key_of: KeyOf, today: date, caller: str, place: str) -> str:
    """Goes into a form, and is another one in each."""
    day, nonce = today.isoformat(), secrets.token_hex(16)
    return f"{day}.{nonce}.{_signature(key_of(day), caller, place, day, nonce)}"


def check_form(
    token: str,
    headers: Mapping[str, str],
    key_of: KeyOf,
    today: date,
    caller: str,
    place: str,
) -> str:
    """What is new in each form, of one that was made for this caller and place yesterday or today.

    Raises NotOurForm; `headers` by lower case names. Browsers say by Origin and Sec-Fetch-Site
    which page a form is of; a proxy that checks that itself sends neither on.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if site not in (None, "same-origin"):
        raise NotOurForm("the form is of another site")
    if origin is not None and urlsplit(origin).netloc != headers.get("host", ""):
        raise NotOurForm("the form is of another page")
    day, _, rest = token.partition(".")
    nonce, _, signature = rest.partition(".")
    days = {(today - timedelta(days=n)).isoformat() for n in (0, 1)}
    if day not in days:
        raise NotOurForm("the form is too old: open its page again")
    right = _signature(key_of(day), caller, place, day, nonce)
    if not hmac.compare_digest(signature.encode(), right.encode()):
        raise NotOurForm("the form was not made for you here: open its page again")
    return nonce


def _signature(key: bytes, *said: str) -> str:
    text = "\n".join(said).encode()
    return hmac.new(key, text, hashlib.sha256).hexdigest()
