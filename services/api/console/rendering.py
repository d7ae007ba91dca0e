"""Pages from templates: whatever comes in is escaped text, with what nobody could see made seen."""

from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from markupsafe import Markup

from contracts.printable import printable
from services.api.console import shown
from services.api.console.assets import assets
from services.api.http import formats
from services.api.http.answering import known
from services.api.http.parameters import LONGEST_CATEGORY
from services.runtime.wording import times

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).with_name("templates")
HTML = "text/html; charset=utf-8"
POLICY = "; ".join(
    (
        "default-src 'none'",
        *("script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"),
        *("form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"),
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PLACES = (
    ("console", "Overview"),
    ("console/orders", "Orders"),
    ("console/categories", "Categories"),
    ("console/batches", "Batches"),
    ("console/quarantine", "Quarantine"),
    ("console/ignored", "Ignored"),
    ("console/waiting", "Waiting"),
    ("console/freshness", "Freshness"),
    ("console/operations", "Operations"),
)


@dataclass(frozen=True)
class Links:
    """Addresses relative to a page's own, for the API may be below any path."""

    path: str

    def __call__(self, place: str, **query: Any) -> str:
        """Of `console/batches`; a parameter that is None or empty is left out."""
        given = {name.rstrip("_"): value for name, value in query.items() if value}
        up = "../" * (self.path.count("/") - 1) or "./"
        return f"{up}{place}?{urlencode(given)}" if given else f"{up}{place}"

    def asset(self, name: str) -> str:
        """Of a file in `static`."""
        return self(f"console/assets/{assets()[name].name}")

    def is_current(self, place: str) -> bool:
        """Whether the page is this place of the navigation, or below it."""
        here = self.path.strip("/")
        return here == place or (place != "console" and here.startswith(f"{place}/"))


def page(app: APIGatewayHttpResolver, template: str, **told: Any) -> Response[str]:
    """A page, or 304 where who asks has it already."""
    text = rendered(app.current_event.path, template, **told)
    etag = formats.etag_of(text)
    if known(app, etag):
        return with_headers(formats.not_modified(etag))
    headers = {**formats.VARY, "Vary": "Accept-Encoding", "ETag": etag}
    return with_headers(Response(int(HTTPStatus.OK), HTML, text, headers, compress=True))


def rendered(path: str, template: str, **told: Any) -> str:
    """The text of a page that is asked for at `path`."""
    return _environment().get_template(template).render(link=Links(path), places=PLACES, **told)


def with_headers(answer: Response[str]) -> Response[str]:
    """What keeps a browser from doing anything that the console did not say."""
    answer.headers.update(HEADERS)
    return answer


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # 0.1 s, for pages only

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_seen,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"DASH": shown.DASH, "LONGEST_CATEGORY": LONGEST_CATEGORY}
    environment.filters |= {
        "number": shown.number,
        "signed": shown.signed_number,
        "long_day": shown.long_day,
        "instant": shown.instant,
        "span_of_time": shown.span_of_time,
        "times": times,
        "count": lambda value: shown.number(value, shown.Form.COUNT),
    }
    environment.tests["none_value"] = lambda value: value is None
    environment.globals["change"] = shown.change
    return environment


def _seen(value: Any) -> Any:
    """Controls, marks that turn text and the like as escapes; None is a mistake of a template."""
    if value is None:
        raise ValueError("a template shows None")
    return value if isinstance(value, Markup) else printable(str(value))
