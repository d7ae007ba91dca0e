"""Pictures of the console's pages for the docs: `make screenshots`."""

import os
import sys
from pathlib import Path

from tests.console.browser import PAGES, a_browser
from tests.console.server import serving
from tests.console.shop import a_shop

FOLDER = Path(__file__).parents[2] / "docs/images/console"
SHOTS = (
    ("overview", 1280, "light"),
    ("overview", 1280, "dark"),
    ("overview", 375, "light"),
    ("orders", 1280, "light"),
    ("categories", 1280, "light"),
    ("categories", 375, "dark"),
    ("running", 1280, "light"),
    ("rows", 1280, "light"),
    ("why", 1280, "light"),
    ("freshness", 1280, "light"),
    ("freshness", 375, "dark"),
    ("operations", 1280, "light"),
    ("operations", 375, "dark"),
    ("letters", 1280, "light"),
)
TALLEST = 1300


def main() -> None:
    """Draw them all anew, and say how large each is."""
    os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "WARNING")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    with serving(a_shop(is_hostile=False)) as address, a_browser() as browser:
        for name, width, scheme in SHOTS:
            context = browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme=scheme, locale="en-GB"
            )
            page = context.new_page()
            page.goto(address + PAGES[name])
            height = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST)
            page.set_viewport_size({"width": width, "height": height})
            path = FOLDER / f"{name}-{width}-{scheme}.png"
            page.screenshot(path=path)
            sys.stdout.write(f"{path.stat().st_size:8,} {path.name}\n")
            context.close()


if __name__ == "__main__":
    main()
