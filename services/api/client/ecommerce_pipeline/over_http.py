"""Answers of the HTTP API: pages put together, signed or with a token, asked again when busy."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.util.retry import Retry

from ecommerce_pipeline.answers import Asked, Row
from ecommerce_pipeline.errors import ApiError, NoAnswer, NotLetIn, of_status
from services.api.http.callers import is_loopback
from services.api.kpis.domain import CATEGORY_MEASURES, ORDER_MEASURES
from services.api.kpis.periods import Span
from services.api.kpis.tables import Kind, kind_of

ATTEMPTS, ATTEMPTS_TO_CONNECT = 5, 3
BACKOFF_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 20.0
ASK_AGAIN = (429, 502, 503, 504)
PAGE = 1000
BATCHES_PAGE = 100
_PLACES = {Kind.MONEY: Decimal("0.01"), Kind.RATE: Decimal("0.0001")}


class Unsigned(AuthBase):
    """As the request is: a ~/.netrc, which requests would else take, is not meant for it."""

    def __call__(self, request: Any) -> Any:
        return request


class Bearer(AuthBase):
    """A token of the issuer that the API trusts."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class SigV4(AuthBase):
    """Signed by AWS credentials, for whoever may `execute-api:Invoke`."""

    def __init__(self, session: Any, region: str) -> None:
        self._session, self._region = session, region

    def __call__(self, request: Any) -> Any:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        credentials = self._session.get_credentials()
        if credentials is None:
            raise NotLetIn("no AWS credentials are found: set AWS_PROFILE, or pass session=")
        signed = AWSRequest(method=request.method, url=request.url)
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", self._region).add_auth(
            signed
        )
        request.headers.update(dict(signed.headers))
        return request


class HttpAnswers:
    """The API under a URL. `timeout_seconds`: for a connection, and for each answer."""

    def __init__(self, url: str, auth: AuthBase, timeout_seconds: float) -> None:
        self.url = checked_url(url)
        if isinstance(auth, Bearer) and not is_private(self.url):
            raise ValueError(f"{self.url}: a token is sent by https only")
        self._auth, self._timeout_seconds = auth, timeout_seconds
        self._session = requests.Session()
        retry = Retry(
            total=ATTEMPTS,
            connect=ATTEMPTS_TO_CONNECT,
            allowed_methods={"GET"},
            status_forcelist=ASK_AGAIN,
            backoff_factor=BACKOFF_SECONDS,
            backoff_jitter=BACKOFF_SECONDS,
            backoff_max=LONGEST_WAIT_SECONDS,
            retry_after_max=int(LONGEST_WAIT_SECONDS),
            raise_on_status=False,
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def order_kpis(self, asked: Asked) -> Iterator[Row]:
        """KPIs over all orders, by period."""
        for row in self._pages("/kpis/orders", "rows", PAGE, **_question(asked)):
            yield _exact(row, ORDER_MEASURES)

    def category_kpis(self, asked: Asked) -> Iterator[Row]:
        """KPIs by category and period."""
        for row in self._pages("/kpis/categories", "rows", PAGE, **_question(asked)):
            yield _exact(row, CATEGORY_MEASURES)

    def anomalies(self, span: Span | None, status: str | None) -> Iterator[Row]:
        """Numbers that the guard found odd, by day."""
        query = _days(span) | ({} if status is None else {"status": status})
        return self._pages("/kpis/anomalies", "rows", PAGE, **query)

    def last_day(self) -> date | None:
        """The newest day that a batch has published."""
        found = self._get("/freshness", {}).get("last_day")
        return date.fromisoformat(found) if found else None

    def batches(self) -> Iterator[Row]:
        """Batches, the one that was sealed last first."""
        return self._pages("/batches", "batches", BATCHES_PAGE)

    def quarantine(self) -> Iterator[Row]:
        """Files with rows in quarantine, the newest first."""
        return self._pages("/quarantine", "files", BATCHES_PAGE)

    def why(self, order_date: date, category: str | None) -> Row | None:
        """What a day's number is made of; None while it is worked out."""
        query = {"order_date": str(order_date)} | ({"category": category} if category else {})
        status, found = self._answer("/kpis/why", query)
        return None if status == requests.codes.accepted else found

    def _pages(self, path: str, name: str, limit: int, **query: str) -> Iterator[Row]:
        asked: dict[str, str] = {**query, "limit": str(limit)}
        while True:
            answer = self._get(path, asked)
            if not isinstance(answer.get(name), list):
                raise NoAnswer(f"{self.url}{path} is not this API: its answer has no {name}")
            yield from answer[name]
            cursor = answer.get("next")
            if cursor is None:
                return
            if cursor == asked.get("cursor"):
                raise NoAnswer(f"{self.url}{path} gives the same page again and again")
            asked["cursor"] = cursor

    def _get(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        return self._answer(path, query)[1]

    def _answer(self, path: str, query: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        url = f"{self.url}{path}"
        if query:
            url += "?" + urlencode(query, quote_via=quote, safe="-_.~")
        try:
            answer = self._session.get(
                url,
                auth=self._auth,
                timeout=self._timeout_seconds,
                headers={"Accept": "application/json"},
                allow_redirects=False,
            )
        except requests.RequestException as error:
            why = str(error).split("(Caused by ")[-1].rstrip(")")
            raise NoAnswer(f"{self.url} does not answer: {why}") from error
        if answer.status_code not in (requests.codes.ok, requests.codes.accepted):
            raise _error_of(self.url, answer)
        try:
            found = answer.json(parse_float=Decimal)
        except requests.JSONDecodeError as error:
            raise NoAnswer(f"{self.url}{path} is not this API: its answer is no JSON") from error
        if not isinstance(found, dict):
            raise NoAnswer(f"{self.url}{path} is not this API: its answer is no object")
        return answer.status_code, found


def checked_url(url: str) -> str:
    """The URL without a slash at its end; raises ValueError for what is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is no URL of an API: write https://HOST, as `ecp api url` says")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("the URL of the API has no credentials, query or fragment; use token=")
    return url.rstrip("/")


def is_private(url: str) -> bool:
    """Whether nobody between could read what is sent there."""
    return url.startswith("https://") or is_loopback(url)


def region_of(url: str) -> str | None:
    """The region of an API on AWS; None for another host."""
    host = urlsplit(url).hostname or ""
    names = host.split(".")
    if "amazonaws" not in names or "execute-api" not in names:
        return None
    return names[names.index("execute-api") + 1]


def _days(span: Span | None) -> dict[str, str]:
    return {} if span is None else {"from": str(span.first), "to": str(span.last)}


def _question(asked: Asked) -> dict[str, str]:
    query = {"by": asked.by.value} | _days(asked.span)
    if asked.compare is not None:
        query["compare"] = asked.compare.value
    if asked.category is not None:
        query["category"] = asked.category
    return query


def _exact(row: Mapping[str, Any], measures: tuple[str, ...]) -> Row:
    """Amounts with the places that they are published with: JSON has 10.0 for 10.00."""
    found = {
        name: _placed(name, value) if name in measures else value for name, value in row.items()
    }
    if row.get("compared"):
        found["compared"] = _exact(row["compared"], measures)
    return found


def _placed(name: str, value: Any) -> Any:
    places = _PLACES.get(kind_of(name))
    return value if places is None or value is None else Decimal(value).quantize(places)


def _error_of(url: str, answer: requests.Response) -> ApiError:
    """What problem+json says (RFC 9457), else what the gateway does."""
    said: Any = {}
    with suppress(requests.JSONDecodeError):
        said = answer.json()
    said = said if isinstance(said, dict) else {}
    detail = said.get("detail") or said.get("message") or said.get("Message")
    title = said.get("title") or answer.reason or "not answered"
    where = f"{url} answers {answer.status_code}"
    return of_status(answer.status_code, str(title), f"{detail or 'no more is said'} ({where})")
