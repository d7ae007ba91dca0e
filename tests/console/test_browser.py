"""The console in a real browser: nobody is left out, nothing complains, what runs is followed."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from contracts.clock import to_rfc3339
from contracts.envelope import Message
from tests.console.browser import (
    PAGES,
    SCHEMES,
    WIDTHS,
    a_browser,
    complaints_of,
    violations,
)
from tests.console.server import serving
from tests.console.shop import NOW, RUNNING, a_shop
from tests.support.examples import some
from tests.unit.api.harness import an_event

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with a_browser() as found:
        yield found


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(a_shop()) as found:
        yield found


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", some(PAGES))
def test_a_page_leaves_nobody_out_and_nothing_complains(
    page: Page, address: str, name: str
) -> None:
    complaints = complaints_of(page)
    page.goto(address + PAGES[name])
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            found += [f"{scheme} {width}: {one}" for one in violations(page)]
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert found == []
    assert complaints == []


def test_a_page_that_there_is_not_leaves_nobody_out_either(page: Page, address: str) -> None:
    page.goto(f"{address}/console/nope")
    assert violations(page) == []


def test_on_a_phone_it_is_read_at_once_why_an_object_is_ignored(page: Page, address: str) -> None:
    page.set_viewport_size({"width": 375, "height": 760})
    page.goto(address + PAGES["ignored"])
    cell = page.get_by_role("cell", name="no folder that inputs come in").bounding_box()
    assert cell is not None
    assert cell["x"] + cell["width"] <= 375
    assert cell["height"] < 120


def test_a_scripted_page_is_held_by_its_policy(page: Page, address: str) -> None:
    page.goto(f"{address}/console/orders")
    page.evaluate(
        "() => { const made = document.createElement('script');"
        " made.textContent = 'window.hit = 1'; document.head.append(made); }"
    )
    assert page.evaluate("window.hit") is None


def test_the_first_key_leads_past_the_navigation(page: Page, address: str) -> None:
    page.goto(f"{address}/console/orders")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("From", exact=True)).to_be_focused()


def test_a_span_is_asked_for_by_the_form_alone(page: Page, address: str) -> None:
    page.goto(f"{address}/console/orders")
    page.get_by_label("From", exact=True).fill("2025-06-01")
    page.get_by_label("To", exact=True).fill("2025-06-30")
    page.get_by_label("Compared with").select_option(label="a year before")
    page.get_by_role("button", name="Show").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Sun 1 Jun 2025")
    expect(page.get_by_role("row")).to_have_count(32)


def test_a_batch_is_followed_to_its_end_without_a_reload(page: Page) -> None:
    api = a_shop()
    with serving(api) as address:
        page.goto(f"{address}/console/batches/{RUNNING}")
        page.evaluate("window.same = true")
        expect(page.get_by_role("status")).to_have_text("Live: this page brings itself up to date.")
        link = page.get_by_role("link", name="All batches")
        link.focus()
        of = {"batch_id": RUNNING}
        facts = f"transformation/{RUNNING}"
        api.hear(later(20, "FactsPublished", facts, 2, **of))
        expect(page.locator("li[aria-current=step]")).to_contain_text("Publishing KPIs")
        days = {"first_day": "2025-07-31", "last_day": "2025-07-31"}
        api.hear(later(21, "KpisPublished", facts, 3, **of, **days))
        api.hear(later(22, "BatchArchived", f"archive/{RUNNING}", 1, **of))
        api.hear(later(23, "BatchCompleted", f"batch/{RUNNING}", 3, **of))
        expect(page.locator(".lead .status")).to_have_text("completed")
        assert page.evaluate("window.same") is True
        expect(link).to_be_focused()


def later(seconds: int, event_type: str, stream: str, version: int, **told: str) -> Message:
    """An event after those of the shop."""
    at = to_rfc3339(NOW + timedelta(seconds=seconds))
    return replace(an_event(event_type, stream, version, **told), occurred_at=at)


def test_without_script_a_page_says_the_same(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + PAGES["running"])
    expect(page.get_by_role("status")).to_contain_text("Reload this page")
    expect(page.get_by_text("lock granted, fence 7")).to_be_visible()
    context.close()


def test_the_root_leads_to_the_console(page: Page, address: str) -> None:
    page.goto(f"{address}/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
