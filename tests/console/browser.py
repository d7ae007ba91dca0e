"""A real browser on the console, and what it says of a page."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request, sync_playwright

from tests.console.shop import DONE, FAILED, REJECTED, REPLAY, RUNNING
from tests.support.needs import chromium

PAGES = {
    "overview": "/console",
    "orders": "/console/orders",
    "months": "/console/orders?from=2024-08-01&to=2025-07-31&by=month&compare=last_year",
    "categories": "/console/categories",
    "category": "/console/categories?category=Books&compare=last_year",
    "batches": "/console/batches",
    "running": f"/console/batches/{RUNNING}",
    "completed": f"/console/batches/{DONE}",
    "failed": f"/console/batches/{FAILED}",
    "rejected": f"/console/batches/{REJECTED}",
    "files": f"/console/batches/{DONE}/files",
    "quarantine": "/console/quarantine",
    "rows": f"/console/batches/{DONE}/files/0",
    "replay": f"/console/replays/{REPLAY}",
    "why": "/console/why?order_date=2025-07-31",
    "ignored": "/console/ignored",
    "waiting": "/console/waiting",
    "difference": f"/console/batches/{DONE}/difference",
    "freshness": "/console/freshness",
    "operations": "/console/operations",
    "letters": "/console/operations/dead-letters/validator-commands-dlq",
    "no letters": "/console/operations/dead-letters/lock-commands-dlq",
    "empty": "/console/orders?from=2001-01-01&to=2001-01-31",
}
SCHEMES = ("light", "dark")
WIDTHS = (320, 375, 1280)
FLAGS = ["--no-sandbox", "--disable-lcd-text"]
"""Root has no sandbox; grey edges of letters make pictures smaller."""
RULES = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    },
    "rules": {"target-size": {"enabled": True}},
    "resultTypes": ["violations"],
}


@contextmanager
def a_browser() -> Iterator[Browser]:
    """Chromium as the system has it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        browser.close()


def violations(page: Page) -> list[str]:
    """What axe finds, with the element that it is at."""
    found: Any = Axe().run(page, options=RULES)
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary']}"
        for one in found.response["violations"]
        for node in one["nodes"]
    ]


def complaints_of(page: Page) -> list[str]:
    """Errors that the browser tells of from now on: of scripts, policies and what does not load.

    Not what a live page had asked again when it was left: the browser gives that up by itself.
    """
    found: list[str] = []

    def failed(one: Request) -> None:
        if (one.resource_type, one.failure) != ("fetch", "net::ERR_ABORTED"):
            found.append(f"{one.url}: {one.failure}")

    page.on("console", lambda one: found.append(one.text) if one.type == "error" else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("requestfailed", failed)
    return found
