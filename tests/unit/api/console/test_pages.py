"""Every page of the console, read as a browser without script reads it."""

import re
from collections import Counter
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest

from contracts.errors import Transient
from contracts.printable import printable
from services.api.console.records import cells_of
from services.api.console.rendering import POLICY
from services.api.http.models import QuarantinedRow
from services.api.kpis.periods import By
from services.api.questions.ports import TooLarge
from tests.console.pages import Element, addresses, asked, read, rows
from tests.console.shop import (
    DONE,
    FAILED,
    HOSTILE,
    LAST,
    NOW,
    REJECTED,
    RUNNING,
    WAITING,
    a_shop,
    bad_rows,
    orders,
    why,
)
from tests.unit.api.harness import Answer, ApiHarness, a_question, an_event
from tests.unit.api.kpi_items import of, plain_category, plain_orders

LETTERS = "/console/operations/dead-letters/validator-commands-dlq"
EVERY = [
    "/console",
    "/console/",
    "/console/orders",
    "/console/orders?compare=previous&by=week",
    "/console/orders?from=2024-08-01&to=2025-07-31&by=month&compare=last_year",
    "/console/orders?from=2001-01-01&to=2001-01-31",
    "/console/categories",
    "/console/categories?compare=last_year&by=month&from=2024-08-01&to=2025-07-31",
    "/console/categories?category=Books&compare=last_year",
    "/console/categories?category=nothing",
    "/console/batches",
    *(f"/console/batches/{one}" for one in (DONE, FAILED, REJECTED, RUNNING, WAITING)),
    f"/console/batches/{DONE}/files",
    f"/console/batches/{DONE}/files/0",
    f"/console/batches/{DONE}/files/1",
    f"/console/batches/{REJECTED}/files/0",
    "/console/why?order_date=2025-07-31",
    "/console/why?order_date=2025-07-31&category=Books",
    "/console/why?order_date=2025-07-30",
    "/console/quarantine",
    "/console/ignored",
    "/console/freshness",
    "/console/freshness?to=2024-07-01",
    "/console/waiting",
    f"/console/batches/{DONE}/difference",
    f"/console/batches/{FAILED}/difference",
    "/console/operations",
    LETTERS,
    "/console/operations/dead-letters/lock-commands-dlq?dropped=1",
    "/console/operations/dead-letters/nope",
    "/console/nope",
    "/console/batches/nope",
    "/console/orders?form=2025-07-01",
]


@pytest.fixture(scope="module")
def shop() -> ApiHarness:
    return a_shop()


def ask(api: ApiHarness, address: str, headers: dict[str, str] | None = None) -> Answer:
    path, query = asked(address)
    event = a_question(path, headers)
    event["rawQueryString"], event["queryStringParameters"] = urlsplit(address).query, query
    return api.handle(event)


def page(api: ApiHarness, address: str) -> Element:
    answer = ask(api, address)
    assert answer.status == 200, answer.text
    return read(answer.text)


def table(found: Element, caption: str) -> Element:
    [one] = [one for one in found.all("table") if caption in one.one("caption").text]
    return one


@pytest.mark.medium
def test_every_link_of_every_page_leads_somewhere(shop: ApiHarness) -> None:
    """Of addresses that differ in their values alone some are tried."""
    left, tried = ["/console"], Counter[Any]()
    seen = set(left)
    while left:
        address = left.pop()
        path, query = asked(address)
        kind = re.sub("[0-9a-f]{16}", "ID", path), tuple(sorted(query))
        tried[kind] += 1
        if tried[kind] > 6:
            continue
        answer = ask(shop, address)
        assert answer.status == 200, (address, answer.text)
        if not answer.headers["Content-Type"].startswith("text/html"):
            continue
        for one in addresses(read(answer.text), address) - seen:
            seen.add(one)
            left.append(one)
    paths = {path for path, _ in tried}
    assert paths >= {
        "/console/orders", "/console/categories", "/console/batches", "/console/batches/ID",
        "/console/quarantine", "/console/ignored", "/console/freshness", "/kpis/orders",
        "/kpis/categories", "/openapi.json",
    }  # fmt: skip


@pytest.mark.parametrize("address", EVERY)
def test_a_page_may_do_nothing_that_its_policy_does_not_say(shop: ApiHarness, address: str) -> None:
    answer = ask(shop, address)
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert "unsafe" not in POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    found = read(answer.text)
    for one in found.all():
        assert not [name for name in one.attributes if name == "style" or name.startswith("on")]
        assert one.tag != "style"
        assert one.tag != "script" or (one.attributes.get("src") and not one.text)
        assert not one.attributes.get("href", "").startswith(("javascript:", "http", "//", "/"))


@pytest.mark.parametrize("address", EVERY)
def test_a_page_is_built_to_be_read_by_everybody(shop: ApiHarness, address: str) -> None:
    found = read(ask(shop, address).text)
    assert found.one("html").attributes["lang"] == "en"
    assert found.one("head").one("title").text
    assert found.one("h1").text
    assert found.one("main").attributes["id"] == "main"
    assert next(found.one("body").all("a")).attributes["href"] == "#main"
    ids = Counter(one.attributes["id"] for one in found.all() if "id" in one.attributes)
    assert [name for name, count in ids.items() if count > 1] == []
    labelled = {one.attributes["for"] for one in found.all("label")}
    for one in found.all():
        if one.tag in ("input", "select") and one.attributes.get("type") != "hidden":
            assert one.attributes["id"] in labelled
        if "aria-labelledby" in one.attributes:
            assert one.attributes["aria-labelledby"] in ids
        if one.tag == "table":
            assert one.one("caption").text
            assert all("scope" in cell.attributes for cell in one.all("th"))
        if one.attributes.get("class", "").startswith("scroll"):
            assert (one.attributes["tabindex"], one.attributes["role"]) == ("0", "region")
    for one in found.all("svg"):
        assert one.attributes.get("aria-hidden") == "true" or (
            one.attributes["role"] == "img" and one.attributes["aria-label"]
        )


@pytest.mark.parametrize("address", EVERY)
def test_a_chart_has_a_table_beside_it(shop: ApiHarness, address: str) -> None:
    found = read(ask(shop, address).text)
    for figure in found.all("figure"):
        beside = figure.parent
        while beside and beside.attributes.get("class") != "beside":
            beside = beside.parent
        assert beside is not None
        assert list(beside.all("table"))


@pytest.mark.parametrize(
    "address",
    ["/console", "/console/categories", "/console/quarantine", "/console/ignored",
     f"/console/batches/{DONE}", f"/console/batches/{DONE}/files",
     f"/console/batches/{DONE}/files/0", f"/console/batches/{DONE}/files/3",
     "/console/why?order_date=2025-07-31", LETTERS, "/console/waiting",
     f"/console/batches/{DONE}/difference"],
)  # fmt: skip
def test_a_hostile_name_is_shown_as_text(shop: ApiHarness, address: str) -> None:
    text = ask(shop, address).text
    assert "<script>alert" not in text
    assert not {"\u202e", "\x07"} & set(text)
    assert printable(HOSTILE) in read(text).text


def test_a_hostile_name_can_be_asked_for(shop: ApiHarness) -> None:
    names = [one for one in page(shop, "/console/categories").all("a") if "alert" in one.text]
    found = page(shop, "/console/" + names[0].attributes["href"].removeprefix("../console/"))
    assert printable(HOSTILE) in found.one("h1").text
    shown = {row[0]: row[1] for row in rows(table(found, "By day"))}
    assert shown["2025-07-30 Wed"].startswith("42.00")


@pytest.mark.medium
def test_a_name_of_a_kilobyte_and_one_of_nothing_are_shown(shop: ApiHarness) -> None:
    api = a_shop()
    key = "orders/" + "\u00e4\u202d" * 500
    api.hear(an_event("FileIgnored", "file-set/b/1", 1, 5, key=key, bucket="b", version_id="v1"))
    assert printable(key) in page(api, "/console/ignored").text


def test_months_of_orders_are_what_a_plain_model_says(shop: ApiHarness) -> None:
    found = page(shop, "/console/orders?from=2024-06-01&to=2025-07-31&by=month")
    shown = {row[0]: row for row in rows(table(found, "All orders by month"))}
    months = of(orders(), lambda one: f"{one.day:%Y-%m}")
    assert shown.keys() == months.keys()
    for month, its in months.items():
        expected = plain_orders(its)
        row = shown[month]
        assert row[1] == f"{Decimal(str(expected['total_revenue'])):,.2f}"
        assert row[2] == f"{expected['total_orders']:,}"
        assert row[3] == f"{expected['total_items_sold']:,}"
        assert row[4] == f"{expected['return_rate'] * 100:.2f} %"
        assert row[5] == "\u2013 not known"
        assert row[6] == f"{expected['guests']:,}"


@pytest.mark.medium
def test_categories_of_a_month_are_what_a_plain_model_says(shop: ApiHarness) -> None:
    address = "/console/categories?from=2025-06-01&to=2025-06-30&compare="
    found = page(shop, address)
    june = [one for one in orders() if f"{one.day:%Y-%m}" == "2025-06"]
    names = {name for one in june for name, _ in one.lines}
    shown = {row[0]: row[1:] for row in rows(table(found, "Largest revenue first"))}
    assert shown.keys() == names
    revenues = [Decimal(row[0].replace(",", "")) for row in shown.values()]
    assert revenues == sorted(revenues, reverse=True)
    for name in names:
        expected = plain_category(june, name)
        assert shown[name] == [
            f"{expected['daily_revenue']:,.2f}",
            f"{expected['avg_order_value']:,.2f}",
            f"{expected['avg_return_rate'] * 100:.2f} %",
        ]
    by_day = rows(table(found, "All counts every category"))
    cents = of(june, lambda one: str(one.day))
    assert {row[0]: row[-1] for row in by_day} == {
        day: f"{sum(one.cents for one in its) / 100:,.2f}" for day, its in cents.items()
    }


@pytest.mark.medium
def test_movers_are_those_that_changed_most(shop: ApiHarness) -> None:
    found = page(shop, "/console/categories?from=2025-06-01&to=2025-06-30")
    revenue = {
        month: {
            name: sum(
                cents
                for one in orders()
                if f"{one.day:%Y-%m}" == month
                for category, cents in one.lines
                if category == name
            )
            for name in {name for one in orders() for name, _ in one.lines}
        }
        for month in ("2025-05", "2025-06")
    }
    moved = {name: now - revenue["2025-05"][name] for name, now in revenue["2025-06"].items()}
    most = sorted(moved, key=lambda name: -abs(moved[name]))[:5]
    shown = rows(table(found, "largest changes"))
    assert [row[0] for row in shown] == most
    assert shown[0][3].replace("\u2212", "-") == f"{moved[most[0]] / 100:+,.2f}"


def test_the_overview_is_of_today_yesterday_and_the_month(shop: ApiHarness) -> None:
    found = page(shop, "/console")
    tiles = {one.one("h2").text: one for one in found.all("section") if list(one.all("dl"))}
    assert [*tiles] == [
        "Today Thu 31 Jul 2025", "Yesterday Wed 30 Jul 2025", "July 2025 1 to Thu 31 Jul 2025",
    ]  # fmt: skip
    today = [one for one in orders() if one.day == LAST]
    assert f"{sum(one.cents for one in today) / 100:,.2f}" in tiles["Today Thu 31 Jul 2025"].text
    assert "13 , no KPIs" in table(found, "July 2025").text


@pytest.mark.medium
def test_an_overview_that_is_behind_says_so_and_shows_the_newest_day() -> None:
    api = a_shop()
    later = NOW.replace(month=8)
    behind = _with(api, later)
    found = page(behind, "/console")
    [note] = found.all("p", class_="note")
    assert "no KPIs for today or yesterday" in note.text
    assert "Thu 31 Jul 2025" in note.text
    assert next(one.text for one in found.all("h2")) == "Thu 31 Jul 2025"


def _with(api: ApiHarness, now: Any) -> ApiHarness:
    """The same views and KPIs at another time."""
    other = ApiHarness(clock=lambda: now)
    other.views.items = api.views.items
    other.kpis.order_items = api.kpis.order_items
    other.kpis.category_items = api.kpis.category_items
    return other


def test_an_empty_pipeline_has_every_page() -> None:
    api = ApiHarness()
    for place in (
        "",
        "/orders",
        "/categories",
        "/batches",
        "/quarantine",
        "/ignored",
        "/freshness",
        "/waiting",
        "/operations",
    ):
        assert page(api, f"/console{place}").one("h1").text
    assert "No KPIs have been published yet" in page(api, "/console").text


def test_a_batch_that_runs_is_followed_and_one_that_ended_is_not(shop: ApiHarness) -> None:
    running, done = (
        page(shop, f"/console/batches/{RUNNING}"),
        page(shop, f"/console/batches/{DONE}"),
    )
    assert running.one("main").attributes["data-live"] == "1"
    assert running.one("p", id="live").attributes["role"] == "status"
    assert list(running.all("script"))
    assert "data-live" not in done.one("main").attributes
    assert not list(done.all("script"))
    [now] = running.all("li", aria_current="step")
    assert now.text == "Transforming 3.0 s so far"


def test_who_waits_for_the_lock_is_told_with_its_place(shop: ApiHarness) -> None:
    told = page(shop, "/console").one("section", aria_labelledby="now").text
    assert f"{RUNNING} transforming" in told
    assert f"{WAITING} waiting for the lock, number 1 in line" in told


@pytest.mark.medium
def test_long_lists_have_pages() -> None:
    api = ApiHarness()
    ids = [f"{n:016x}" for n in range(120)]
    for n, one in enumerate(ids):
        api.hear(an_event("BatchSealed", f"batch/{one}", 1, n, batch_id=one))
    found, address = [], "/console/batches"
    while True:
        one = page(api, address)
        found += [row[0] for row in rows(table(one, "sealed last first"))]
        older = list(one.all("a", rel="next"))
        if not older:
            break
        address = f"/console/{older[0].attributes['href'].removeprefix('../console/')}"
    assert found == ids[::-1]


@pytest.mark.medium
def test_a_page_that_is_known_is_not_sent_again_until_it_changes(shop: ApiHarness) -> None:
    api = a_shop()
    known = {"If-None-Match": ask(api, "/console/batches").headers["ETag"]}
    again = ask(api, "/console/batches", known)
    assert (again.status, again.text) == (304, "")
    api.hear(an_event("BatchSealed", "batch/" + "f" * 16, 1, 50, batch_id="f" * 16))
    assert ask(api, "/console/batches", known).status == 200


def test_the_root_leads_to_the_console(shop: ApiHarness) -> None:
    answer = ask(shop, "/")
    assert (answer.status, answer.headers["Location"]) == (302, "console")


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("/console/nope", 404, "there is no page /console/nope"),
        ("/console/batches/nope", 422, "batch_id"),
        (f"/console/batches/{'0' * 16}", 404, "no batch"),
        ("/console/batches?cursor=x", 400, "no such cursor"),
        ("/console/orders?form=2025-07-01", 400, "no parameter"),
        ("/console/orders?from=2025-02-30", 422, "from"),
        ("/console/orders?from=2025-07-02&to=2025-07-01", 400, "is after"),
        ("/console/orders?from=2024-01-01&to=2025-07-01&by=day", 400, "by week or month"),
        ("/console/assets/style.css", 404, "style.css"),
        ("/console/why?order_date=2001-01-01", 404, "nothing of orders is published"),
        ("/console/why", 422, "order_date"),
        (f"/console/batches/{DONE}/files/99", 404, "no validated file"),
    ],
)
def test_a_wrong_question_is_answered_by_a_page_that_says_why(
    shop: ApiHarness, address: str, status: int, words: str
) -> None:
    answer = ask(shop, address)
    assert answer.status == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert words in read(answer.text).one("main").text


def test_a_post_is_refused(shop: ApiHarness) -> None:
    event = a_question("/console/orders")
    event["requestContext"]["http"]["method"] = "POST"
    answer = shop.handle(event)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET")


def test_a_fault_and_a_busy_table_are_pages_that_say_nothing_of_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for raised, status in ((RuntimeError("hunter2"), 500), (Transient("hunter2"), 503)):
        api = ApiHarness()

        def fails(*_: Any, raised: Exception = raised) -> None:
            raise raised

        monkeypatch.setattr(api.views, "newest", fails)
        answer = ask(api, "/console/batches")
        assert answer.status == status
        assert read(answer.text).one("h1").text
        assert "hunter2" not in answer.text


def test_on_aws_nobody_is_answered_whom_the_gateway_does_not_know() -> None:
    answer = ask(ApiHarness(endpoint=""), "/console")
    assert answer.status == 401
    assert "ecp console" in read(answer.text).one("main").text


@pytest.mark.parametrize("days", [7, 62, 63, 366, 367, 731])
def test_a_longer_span_is_shown_by_longer_periods(shop: ApiHarness, days: int) -> None:
    first = LAST.fromordinal(LAST.toordinal() - days + 1)
    found = page(shop, f"/console/orders?from={first}&to={LAST}&by=")
    [chosen] = [one.text for one in found.all("option") if "selected" in one.attributes][:1]
    assert chosen == (By.DAY if days <= 62 else By.WEEK if days <= 366 else By.MONTH)


@pytest.mark.parametrize("address", EVERY)
def test_a_page_is_light(shop: ApiHarness, address: str) -> None:
    assert len(ask(shop, address).text.encode()) < 120_000


def test_what_is_not_known_is_said_once_in_words(shop: ApiHarness) -> None:
    told = page(shop, "/console/orders?by=month").one("main").text
    assert "Customers \u2013: known for single days only" in told
    books = page(shop, "/console/categories?category=Books").one("main").text
    assert "known for" not in books


@pytest.mark.parametrize(("first", "is_compared"), [("2024-08-01", False), ("2025-06-01", True)])
def test_a_sum_is_compared_only_with_about_as_many_days(
    shop: ApiHarness, first: str, is_compared: bool
) -> None:
    """The shop begins in June 2024."""
    address = f"/console/orders?from={first}&to=2025-07-31&by=month&compare=last_year"
    [tiles] = page(shop, address).all("dl", class_="tiles")
    assert ("%" in next(tiles.all("small")).text) is is_compared


@pytest.mark.medium
def test_a_category_with_a_name_of_a_kilobyte_can_be_asked_for() -> None:
    api, name = a_shop(), "x" * 1024
    for item in api.kpis.category_items:
        if item["category"] == "Toys":
            item["category"] = name
    [link, *_] = [one for one in page(api, "/console/categories").all("a") if one.text == name]
    found = page(api, link.attributes["href"].replace("../", "/"))
    assert name in found.one("h1").text
    assert not [one for one in found.all("a") if "Download" in one.text], (
        "the API takes no such category"
    )


def test_a_quarantined_row_has_its_wrong_cell_marked(shop: ApiHarness) -> None:
    found = page(shop, f"/console/batches/{DONE}/files/0")
    first, second, third, *_ = rows(table(found, "By line"))
    assert first[:2] == [
        "40", "order_date '2025-02-30' is not a date column order_date, rule order_date.format",
    ]  # fmt: skip
    assert [one.text for one in found.all("mark")][:2] == ["wrong: 2025-02-30", "wrong: 12.x"]
    assert second[2] == "9101 , u1 , 2025-07-30 , wrong: 12.x , completed"
    assert third[2] == '9102,"u2,2025-07-30,14.00,completed', "no record: shown as it came"


@pytest.mark.parametrize(
    ("raw", "message", "column", "wrong"),
    [
        ("1,a,a", "user_id 'a' is too short", "user_id", []),
        ("1, 7x ,b", "quantity '7x' is not a number", "quantity", [1]),
        ("1,,b", "user_id '' is missing", "user_id", []),
        ("1,a", "the record has 2 fields and not 'a'", None, []),
        ('1,"a,b"', "name 'a,b' has a comma", "name", [1]),
        ('1,"a', "name '1' is no name", "name", []),
    ],
)
def test_a_cell_is_marked_where_it_alone_has_the_value_that_is_quoted(
    raw: str, message: str, column: str | None, wrong: list[int]
) -> None:
    row = QuarantinedRow(kind="orders", line=2, column=column, rule="r", message=message, raw=raw)
    cells = cells_of(row).cells
    assert [n for n, cell in enumerate(cells) if cell.is_wrong] == wrong


def test_a_file_with_rows_in_quarantine_leads_to_them(shop: ApiHarness) -> None:
    found = page(shop, "/console/quarantine")
    links = {asked(one)[0] for one in addresses(found, "/console/quarantine")}
    assert f"/console/batches/{DONE}/files/0" in links
    assert f"/console/batches/{DONE}/files/1" not in links


@pytest.mark.medium
def test_rows_that_are_gone_and_files_that_are_too_large_are_told() -> None:
    api, address = a_shop(), f"/console/batches/{DONE}/files/0"
    del api.others.quarantined[DONE, 0]
    gone = ask(api, address)
    assert (gone.status, "kept no longer" in read(gone.text).one("main").text) == (404, True)
    api.others.quarantined[DONE, 0] = TooLarge("its rows have 99 MB")
    large = ask(api, address)
    assert (large.status, "ecp quarantine export" in large.text) == (413, True)


@pytest.mark.medium
def test_every_number_of_a_day_leads_to_its_why(shop: ApiHarness) -> None:
    address = f"/console/why?order_date={LAST}"
    assert address in addresses(page(shop, "/console"), "/console")
    assert address in addresses(page(shop, "/console/orders"), "/console/orders")
    books = "/console/categories?category=Books"
    assert f"{address}&category=Books" in addresses(page(shop, books), "/console/categories")
    months = page(shop, "/console/orders?by=month")
    assert "Why" not in table(months, "All orders by month").text


@pytest.mark.medium
def test_why_is_followed_until_it_is_there() -> None:
    api = a_shop()
    address = "/console/why?order_date=2025-07-29"
    waiting = page(api, address)
    assert waiting.one("main").attributes["data-live"] == "1"
    [command] = api.others.asked
    api.others.answers[command.question_id] = why(api.kpis.order_items["2025-07-29"], HOSTILE)
    found = page(api, address)
    assert "data-live" not in found.one("main").attributes
    assert "The facts give exactly what is published" in found.one("main").text
    files = rows(table(found, "Rows of each file"))
    assert files[0][1:] == [DONE, "28", "22", "41", "1,145.76"]


@pytest.mark.medium
def test_a_refused_file_shows_the_rows_for_which_it_was_refused() -> None:
    api, address = a_shop(), f"/console/batches/{REJECTED}/files/0"
    assert address in addresses(page(api, "/console/quarantine"), "/console/quarantine")
    assert "not for single rows" in page(api, address).one("main").text
    api.others.quarantined[REJECTED, 0] = bad_rows(2, HOSTILE)
    found = page(api, address)
    assert "The rows for which it was refused" in found.one("main").text
    assert len(rows(table(found, "By line"))) == 2


@pytest.mark.medium
def test_an_odd_number_is_marked_in_table_chart_and_list_with_what_was_expected() -> None:
    shop = a_shop()
    day, before = str(LAST), str(LAST.replace(day=LAST.day - 1))
    told = {"order_date": day, "value": 40.0, "expected": 80.0, "lowest": 60.0, "highest": 99.0}
    shop.hear(
        an_event("KpiAnomalyDetected", f"kpi-anomaly/{day}", 1, **told, series="orders", score=-4),
        an_event(
            "KpiAnomalyDetected", f"kpi-anomaly/{day}", 2, **told, series="category_revenue",
            category="Books", score=-5,
        ),
    )  # fmt: skip
    address = f"/console/orders?from={before}&to={day}&by=day"
    text = ask(shop, address).text
    assert text.count("odd: below what was expected, 80 (60 to 99)") == 2  # table and chart
    assert text.count("marked") == 1
    assert "Odd numbers" in text
    assert f"why?order_date={day}" in text
    assert "Books" not in text.split("Odd numbers")[1].split("</section>")[0]
    of_books = ask(shop, f"/console/categories?category=Books&from={before}&to={day}").text
    assert "odd: below what was expected, 80.00 (60.00 to 99.00)" in of_books
    for address in ("/console", f"/console/categories?from={before}&to={day}"):
        listed = ask(shop, address).text
        assert "Odd numbers" in listed
        assert "Books" in listed.split("Odd numbers")[1].split("</section>")[0]
    shop.hear(
        an_event(
            "KpiAnomalyResolved", f"kpi-anomaly/{day}", 3, **told, series="orders", odd_value=1
        ),
    )  # fmt: skip
    assert "odd: below" not in ask(shop, f"/console/orders?from={before}&to={day}").text
