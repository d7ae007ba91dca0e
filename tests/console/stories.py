"""What people come to the console for, each with the moments that the docs have pictures of."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Literal

from playwright.sync_api import Page

from tests.console.browser import PAGES, SCHEMES

Scheme = Literal["light", "dark"]


def _as_it_is(page: Page) -> None:
    """Nothing is done on the page."""


def _correct_the_first_row(page: Page) -> None:
    field = page.locator(".correction").first.get_by_label("order_date")
    field.fill("2025-07-30")
    field.blur()


@dataclass(frozen=True)
class Moment:
    """A page of ADDRESSES, what is done there, and the elements that its pictures begin with."""

    page: str
    says: str
    begins: str = "body"
    on_a_phone: str = "body"
    done: Callable[[Page], None] = _as_it_is


STORIES = {
    "See how the shop does": (
        Moment("overview", "today, yesterday and the month, revenue by day, what runs now"),
    ),
    "Watch a batch": (Moment("running", "its stages as they go on, its files and their rows"),),
    "Read a month": (
        Moment(
            "month", "each day beside the year before; an odd number is ringed in the chart",
            on_a_phone="section[aria-labelledby=odd]",
        ),
    ),
    "Ask why": (Moment("why", "the files, batches and lines of a day's numbers"),),
    "Correct a quarantined row and see the KPI change": (
        Moment("rows", "what is wrong, in which cell of which line"),
        Moment(
            "correct", "the wrong cell mended: dry run, or replay", ".correction", ".correction",
            _correct_the_first_row,
        ),
        Moment(
            "difference", "what the batch changed: each KPI before and after",
            on_a_phone="h2:has-text('All orders')",
        ),
    ),
    "Find an ignored file": (Moment("ignored", "why no row of it counts, and the right name"),),
    "Act on a dead letter": (
        Moment("letters", "why it is there, and what to do: send back, or drop with a reason"),
    ),
}  # fmt: skip
ADDRESSES = PAGES | {
    "month": "/console/orders?from=2025-07-01&to=2025-07-31&compare=last_year",
    "correct": PAGES["rows"],
}
DESK, PHONE = 1280, 375
SIZES = {DESK: (900, 1), PHONE: (760, 2)}
"""By width: the height that is shown, and how many pixels of a picture one of the page is."""


@dataclass(frozen=True)
class Variant:
    """A moment as somebody sees it."""

    moment: Moment
    width: int
    scheme: Scheme

    @property
    def begins(self) -> str:
        """The element at its upper edge."""
        return self.moment.begins if self.width >= DESK else self.moment.on_a_phone

    @property
    def name(self) -> str:
        """Of its picture."""
        return f"{self.moment.page}-{self.width}-{self.scheme}.webp"


def variants() -> list[Variant]:
    """Each moment in both schemes, on a phone and on a desk."""
    moments = [moment for told in STORIES.values() for moment in told]
    return [Variant(*one) for one in product(moments, SIZES, SCHEMES)]


def section() -> str:
    """The stories as docs/console.md has them."""
    return "\n".join(f"### {title}\n\n{_told(told)}\n" for title, told in STORIES.items())


def _told(moments: tuple[Moment, ...]) -> str:
    return "\n\n".join(
        f"{moment.says[0].upper()}{moment.says[1:]}.\n\n"
        f"{_picture(moment, DESK, 620)}\n{_picture(moment, PHONE, 186)}"
        for moment in moments
    )


def _picture(moment: Moment, width: int, shown: int) -> str:
    """Dark where who reads has it dark."""
    light, dark = (
        f"images/console/{Variant(moment, width, scheme).name}" for scheme in ("light", "dark")
    )
    alt = f"{moment.says}, {width} pixels wide"
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img src="{light}" width="{shown}" alt="{alt}"></picture>'
    )
