"""What the API answers, as JSON has it; those of the views are in `services.api.views.models`."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.views.models import AnomalyView, BatchView, FileView, LeftOutFile, SourceView

NEXT = "Cursor of the next page; null after the last"


class Measured(BaseModel):
    """A period: its days are `order_date` to `last_date`, both included."""

    period: str = Field(description="2025-07-07, 2025-W28 (ISO 8601) or 2025-07")
    order_date: str
    last_date: str


class OrderMeasures(BaseModel):
    """Money in units of the currency. None where days cannot tell it of a longer period."""

    total_orders: int
    total_revenue: float
    total_items_sold: int
    return_rate: float | None = Field(description="Returned orders of all orders")
    unique_customers: int | None = Field(
        description="Of a single day; null for more: a customer of two days would count twice"
    )
    guests: int


class ComparedOrders(OrderMeasures, Measured):
    """The period that a row is compared with."""


class OrderRow(OrderMeasures, Measured):
    """KPIs over all orders of a period; `updated_at`: when a day of it was set last."""

    updated_at: str | None
    compared: ComparedOrders | None = None


class OrderKpis(BaseModel):
    """Rows with at least one order, by period; `totals` are over the whole span."""

    first: str
    last: str
    by: str
    rows: list[OrderRow]
    totals: OrderRow
    next: str | None = Field(
        default=None, description="Cursor of the next page; null after the last"
    )


class CategoryMeasures(BaseModel):
    """Money in units of the currency. None where days cannot tell it of a longer period."""

    daily_revenue: float = Field(description="Revenue of the period, of each day for by=day")
    avg_order_value: float | None
    avg_return_rate: float | None


class ComparedCategory(CategoryMeasures, Measured):
    """The period that a row is compared with."""


class CategoryRow(CategoryMeasures, Measured):
    """KPIs of a category in a period; `updated_at`: when a day of it was set last."""

    category: str
    updated_at: str | None
    compared: ComparedCategory | None = None


class CategoryKpis(BaseModel):
    """Rows by category and period; `totals` has a row for each category over the whole span."""

    first: str
    last: str
    by: str
    rows: list[CategoryRow]
    totals: list[CategoryRow]
    total_revenue: float
    next: str | None = Field(
        default=None, description="Cursor of the next page; null after the last"
    )


class Day(BaseModel):
    """Whether a day has KPIs, and which batch set them last."""

    order_date: str
    state: Literal["published", "missing"]
    updated_at: str | None = None
    batch_id: str | None = None
    epoch: int | None = None


class Freshness(BaseModel):
    """How new the numbers are, by day and by source."""

    first: str
    last: str
    last_day: str | None = Field(description="The newest day that a batch has published")
    days: list[Day]
    sources: list[SourceView]


class AnomalyPage(BaseModel):
    """Numbers found odd, by day; with `status` a page may hold fewer than `limit`."""

    first: str
    last: str
    rows: list[AnomalyView]
    next: str | None = None


class TimelineEntry(BaseModel):
    """An event of a batch."""

    occurred_at: str
    event_type: str
    event_id: str
    source: str
    stream_id: str
    stream_version: int
    data: dict[str, Any]


class BatchPage(BaseModel):
    """Batches, the one that was sealed last first."""

    batches: list[BatchView]
    next: str | None = None


class BatchDetail(BaseModel):
    """A batch and what happened to it, in order of time."""

    batch: BatchView
    timeline: list[TimelineEntry]
    next: str | None = None


class FilePage(BaseModel):
    """Files of a batch by index, or files with quarantined rows, the newest first."""

    files: list[FileView]
    next: str | None = None


class IgnoredPage(BaseModel):
    """Versions of objects of which no row counts, the newest first."""

    ignored: list[LeftOutFile]
    next: str | None = None


class QuarantinedRow(BaseModel):
    """A row that did not count, and why; `column` is None where it is the whole record's fault."""

    kind: str
    line: int = Field(description="Physical line where the record starts, from 1")
    column: str | None
    rule: str
    message: str
    raw: str = Field(description="The record as the file has it")
    version_id: str = Field("", description="The file's version, by which a row is corrected")
    header: list[str] = Field([], description="The file's columns, where they are known")


class RowPage(BaseModel):
    """A file's quarantined rows by line."""

    batch_id: str
    file_index: int
    key: str
    rows: list[QuarantinedRow]
    next: str | None = None


class Measure(BaseModel):
    """A measure as it is published, and as the facts give it; None for none."""

    name: str
    published: float | None
    recomputed: float | None


class WhyContribution(BaseModel):
    """The rows of one file of one batch that a number is made of."""

    kind: Literal["orders", "order_items"]
    batch_id: str
    key: str
    rows: int
    orders: int
    quantity: int | None = None
    amount: float
    returned_orders: int | None = None
    snapshot: str | None = None


class WhyLine(BaseModel):
    """An order line that a number is made of, and where it stood."""

    batch_id: str
    key: str
    line: int
    order_id: str
    product_id: str
    line_id: str | None = None
    quantity: int
    unit_price: float | None = None
    line_amount: float | None = None
    added_to_total: float | None = None


class Why(BaseModel):
    """What a published number is made of. `equal`: the facts give what is published."""

    order_date: str
    category: str | None = None
    explained_at: str
    measures: list[Measure]
    equal: bool
    published_by: str | None = None
    published_epoch: int | None = None
    published_at: str | None = None
    in_work: str | None = Field(default=None, description="Batch that may change it just now")
    snapshots: dict[str, str]
    contributions: list[WhyContribution]
    contributions_left_out: int = 0
    lines: list[WhyLine]
    lines_left_out: int = 0


class ChangedMeasure(BaseModel):
    """A measure before a batch and after it; None where there is no such number."""

    name: str
    before: float | None
    after: float | None


class ChangedKpi(BaseModel):
    """A KPI item that a batch changed. `category` None: that of all orders."""

    order_date: str
    category: str | None = None
    measures: list[ChangedMeasure]


class ChangedDay(BaseModel):
    """Rows that a batch changed on a day; `order_date` None: lines that wait for their order."""

    order_date: str | None = None
    orders_added: int = 0
    orders_restated: int = 0
    orders_retotalled: int = 0
    orders_moved_in: int = 0
    orders_moved_away: int = 0
    lines_added: int = 0
    lines_restated: int = 0
    lines_replaced: int = 0
    lines_removed: int = 0
    lines_moved_in: int = 0
    lines_moved_away: int = 0
    lines_categorised: int = 0


class Difference(BaseModel):
    """What a batch changed. `missing`: why that cannot be told any more."""

    batch_id: str
    compared_at: str
    missing: str | None = None
    days: list[ChangedDay]
    days_left_out: int = 0
    products_added: int = 0
    products_restated: int = 0
    kpis: list[ChangedKpi]
    kpis_left_out: int = 0


class WaitingFile(BaseModel):
    """Lines of a file that wait for an id, and the first of them."""

    batch_id: str
    key: str
    line: int
    lines: int


class AlikeId(BaseModel):
    """A known id that may be the one that is meant, and in what it differs."""

    id: str
    differs_in: str


class MissingId(BaseModel):
    """An id that has not come, and what waits for it."""

    id: str
    lines: int
    files: list[WaitingFile]
    files_left_out: int = 0
    alike: list[AlikeId]


class WaitingLines(BaseModel):
    """Order lines that count nowhere until their order comes, or as Unknown until their product."""

    listed_at: str
    order_lines: int
    product_lines: int
    orders: list[MissingId]
    orders_left_out: int = 0
    products: list[MissingId]
    products_left_out: int = 0


class Asked(BaseModel):
    """The answer is being worked out: ask the same again after `Retry-After` seconds."""

    question_id: str
    status: Literal["asked"] = "asked"


class RowAsked(BaseModel):
    """A quarantined row of a plain file, and its fields as they are now."""

    model_config = ConfigDict(extra="forbid")

    batch_id: str = Field(pattern="^[0-9a-f]{16}$")
    key: str = Field(min_length=1, max_length=1024)
    version_id: str = Field(min_length=1, max_length=1024)
    line: int = Field(ge=1, le=10**12)
    kind: Literal["orders", "order_items", "products"]
    fields: dict[str, str] = Field(description="Text by column; one that is not there is empty")


class CorrectionsAsked(BaseModel):
    """`request`: one's own name for it; the same rows under the same name have one effect."""

    model_config = ConfigDict(extra="forbid")

    rows: list[RowAsked] = Field(min_length=1, max_length=1000)
    dry_run: bool = Field(True, description="Say what would happen, and upload nothing")
    request: str | None = Field(None, pattern="^[A-Za-z0-9-]{1,64}$")


class ReplayAsked(BaseModel):
    """The rows are being judged: `/quarantine/replays/<replay_id>` has the answer."""

    replay_id: str
    status: Literal["asked"] = "asked"


class ReplayVerdict(BaseModel):
    """`message`: why a row stays out, or what is to be known; `changed`: columns that differ."""

    batch_id: str
    key: str
    version_id: str
    line: int
    kind: str
    verdict: Literal["fixed", "wrong", "unchanged", "refused"]
    changed: list[str]
    message: str | None


class UploadRow(BaseModel):
    """A row of the upload; one that corrects nothing stands, and goes along with its pair."""

    kind: str
    key: str
    fields: dict[str, str]
    corrects: bool


class Replayed(BaseModel):
    """What became of corrected rows; `waits_for`: ask again when that batch has ended."""

    replay_id: str
    dry_run: bool
    requested_by: str
    answered_at: str
    outcome: Literal["would_upload", "uploaded", "nothing", "waits"]
    batch_id: str | None
    waits_for: str | None
    rows: list[ReplayVerdict]
    uploads: list[UploadRow]
    uploads_left_out: int


class Health(BaseModel):
    """`newest_event_at`: how far the views have come; null before the first event."""

    status: Literal["ok"]
    newest_event_at: str | None


class Problem(BaseModel):
    """A question that was not answered, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = None
