"""Who may ask: on AWS whom the gateway has let in; on one machine whoever is on it."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

ON_THIS_MACHINE = "somebody on this machine"


class NotLetIn(Exception):
    """The question is not answered; `status` is 401 for nobody, 403 for the wrong one."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class Caller:
    """Default deny, whatever the gateway's routes say.

    `scope`: what a token has to have, where people come with tokens. `endpoint`: where AWS is when
    it is no AWS; if that is this machine itself, so is who asks, for nothing else is listened to.
    To correct rows a token needs `correct_scope`, too, and a signed request one of `correctors`:
    ARNs with an asterisk for any text, separated by commas.
    """

    def __init__(
        self, scope: str, endpoint: str, correct_scope: str = "", correctors: str = ""
    ) -> None:
        self._scope, self._is_here = scope, is_loopback(endpoint)
        self._correct_scope = correct_scope
        self._correctors = [one.strip() for one in correctors.split(",") if one.strip()]

    def let_in(self, event: Mapping[str, Any]) -> None:
        """Raises NotLetIn."""
        self.let_act(event, self._scope)

    def let_act(self, event: Mapping[str, Any], scope: str) -> None:
        """Whether who is let in may do what tokens have to allow by `scope`; raises NotLetIn.

        Whose requests are signed, the gateway has asked IAM for this method and path.
        """
        if is_signed(event):
            return
        token = _authorizer(event).get("jwt")
        if token is not None:
            if not scope or scope in _scopes(token):
                return
            raise NotLetIn(HTTPStatus.FORBIDDEN, f"the token lacks the scope {scope}")
        if not self._is_here:
            raise NotLetIn(HTTPStatus.UNAUTHORIZED, "sign the request, or bring a token")

    def corrector(self, event: Mapping[str, Any]) -> str:
        """Who corrects rows, by ARN or subject; raises NotLetIn for whoever may not."""
        self.let_in(event)
        name = name_of(event)
        if is_signed(event):
            if any(fnmatchcase(name, one) for one in self._correctors):
                return name
            raise NotLetIn(HTTPStatus.FORBIDDEN, f"{name} is none of those who may correct rows")
        token = _authorizer(event).get("jwt")
        if token is not None and not (
            self._correct_scope and self._correct_scope in _scopes(token)
        ):
            lacking = self._correct_scope or "to correct rows"
            raise NotLetIn(HTTPStatus.FORBIDDEN, f"the token lacks the scope {lacking}")
        return name


def is_signed(event: Mapping[str, Any]) -> bool:
    """Whether the gateway knows by a signature (IAM) who asks."""
    return bool((_authorizer(event).get("iam") or {}).get("userArn"))


def name_of(event: Mapping[str, Any]) -> str:
    """Who asks, for records: a role or user of AWS, the subject of a token, or this machine."""
    authorizer = _authorizer(event)
    if is_signed(event):
        return str(authorizer["iam"]["userArn"])
    token = authorizer.get("jwt")
    if token is not None:
        return str((token.get("claims") or {}).get("sub") or "token")
    return ON_THIS_MACHINE


def _authorizer(event: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = event.get("requestContext", {}).get("authorizer") or {}
    return found


def _scopes(token: Mapping[str, Any]) -> set[str]:
    claims = token.get("claims") or {}
    return set(token.get("scopes") or ()) | set(str(claims.get("scope", "")).split())


def is_loopback(endpoint: str) -> bool:
    """Whether a URL names this machine by an address that nobody else can reach."""
    host = urlsplit(endpoint).hostname
    if host is None:
        return False
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
