"""Pictures of the console's stories, and the docs' section on them: `make screenshots`.

A picture is WebP, which browsers and GitHub show and Chromium writes itself. A page that leaves
somebody out by axe's rules gets none.
"""

import base64
import os
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.console.browser import a_browser, violations
from tests.console.server import serving
from tests.console.shop import a_shop
from tests.console.stories import ADDRESSES, SIZES, Variant, section, variants

PROJECT = Path(__file__).parents[2]
FOLDER, DOCUMENT = PROJECT / "docs/images/console", PROJECT / "docs/console.md"
BEGINS, ENDS = "<!-- make screenshots: begin -->\n", "<!-- make screenshots: end -->\n"
QUALITY = 82


def main() -> None:
    """Draw them all anew, and say how large each is."""
    os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "WARNING")
    FOLDER.mkdir(parents=True, exist_ok=True)
    drawn: dict[str, bytes] = {}
    with serving(a_shop(is_hostile=False)) as address, a_browser() as browser:
        for one in variants():
            drawn[one.name] = picture(browser, address, one)
            sys.stdout.write(f"{len(drawn[one.name]):8,} {one.name}\n")
    for old in FOLDER.iterdir():
        old.unlink()
    for name, content in drawn.items():
        (FOLDER / name).write_bytes(content)
    DOCUMENT.write_text(with_section(DOCUMENT.read_text()))
    sys.stdout.write(f"{sum(map(len, drawn.values())):8,} together\n")


def picture(browser: Browser, address: str, variant: Variant) -> bytes:
    """Of what is to be seen at once; raises SystemExit where axe finds something."""
    height, pixels = SIZES[variant.width]
    context = browser.new_context(
        viewport={"width": variant.width, "height": height},
        device_scale_factor=pixels,
        color_scheme=variant.scheme,
        reduced_motion="reduce",
        locale="en-GB",
    )
    page = context.new_page()
    page.goto(address + ADDRESSES[variant.moment.page])
    variant.moment.done(page)
    if found := violations(page):
        raise SystemExit(f"{variant.name} is not drawn:\n" + "\n".join(found))
    page.locator(variant.begins).first.evaluate("one => one.scrollIntoView()")
    content = webp(page)
    context.close()
    return content


def webp(page: Page) -> bytes:
    """What the browser shows; Playwright itself writes PNG and JPEG only."""
    session = page.context.new_cdp_session(page)
    shot = session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    return base64.b64decode(shot["data"])


def with_section(text: str) -> str:
    """The document with the stories as they are now."""
    before, _, rest = text.partition(BEGINS)
    _, found, after = rest.partition(ENDS)
    if not found:
        raise SystemExit(f"{DOCUMENT.name} has no place for the stories")
    return f"{before}{BEGINS}{section()}{ENDS}{after}"


if __name__ == "__main__":
    main()
