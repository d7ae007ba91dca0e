"""The console of a running local cloud, in a browser: a batch as it runs, then its month."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from infra.local.cloud import RunningCloud
from tests.console.browser import a_browser, complaints_of, violations
from tests.support.ecp import ecp
from tests.support.pipeline import PATIENCE_SECONDS, Pipeline, eventually
from tests.support.shop import (
    a_product,
    an_item,
    an_order,
    items_csv,
    orders_csv,
    products_csv,
)

pytestmark = [pytest.mark.integration, pytest.mark.browser]
PATIENCE_MS = PATIENCE_SECONDS * 1000
DAY = "2025-07-07"


@pytest.fixture
def page() -> Iterator[Page]:
    with a_browser() as browser:
        found = browser.new_page()
        found.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        yield found
        expect.set_options(timeout=5_000)


@pytest.mark.thorough
def test_a_batch_is_watched_from_its_start_to_the_numbers_of_its_month(
    running_cloud: RunningCloud, pipeline: Pipeline, page: Page, tmp_path: Path
) -> None:
    environment = running_cloud.environment()
    said = ecp("console", "--no-open", "--json", directory=tmp_path, environment=environment)
    assert said.exit_code == 0, said.err
    addresses = said.document
    assert addresses["console"] == f"{addresses['api']}/console"
    complaints = complaints_of(page)
    page.goto(f"{addresses['api']}/")
    expect(page.get_by_text("No KPIs have been published yet")).to_be_visible()

    orders = [an_order(str(n), f"u{n % 3}", DAY, "12.50") for n in range(1, 11)]
    broken = an_order("x<script>", "u1", "2025-02-30", "1.00")
    pipeline.upload_set(
        "console",
        {
            "orders/console.csv": orders_csv(*orders, broken),
            "order_items/console.csv": items_csv(
                *(an_item(str(n), "p1", "1", "12.50") for n in range(1, 11))
            ),
            "products/console.csv": products_csv(a_product("p1", "Books & <b>more</b>")),
        },
    )
    now = page.get_by_role("region", name="The newest batches")  # the page comes to it by itself
    now.get_by_role("link").first.click()
    expect(page.locator(".lead .status")).to_have_text("completed")
    expect(page.locator(".stages .done")).to_have_count(6)
    expect(page.get_by_role("cell", name="COMPLETED", exact=True)).to_be_visible()
    expect(
        page.get_by_role("row", name="orders/console.csv orders accepted 11 10 1")
    ).to_be_visible()

    page.get_by_role("link", name=DAY).click()
    row = page.get_by_role("region", name="All orders by day").get_by_role("row", name=DAY)
    expect(row).to_contain_text("125.00")
    row.get_by_role("link", name="Why").click()  # the page waits for the transformer's answer
    expect(page.get_by_text("The facts give exactly what is published.")).to_be_visible()
    expect(page.get_by_role("region", name="Rows of each file").get_by_role("row")).to_have_count(3)
    page.go_back()
    page.get_by_role("link", name="This month").click()
    page.get_by_label("By", exact=True).select_option("month")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("row", name="2025-07 125.00 10")).to_be_visible()

    places = page.get_by_role("navigation", name="Console")
    places.get_by_role("link", name="Categories").click()
    page.get_by_role("link", name="Books & <b>more</b>").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Books & <b>more</b>")
    places.get_by_role("link", name="Quarantine").click()
    page.get_by_role("link", name="1 rows of orders/console.csv").click()
    expect(page.locator("mark")).to_have_text("wrong: 2025-02-30")
    expect(page.get_by_text("x<script>", exact=True)).to_be_visible()
    assert violations(page) == []
    assert complaints == []


def shown_by(page: Page, wanted: Locator) -> None:
    """Load a page that does not move by itself until it shows what is wanted."""

    def is_there() -> bool:
        if wanted.count():
            return True
        page.reload()
        return False

    eventually(is_there)


@pytest.mark.thorough
def test_a_dead_letter_is_found_sent_back_and_dropped_by_keyboard(
    running_cloud: RunningCloud, pipeline: Pipeline, page: Page, tmp_path: Path
) -> None:
    environment = running_cloud.environment()
    said = ecp("console", "--no-open", "--json", directory=tmp_path, environment=environment)
    complaints = complaints_of(page)
    sqs = pipeline.client("sqs")
    queue = sqs.get_queue_url(QueueName="aggregator-files")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="{broken <b>")

    page.goto(f"{said.document['console']}/operations")
    shown_by(page, page.get_by_role("row", name="aggregator-files-dlq 1"))
    page.get_by_role("link", name="aggregator-files-dlq").press("Enter")
    expect(page.get_by_text("Cure the reason and send them back")).to_be_visible()
    expect(page.get_by_text("message is not JSON")).to_be_visible()
    page.get_by_role("button", name="Send back").press("Enter")
    expect(page.get_by_role("status")).to_have_text("1 message sent back.")

    places = page.get_by_role("navigation", name="Console")
    places.get_by_role("link", name="Operations").press("Enter")
    shown_by(page, page.get_by_role("row", name="aggregator-files-dlq 1"))
    page.get_by_role("link", name="aggregator-files-dlq").press("Enter")
    page.locator("summary", has_text="Drop").press("Enter")
    page.get_by_label("Why; kept with your name for good").fill("a script of mine")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("1 message dropped")
    expect(page.get_by_text("There are no dead letters here.")).to_be_visible()
    assert complaints == []


def test_an_ignored_file_is_found_with_the_name_it_should_have(
    running_cloud: RunningCloud, pipeline: Pipeline, page: Page, tmp_path: Path
) -> None:
    environment = running_cloud.environment()
    said = ecp("console", "--no-open", "--json", directory=tmp_path, environment=environment)
    pipeline.upload("order/july.csv", "order_id\n1\n")
    page.goto(f"{said.document['console']}/ignored")
    row = page.get_by_role("row", name="order/july.csv")
    shown_by(page, row)
    expect(row).to_contain_text("did you mean orders/july.csv?")


def test_a_bad_row_is_corrected_in_its_page_by_keyboard_and_counts(
    running_cloud: RunningCloud, page: Page, tmp_path: Path
) -> None:
    environment = running_cloud.environment()
    said = ecp("console", "--no-open", "--json", directory=tmp_path, environment=environment)
    console, day = said.document["console"], "2025-03-03"
    broken = an_order("c2", "u<b>9", "2025-02-30", "30.00")
    files = {
        "orders/correct.csv": orders_csv(
            *(an_order(f"c{n}", "u1", day, "12.50") for n in range(10, 20)), broken
        ),
        "order_items/correct.csv": items_csv(an_item("c10", "p1", "1", "12.50")),
        "products/correct.csv": products_csv(a_product("p1", "Books")),
    }
    for key, text in files.items():
        path = tmp_path / "shop" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    submit = ("submit", "shop", "--wait", "--json")
    sent = ecp(*submit, directory=tmp_path, environment=environment)
    assert sent.exit_code == 0, sent.err
    batch_id = sent.document["batch_id"]
    complaints = complaints_of(page)
    page.goto(f"{console}/batches/{batch_id}")
    page.get_by_role("row", name="orders/correct.csv").get_by_role("link").first.press("Enter")
    page.get_by_role("link", name="correct it").press("Enter")
    rows = page.url.partition("#")[0]
    form = page.get_by_role("form", name="Line 12")
    expect(form.get_by_label("user_id")).to_have_value("u<b>9")
    expect(page.locator("mark")).to_have_text("wrong: 2025-02-30")
    wrong = form.get_by_label("order_date")
    expect(wrong).to_have_attribute("aria-invalid", "true")
    assert violations(page) == []

    wrong.fill("2025-02-31")
    form.get_by_role("button", name="Dry run").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Still wrong: order_date '2025-02-31'")
    page.get_by_label("order_date").fill(day)
    page.get_by_role("button", name="Dry run").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("This would go in")
    uploaded = page.get_by_role("row", name="corrected")
    expect(uploaded).to_contain_text(f"order_date {day}, order_id c2")
    expect(uploaded).not_to_contain_text("u<b>9")
    assert violations(page) == []
    page.get_by_role("button", name="Replay").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Replay of corrected rows")
    expect(page.locator(".lead .status")).to_have_text("completed")
    assert violations(page) == []
    replay = page.locator(".lead .id").text_content()

    page.goto(rows)
    expect(page.get_by_role("row", name="order_date")).to_contain_text(
        f"answered by batch {replay}"
    )
    expect(page.get_by_role("form")).to_have_count(0)
    page.goto(f"{console}/orders?from={day}&to={day}")
    expect(page.get_by_role("row", name=day)).to_contain_text("155.00")
    assert complaints == []
