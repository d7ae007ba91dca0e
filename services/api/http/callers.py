"""Who may ask: on AWS whom the gateway has let in; on one machine whoever is on it."""

from collections.abc import Mapping
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit


class NotLetIn(Exception):
    """The question is not answered; `status` is 401 for nobody, 403 for the wrong one."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class Caller:
    """Default deny, whatever the gateway's routes say.

    `scope`: what a token has to have, where people come with tokens. `endpoint`: where AWS is when
    it is no AWS; if that is this machine itself, so is who asks, for nothing else is listened to.
    """

    def __init__(self, scope: str, endpoint: str) -> None:
        self._scope, self._is_here = scope, is_loopback(endpoint)

    def let_in(self, event: Mapping[str, Any]) -> None:
        """Raises NotLetIn."""
        self._has_scope(event, self._scope)

    def let_act(self, event: Mapping[str, Any], scope: str) -> None:
        """Whether who is let in may do what tokens have to allow by `scope`; raises NotLetIn.

        Whose requests are signed, the gateway has asked IAM for this method and path.
        """
        self._has_scope(event, scope)

    def _has_scope(self, event: Mapping[str, Any], scope: str) -> None:
        if is_signed(event):
            return
        token = _authorizer(event).get("jwt")
        if token is not None:
            claims = token.get("claims") or {}
            given = set(token.get("scopes") or ()) | set(str(claims.get("scope", "")).split())
            if not scope or scope in given:
                return
            raise NotLetIn(HTTPStatus.FORBIDDEN, f"the token lacks the scope {scope}")
        if not self._is_here:
            raise NotLetIn(HTTPStatus.UNAUTHORIZED, "sign the request, or bring a token")


def is_signed(event: Mapping[str, Any]) -> bool:
    """Whether the gateway knows by a signature (IAM) who asks."""
    return bool((_authorizer(event).get("iam") or {}).get("userArn"))


def name_of(event: Mapping[str, Any]) -> str:
    """Who asks, for records: a role or user of AWS, the subject of a token, or this machine."""
    authorizer = _authorizer(event)
    if is_signed(event):
        return str(authorizer["iam"]["userArn"])
    claims = (authorizer.get("jwt") or {}).get("claims") or {}
    return str(claims.get("email") or claims.get("sub") or "the console on this machine")


def _authorizer(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return event.get("requestContext", {}).get("authorizer") or {}


def is_loopback(endpoint: str) -> bool:
    """Whether a URL names this machine by an address that nobody else can reach."""
    host = urlsplit(endpoint).hostname
    if host is None:
        return False
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
