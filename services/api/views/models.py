"""What the views say, as they are kept and as the API answers them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

BatchStatus = Literal["UNSEALED", "SEALED", "RUNNING", "COMPLETED", "REJECTED", "FAILED"]


class View(BaseModel):
    """Instants are RFC 3339 in UTC; None is what no event has said yet."""

    model_config = ConfigDict(frozen=True)


class BatchView(View):
    """A batch. `UNSEALED`: events of it came, and not yet the one that it began with.

    `rows_in`, `accepted`, `quarantined`, `duplicates` and `left_out` are sums over the files that
    are validated. `files_validated`, `files_rejected`: how many of `file_count` have a verdict.
    """

    batch_id: str
    status: BatchStatus
    attempt: int = 0
    trigger: str | None = None
    bucket: str | None = None
    file_count: int | None = None
    size_bytes: int | None = None
    sealed_at: str | None = None
    started_at: str | None = None
    closed_at: str | None = None
    execution_id: str | None = None
    reason: str | None = None
    waits_for_lock: int | None = None
    engine: str | None = None
    epoch: int | None = None
    files_validated: int = 0
    files_rejected: int = 0
    rows_in: int = 0
    accepted: int = 0
    quarantined: int = 0
    duplicates: int = 0
    left_out: int = 0
    guests: int = 0
    published_at: str | None = None
    affected_days: int | None = None
    first_day: str | None = None
    last_day: str | None = None
    order_kpis: int | None = None
    category_kpis: int | None = None
    deleted: int | None = None
    waiting_order_items: int | None = None
    archived_at: str | None = None
    released_by: str | None = None
    events: int
    last_event: str
    last_event_at: str


class FileView(View):
    """A file of a batch: `rows_in = accepted + quarantined + duplicates + left_out`.

    A rejected file has no counts. `dismissed`: quarantined rows that somebody said will never be
    corrected.
    """

    batch_id: str
    file_index: int
    key: str
    kind: str
    source: str
    status: Literal["accepted", "rejected"]
    rows_in: int | None = None
    accepted: int | None = None
    quarantined: int | None = None
    duplicates: int | None = None
    left_out: int | None = None
    guests: int | None = None
    unknown_columns: list[str] = []
    rule: str | None = None
    reason: str | None = None
    dismissed: int = 0
    is_dismissed: bool = False
    validated_at: str


class LeftOutFile(View):
    """A version of an object of which no row counts, and why."""

    what: Literal["ignored", "superseded", "gone"]
    bucket: str
    key: str
    version_id: str | None
    reason: str
    did_you_mean: str | None = None
    by_version_id: str | None = None
    at: str


class AnomalyView(View):
    """A number that the guard found odd; `resolved` when it is so no longer.

    `value`: what is published; money in units of the currency, rates from 0 to 1. Between `lowest`
    and `highest` it would not be odd. `score`: spreads from what was expected, below it when
    negative. `odd_value`: what was odd of one that is resolved.
    """

    order_date: str
    series: Literal["orders", "revenue", "items", "return_rate", "category_revenue"]
    category: str | None = None
    status: Literal["odd", "resolved"]
    value: float
    expected: float
    lowest: float
    highest: float
    score: float | None = None
    odd_value: float | None = None
    published_by: str | None = None
    told_at: str


class SourceView(View):
    """When a source's files came last, and when a batch with some of them was published last.

    A plain folder (`orders`) is a source, as is each folder below `incoming/`.
    """

    source: str
    arrived_at: str | None = None
    arrived_key: str | None = None
    published_at: str | None = None
    published_batch: str | None = None


class Publication(View):
    """The batch that published last."""

    batch_id: str
    epoch: int
    at: str


class LockView(View):
    """The processing lock after its last event; `at`: since when it is held, or free.

    `lease_until` is the last that was heard of. `taken_away`: why a free one was not given back.
    """

    is_held: bool = False
    at: str | None = None
    fence: int | None = None
    batch_id: str | None = None
    lease_until: str | None = None
    taken_away: str | None = None
    detail: str | None = None


class SignOfLife(View):
    """A service, and the last event of it that the views have."""

    service: str
    at: str
    said: str
