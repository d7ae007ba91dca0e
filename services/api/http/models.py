"""What the API answers, as JSON has it; those of the views are in `services.api.views.models`."""

from typing import Any, Literal

from pydantic import BaseModel, Field

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


class Asked(BaseModel):
    """The answer is being worked out: ask the same again after `Retry-After` seconds."""

    question_id: str
    status: Literal["asked"] = "asked"


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
