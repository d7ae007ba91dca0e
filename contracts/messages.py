# Generated from contracts/schemas by `python -m contracts.generate`: do not edit.
"""One frozen model per message `data`, document and part; the latest version of each."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class AbandonBatch(BaseModel):
    """
    Undo an unpublished batch, or finish one whose publication has begun
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    execution_id: str
    fence: int
    attempt: int


class AcquireLock(BaseModel):
    """
    Ask for the single-writer lock; answered when granted
    """

    model_config = ConfigDict(
        frozen=True,
    )
    lock_id: str
    execution_id: str
    batch_id: str
    attempt: int


class AdmitFence(BaseModel):
    """
    Take a fence of the lock for seen, though it is far above the highest one seen
    """

    model_config = ConfigDict(
        frozen=True,
    )
    request_id: str
    fence: int
    requested_by: str
    reason: str


class BreakLock(BaseModel):
    """
    Take the lock from its holder on a person's word
    """

    model_config = ConfigDict(
        frozen=True,
    )
    lock_id: str
    fence: int
    requested_by: str
    reason: str


class CompareBatch(BaseModel):
    """
    Say what one batch changed in facts and KPIs
    """

    model_config = ConfigDict(
        frozen=True,
    )
    question_id: str
    batch_id: str
    requested_by: str


class DismissQuarantine(BaseModel):
    """
    Quarantined rows, or a refused file, will never be corrected: a person says so
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    key: str
    lines: list[int] | None = None
    requested_by: str
    reason: Annotated[str, Field(max_length=2000)]


class ExplainKpi(BaseModel):
    """
    Say what one published number is made of
    """

    model_config = ConfigDict(
        frozen=True,
    )
    question_id: str
    order_date: str
    category: str | None = None
    requested_by: str


class ExtendLease(BaseModel):
    """
    The holder is alive: push lease_until forward
    """

    model_config = ConfigDict(
        frozen=True,
    )
    lock_id: str
    execution_id: str
    fence: int


class ListWaiting(BaseModel):
    """
    Say which order lines wait for their order or their product
    """

    model_config = ConfigDict(
        frozen=True,
    )
    question_id: str
    requested_by: str


class MaintainFacts(BaseModel):
    """
    Look after the facts tables: small files, old snapshots, files that nothing refers to
    """

    model_config = ConfigDict(
        frozen=True,
    )
    request_id: str
    requested_by: str


class RaiseFence(BaseModel):
    """
    Grant no fence any more that is not above one that a writer has seen
    """

    model_config = ConfigDict(
        frozen=True,
    )
    lock_id: str
    seen_fence: int
    requested_by: str
    reason: str


class RebuildKpis(BaseModel):
    """
    Make the KPI tables exactly what the facts give
    """

    model_config = ConfigDict(
        frozen=True,
    )
    request_id: str
    requested_by: str
    index: bool = False


class RedriveBatch(BaseModel):
    """
    Run a FAILED batch again
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    requested_by: str


class RekeyFacts(BaseModel):
    """
    Give every user in the facts the pseudonym of the next generation, and drop older snapshots
    """

    model_config = ConfigDict(
        frozen=True,
    )
    request_id: str
    generation: int
    check_before: str
    check_after: str
    requested_by: str


class ReleaseBatch(BaseModel):
    """
    The healthy files of a rejected batch go on without the rejected ones: a person says so
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    requested_by: str
    reason: Annotated[str, Field(max_length=2000)]


class ReleaseLock(BaseModel):
    """
    Give the lock back; only owner and fence can
    """

    model_config = ConfigDict(
        frozen=True,
    )
    lock_id: str
    execution_id: str
    fence: int
    attempt: int


class SealFileSet(BaseModel):
    """
    Seal what is pending, or the set that holds file_key
    """

    model_config = ConfigDict(
        frozen=True,
    )
    bucket: str
    file_key: str
    execution_id: str
    attempt: int


class BatchAbandoned(BaseModel):
    """
    An unpublished batch was undone
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    epoch: int
    reason: str
    attempt: int
    fence: int


class BatchArchived(BaseModel):
    """
    The inputs are in the archive and gone from the data bucket
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    file_count: int
    size_bytes: int
    archive_prefix: str
    attempt: int
    fence: int
    gone: list[str] = []


class BatchFailed(BaseModel):
    """
    The pipeline was at fault; facts are as before unless KpisPublished came first
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    execution_id: str
    reason: str


class BatchOverdue(BaseModel):
    """
    A set has waited too long for what is missing
    """

    model_config = ConfigDict(
        frozen=True,
    )
    bucket: str
    set_number: int
    missing: list[str]
    file_count: int
    waiting_since: str


class BatchReleased(BaseModel):
    """
    Somebody let the healthy files of a rejected batch go on without the rejected ones
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    requested_by: str
    reason: Annotated[str, Field(max_length=2000)]
    released_as: str
    file_count: int


class BatchStarted(BaseModel):
    """
    The saga runs for a batch
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    execution_id: str
    attempt: int


class DaysRebuilt(BaseModel):
    """
    A span of days of the KPI tables equals the facts again
    """

    model_config = ConfigDict(
        frozen=True,
    )
    request_id: str
    epoch: int
    first_day: str
    last_day: str
    days_done: int
    days_total: int


class FactsPublished(BaseModel):
    """
    The facts tables' mains moved to the batch's snapshots
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    epoch: int
    snapshots: dict[str, str]
    attempt: int
    fence: int


class FactsRekeyed(BaseModel):
    """
    The facts hold pseudonyms of this generation and no older ones; every KPI is what it was
    """

    model_config = ConfigDict(
        frozen=True,
    )
    request_id: str
    epoch: int
    generation: int
    rekeyed: bool
    days: int
    rows: int
    expired_snapshots: int
    dropped_tags: int
    deleted_files: int
    deleted_bytes: int
    duration_seconds: float


class FenceAdmitted(BaseModel):
    """
    The transformer refuses every fence below this one from now on
    """

    model_config = ConfigDict(
        frozen=True,
    )
    request_id: str
    epoch: int
    fence_before: int
    fence: int
    requested_by: str
    reason: str


class FenceRaised(BaseModel):
    """
    Every fence granted from now on is above this one, which the lock had not granted
    """

    model_config = ConfigDict(
        frozen=True,
    )
    lock_id: str
    fence: int
    requested_by: str
    reason: str


class FileGone(BaseModel):
    """
    A file version that was announced or noticed is deleted, and none of its rows was read
    """

    model_config = ConfigDict(
        frozen=True,
    )
    bucket: str
    key: str
    version_id: str | None = None
    reason: str
    batch_id: str | None = None


class FileIgnored(BaseModel):
    """
    An object was seen and is not an input
    """

    model_config = ConfigDict(
        frozen=True,
    )
    bucket: str
    key: str
    version_id: str | None = None
    reason: str
    did_you_mean: str | None = None


class FileSuperseded(BaseModel):
    """
    A newer version took the place of one that was not sealed yet
    """

    model_config = ConfigDict(
        frozen=True,
    )
    bucket: str
    key: str
    version_id: str
    by_version_id: str
    by_key: str | None = None
    reason: str


class KpiAnomalyDetected(BaseModel):
    """
    A day's number is far from what the days before it let expect
    """

    model_config = ConfigDict(
        frozen=True,
    )
    series: Literal["orders", "revenue", "items", "return_rate", "category_revenue"]
    category: str | None = None
    order_date: str
    value: float
    expected: float
    lowest: float
    highest: float
    score: float
    published_by: str | None = None


class KpiAnomalyResolved(BaseModel):
    """
    A day's number that was odd is so no longer: days were stated anew
    """

    model_config = ConfigDict(
        frozen=True,
    )
    series: Literal["orders", "revenue", "items", "return_rate", "category_revenue"]
    category: str | None = None
    order_date: str
    value: float
    expected: float
    lowest: float
    highest: float
    odd_value: float
    published_by: str | None = None


class KpisRebuilt(BaseModel):
    """
    The KPI tables are exactly what the facts give
    """

    model_config = ConfigDict(
        frozen=True,
    )
    request_id: str
    epoch: int
    days: int
    order_kpis: int
    category_kpis: int
    deleted: int
    unchanged: int
    duration_seconds: float
    index_faults: int | None = None
    table_rows: int | None = None


class LeaseExtended(BaseModel):
    """
    The holder is alive
    """

    model_config = ConfigDict(
        frozen=True,
    )
    lock_id: str
    execution_id: str
    fence: int
    lease_until: str


class LockGranted(BaseModel):
    """
    An execution is the single writer
    """

    model_config = ConfigDict(
        frozen=True,
    )
    lock_id: str
    execution_id: str
    batch_id: str
    fence: int
    lease_until: str


class LockQueued(BaseModel):
    """
    An execution waits its turn
    """

    model_config = ConfigDict(
        frozen=True,
    )
    lock_id: str
    execution_id: str
    batch_id: str
    position: int


class LockRecovered(BaseModel):
    """
    The lock was taken from a holder that ended, slept or was overruled
    """

    model_config = ConfigDict(
        frozen=True,
    )
    lock_id: str
    execution_id: str
    fence: int
    reason: Literal["EXECUTION_ENDED", "LEASE_EXPIRED", "BROKEN"]
    detail: str


class LockReleased(BaseModel):
    """
    The holder gave the lock back
    """

    model_config = ConfigDict(
        frozen=True,
    )
    lock_id: str
    execution_id: str
    fence: int


class LookupReceived(BaseModel):
    """
    A lookup of a source came; sets sealed from now on are read with it
    """

    model_config = ConfigDict(
        frozen=True,
    )
    bucket: str
    key: str
    version_id: str
    source: str
    lookup: str
    size_bytes: int
    sha256: str
    last_modified: str | None = None


class QuarantineDismissed(BaseModel):
    """
    Somebody said that quarantined rows, or a refused file, will never be corrected
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    key: str
    lines: list[int] | None = None
    requested_by: str
    reason: Annotated[str, Field(max_length=2000)]


class RejectionAnswered(BaseModel):
    """
    Corrected versions of rejected files are published
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    keys: list[str]
    answered_by: str


class SourceRefused(BaseModel):
    """
    An object under sources/ is no source that can be used
    """

    model_config = ConfigDict(
        frozen=True,
    )
    bucket: str
    key: str
    version_id: str
    reason: str


class SourceRemoved(BaseModel):
    """
    A version of a source of one's own is there no more; files that came wait
    """

    model_config = ConfigDict(
        frozen=True,
    )
    bucket: str
    key: str
    version_id: str
    name: str
    version: int


class TransformStarted(BaseModel):
    """
    A new writer epoch works on a batch
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    epoch: int
    engine: Literal["duckdb", "spark"]
    engine_reason: str
    attempt: int
    fence: int


class UpkeepRefused(BaseModel):
    """
    A rebuild or an upkeep of the facts gave way to a batch
    """

    model_config = ConfigDict(
        frozen=True,
    )
    request_id: str
    reason: str


class UserErasedFromFacts(BaseModel):
    """
    One user was erased from the facts; every KPI is what it was
    """

    model_config = ConfigDict(
        frozen=True,
    )
    request_id: str
    epoch: int
    days: int
    rows: int
    expired_snapshots: int
    dropped_tags: int
    deleted_files: int
    deleted_bytes: int
    duration_seconds: float


class WaiterSkipped(BaseModel):
    """
    A waiter whose execution is gone lost its place
    """

    model_config = ConfigDict(
        frozen=True,
    )
    lock_id: str
    execution_id: str
    reason: str


class AlikeId(BaseModel):
    """
    A known id that may be the one that is meant
    """

    model_config = ConfigDict(
        frozen=True,
    )
    id: str
    differs_in: str


class AnsweredRow(BaseModel):
    """
    A quarantined row, and the row of a replay that stands for it
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    key: str
    version_id: str
    line: int
    replay_key: str
    replay_line: int
    identity: list[str]


class AwaitedFile(BaseModel):
    """
    A key of which a rejected batch waits for a corrected version
    """

    model_config = ConfigDict(
        frozen=True,
    )
    key: str
    newer_than: str | None = None
    statement: str | None = None


class CategoryMeasures(BaseModel):
    """
    What the KPIs of a category on a day are made of, in whole numbers
    """

    model_config = ConfigDict(
        frozen=True,
    )
    daily_revenue_cents: int
    orders_with_category: int
    returned_orders: int


class ChangedDay(BaseModel):
    """
    Rows that a batch changed on one day
    """

    model_config = ConfigDict(
        frozen=True,
    )
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


class ChangedMeasure(BaseModel):
    """
    A measure before a batch and after it
    """

    model_config = ConfigDict(
        frozen=True,
    )
    name: str
    before: str | None = None
    after: str | None = None


class CorrectedRow(BaseModel):
    """
    A quarantined row, and its fields as somebody has corrected them
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    key: str
    version_id: str
    line: int
    kind: Literal["orders", "order_items", "products"]
    fields: dict[str, str]


class Envelope(BaseModel):
    """
    What surrounds the data of every command and event
    """

    model_config = ConfigDict(
        frozen=True,
    )
    event_id: str
    event_type: str
    schema_version: int
    source: str
    occurred_at: str
    stream_id: str
    stream_version: int
    correlation_id: str | None
    causation_id: str | None
    data: dict[str, Any]
    task_token: str | None = None


class ErasedFacts(BaseModel):
    """
    What an erasure did to the facts
    """

    model_config = ConfigDict(
        frozen=True,
    )
    epoch: int
    days: int
    rows: int
    expired_snapshots: int
    dropped_tags: int
    deleted_files: int
    deleted_bytes: int


class ErasedPlace(BaseModel):
    """
    What an erasure did in one place
    """

    model_config = ConfigDict(
        frozen=True,
    )
    place: Literal["uploads", "quarantine", "archive"]
    versions: int
    rewritten_objects: int
    deleted_versions: int
    rows: int
    uncertain_rows: int


class ExplainedLine(BaseModel):
    """
    An order line that a number is made of
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    key: str
    line: int
    order_id: str
    product_id: str
    line_id: str | None = None
    quantity: int
    unit_price: str | None = None
    line_amount: str | None = None
    added_to_total: str | None = None


class ExplainedMeasure(BaseModel):
    """
    A measure as it is published, and as the facts give it
    """

    model_config = ConfigDict(
        frozen=True,
    )
    name: str
    published: str | None = None
    recomputed: str | None = None


class ExportColumns(BaseModel):
    """
    How a file of a source is searched for a user, as the source says
    """

    model_config = ConfigDict(
        frozen=True,
    )
    user_columns: list[str]
    used_columns: list[str]
    delimiter: str
    encoding: Literal["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"]
    quoting: Literal["doubled", "backslash", "none"]
    skip_lines: int
    carried_down: bool = False


class FileResult(BaseModel):
    """
    The fate of one file's rows: rows_in = accepted + quarantined + duplicates + left_out
    """

    model_config = ConfigDict(
        frozen=True,
    )
    index: int
    key: str
    kind: Literal["orders", "order_items", "products"]
    status: Literal["accepted", "rejected", "duplicate"]
    rows_in: int
    accepted: int
    quarantined: int
    duplicates: int
    reason: str | None = None
    guests: int = 0
    unknown_columns: list[str] = []
    left_out: dict[str, int] = {}
    source: str | None = None


class KpiContribution(BaseModel):
    """
    The rows of one file of one batch that a number is made of
    """

    model_config = ConfigDict(
        frozen=True,
    )
    kind: Literal["orders", "order_items"]
    batch_id: str
    key: str
    rows: int
    orders: int
    quantity: int | None = None
    amount: str
    returned_orders: int | None = None
    snapshot: str | None = None


class ObjectRef(BaseModel):
    """
    One pinned version of an S3 object and what its bytes hash to
    """

    model_config = ConfigDict(
        frozen=True,
    )
    bucket: str
    key: str
    version_id: str
    sha256: str


class ObjectVersion(BaseModel):
    """
    One version of an object in S3; its bucket is said elsewhere
    """

    model_config = ConfigDict(
        frozen=True,
    )
    key: str
    version_id: str
    is_current: bool
    export: ExportColumns | None = None


class OrderMeasures(BaseModel):
    """
    What the KPIs of a day's orders are made of, in whole numbers
    """

    model_config = ConfigDict(
        frozen=True,
    )
    total_orders: int
    total_revenue_cents: int
    total_items_sold: int
    returned_orders: int
    unique_customers: int
    guests: int


class OrderTotal(BaseModel):
    """
    An order whose total is not the sum of its lines
    """

    model_config = ConfigDict(
        frozen=True,
    )
    order_id: str
    total_amount_cents: int
    lines_cents: int


class OrderTotals(BaseModel):
    """
    A warning, never a rejection: totals of the batch's orders against their lines
    """

    model_config = ConfigDict(
        frozen=True,
    )
    differing: int
    worst: list[OrderTotal]


class PinnedLookup(BaseModel):
    """
    A file that a source looks values up in
    """

    model_config = ConfigDict(
        frozen=True,
    )
    name: str
    ref: ObjectRef


class PinnedSource(BaseModel):
    """
    The source that a file is read by, and its version
    """

    model_config = ConfigDict(
        frozen=True,
    )
    name: str
    version: int
    ref: ObjectRef | None = None
    gives: list[Literal["orders", "order_items", "products"]]


class PseudonymErasure(BaseModel):
    """
    A pseudonym of a user and what takes its place
    """

    model_config = ConfigDict(
        frozen=True,
    )
    check: str
    pseudonym: str
    token: str


class PublishedCounts(BaseModel):
    """
    KPI items that a batch wrote
    """

    model_config = ConfigDict(
        frozen=True,
    )
    order_kpis: int
    category_kpis: int
    deleted: int


class RejectedFile(BaseModel):
    """
    A file that made its batch REJECTED
    """

    model_config = ConfigDict(
        frozen=True,
    )
    key: str
    reason: str
    gone: bool = False
    valid: bool = False


class ReplacedStatement(BaseModel):
    """
    A row that stands in the place of an older one
    """

    model_config = ConfigDict(
        frozen=True,
    )
    kind: Literal["orders", "order_items", "products"]
    identity: list[str]
    key: str
    line: int
    replaced_key: str
    replaced_line: int
    replaced_batch_id: str


class ReplayedRow(BaseModel):
    """
    What is said of one corrected row
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    key: str
    version_id: str
    line: int
    kind: Literal["orders", "order_items", "products"]
    verdict: Literal["fixed", "wrong", "unchanged", "refused"]
    changed: list[str] = []
    message: str | None = None


class RestatedRow(BaseModel):
    """
    A standing row, and the row of a replay that states it again unchanged
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    key: str
    line: int
    replay_key: str
    replay_line: int


class Restatement(BaseModel):
    """
    How much a batch replaced of what older files had said
    """

    model_config = ConfigDict(
        frozen=True,
    )
    orders: int
    order_items: int
    products: int
    examples: list[ReplacedStatement]


class RowToUpload(BaseModel):
    """
    A row of the upload that a replay makes
    """

    model_config = ConfigDict(
        frozen=True,
    )
    kind: Literal["orders", "order_items", "products"]
    key: str
    fields: dict[str, str]
    corrects: bool


class SupersededVersion(BaseModel):
    """
    A file version whose place a newer one took before it was sealed
    """

    model_config = ConfigDict(
        frozen=True,
    )
    key: str
    version_id: str
    by_version_id: str
    by_key: str | None = None


class TableUpkeep(BaseModel):
    """
    What an upkeep did to one facts table
    """

    model_config = ConfigDict(
        frozen=True,
    )
    table: str
    compacted_partitions: int
    compacted_files: int
    expired_snapshots: int
    dropped_tags: int
    deleted_files: int
    deleted_bytes: int
    kept_snapshots: int


class UnsearchedObject(BaseModel):
    """
    An object of which nobody can tell whether it holds the user
    """

    model_config = ConfigDict(
        frozen=True,
    )
    key: str
    reason: str


class UploadManifestFile(BaseModel):
    """
    One file that an upload manifest names
    """

    model_config = ConfigDict(
        frozen=True,
    )
    key: str
    version_id: str | None = None


class WaitingFile(BaseModel):
    """
    Lines of one file that wait for one id
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    key: str
    line: int
    lines: int


class ArchiveBatch(BaseModel):
    """
    Move the pinned inputs to the archive, verified
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    manifest: ObjectRef
    result: ObjectRef
    fence: int
    attempt: int


class CloseBatch(BaseModel):
    """
    Record how a batch ended
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    execution_id: str
    outcome: Literal["COMPLETED", "REJECTED", "FAILED"]
    rejected_files: list[int]
    reason: str
    result: ObjectRef | None = None
    fence: int | None = None
    attempt: int


class EraseFromArchive(BaseModel):
    """
    Erase one user from the archive: from these versions of objects
    """

    model_config = ConfigDict(
        frozen=True,
    )
    request_id: str
    request: ObjectRef
    bucket: str
    objects: list[ObjectVersion]
    requested_by: str


class EraseFromFacts(BaseModel):
    """
    Erase one user from the facts: from what stands and from every older snapshot
    """

    model_config = ConfigDict(
        frozen=True,
    )
    request_id: str
    request: ObjectRef
    requested_by: str


class EraseFromQuarantine(BaseModel):
    """
    Erase one user from quarantine and from the staged rows: from these versions of objects
    """

    model_config = ConfigDict(
        frozen=True,
    )
    request_id: str
    request: ObjectRef
    bucket: str
    objects: list[ObjectVersion]
    requested_by: str


class ReplayQuarantine(BaseModel):
    """
    Judge corrected rows, and bring in those that may come
    """

    model_config = ConfigDict(
        frozen=True,
    )
    replay_id: str
    corrections: ObjectRef
    dry_run: bool
    requested_by: str


class TransformBatch(BaseModel):
    """
    Turn staged rows into facts and publish the KPIs of the affected days
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    manifest: ObjectRef
    execution_id: str
    fence: int
    attempt: int


class ValidateFile(BaseModel):
    """
    Check one file of the manifest, stage its good rows, quarantine the bad
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    manifest: ObjectRef
    file_index: int
    execution_id: str
    fence: int
    attempt: int


class BatchResult(BaseModel):
    """
    What a batch did to facts and KPIs, reconciled
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    epoch: int
    engine: Literal["duckdb", "spark"]
    engine_reason: str
    files: list[FileResult]
    waiting_order_items: int
    affected_days: list[str]
    published: PublishedCounts
    snapshots: dict[str, str]
    duration_seconds: float
    order_totals: OrderTotals | None = None
    restated: Restatement | None = None
    guests: int = 0
    currency: str | None = None
    difference: ObjectRef | None = None


class ErasureReceipt(BaseModel):
    """
    What was erased of one user, kept for good; it names neither the user nor the token
    """

    model_config = ConfigDict(
        frozen=True,
    )
    erasure_id: str
    user_digest: str
    requested_by: str
    requested_at: str
    finished_at: str
    places: list[ErasedPlace]
    facts: ErasedFacts
    unsearched: list[UnsearchedObject]
    not_changed: list[str]
    changed: bool


class ErasureRequest(BaseModel):
    """
    Whom an erasure is about and what takes the user's place; deleted when it is done
    """

    model_config = ConfigDict(
        frozen=True,
    )
    erasure_id: str
    requested_by: str
    requested_at: str
    user_id: str | None = None
    user_token: str | None = None
    pseudonyms: list[PseudonymErasure]
    said_as: list[dict[str, str]] = []


class KpiExplanation(BaseModel):
    """
    What one number is made of: its files, batches and order lines
    """

    model_config = ConfigDict(
        frozen=True,
    )
    question_id: str
    explained_at: str
    order_date: str
    category: str | None = None
    measures: list[ExplainedMeasure]
    equal: bool
    published_by: str | None = None
    published_epoch: int | None = None
    published_at: str | None = None
    in_work: str | None = None
    snapshots: dict[str, str]
    contributions: list[KpiContribution]
    contributions_left_out: int = 0
    lines: list[ExplainedLine]
    lines_left_out: int = 0


class QuarantineCorrections(BaseModel):
    """
    Corrected rows that somebody asks to replay
    """

    model_config = ConfigDict(
        frozen=True,
    )
    rows: list[CorrectedRow]


class QuarantineReplay(BaseModel):
    """
    What became of corrected rows that somebody asked to replay
    """

    model_config = ConfigDict(
        frozen=True,
    )
    replay_id: str
    dry_run: bool
    requested_by: str
    answered_at: str
    outcome: Literal["would_upload", "uploaded", "nothing", "waits"]
    batch_id: str | None = None
    waits_for: str | None = None
    rows: list[ReplayedRow]
    uploads: list[RowToUpload]
    uploads_left_out: int = 0


class ReplayAnswers(BaseModel):
    """
    The quarantined rows that a replay answers
    """

    model_config = ConfigDict(
        frozen=True,
    )
    rows: list[AnsweredRow]
    restated: Annotated[list[RestatedRow], Field(validate_default=True)] = []


class BatchCompleted(BaseModel):
    """
    Published and archived
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    execution_id: str
    result: ObjectRef
    remark: str | None = None


class BatchRedriven(BaseModel):
    """
    A failed batch is to run again
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    attempt: int
    requested_by: str
    manifest: ObjectRef
    file_count: int
    bucket: str


class BatchRejected(BaseModel):
    """
    The data was at fault; nothing was published
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    execution_id: str
    rejected_files: list[RejectedFile]
    reason: str


class BatchSealed(BaseModel):
    """
    A set of files is complete and pinned
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    bucket: str
    manifest: ObjectRef
    file_count: int
    size_bytes: int
    trigger: Literal["SETTLED", "MANIFEST", "MANUAL"]
    execution_id: str | None = None
    attempt: int
    answers: ObjectRef | None = None


class FactsMaintained(BaseModel):
    """
    The facts tables were looked after
    """

    model_config = ConfigDict(
        frozen=True,
    )
    request_id: str
    epoch: int
    tables: list[TableUpkeep]
    duration_seconds: float


class FileDetected(BaseModel):
    """
    A new file version was seen and joined the open set
    """

    model_config = ConfigDict(
        frozen=True,
    )
    bucket: str
    key: str
    version_id: str
    kind: Literal["orders", "order_items", "products"]
    size_bytes: int
    etag: str
    sha256: str | None = None
    manifest_key: str | None = None
    last_modified: str | None = None
    returned: bool = False
    source: PinnedSource | None = None


class FileRejected(BaseModel):
    """
    A file as a whole cannot be used
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    file_index: int
    key: str
    kind: Literal["orders", "order_items", "products"]
    rule: str
    reason: str
    report: ObjectRef
    attempt: int
    fence: int


class FileSetSealed(BaseModel):
    """
    The open set was closed into a batch
    """

    model_config = ConfigDict(
        frozen=True,
    )
    bucket: str
    set_number: int
    batch_id: str
    file_count: int
    superseded: Annotated[list[SupersededVersion], Field(validate_default=True)] = []


class FileValidated(BaseModel):
    """
    A file's rows are staged or quarantined
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    file_index: int
    key: str
    kind: Literal["orders", "order_items", "products"]
    rows_in: int
    accepted: int
    quarantined: int
    unknown_columns: list[str]
    report: ObjectRef
    attempt: int
    fence: int
    duplicates: int = 0
    guests: int = 0


class KpisPublished(BaseModel):
    """
    The KPIs of the affected days equal the facts
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    epoch: int
    result: ObjectRef
    engine: Literal["duckdb", "spark"]
    affected_days: int
    first_day: str | None = None
    last_day: str | None = None
    order_kpis: int
    category_kpis: int
    deleted: int
    waiting_order_items: int
    duration_seconds: float
    attempt: int
    fence: int


class ManifestReceived(BaseModel):
    """
    An upload manifest named the files of one set
    """

    model_config = ConfigDict(
        frozen=True,
    )
    bucket: str
    key: str
    version_id: str
    last_modified: str | None = None
    files: list[UploadManifestFile]
    answers: ObjectRef | None = None
    one_statement: bool = False


class SourceAdded(BaseModel):
    """
    A source of one's own can be used: its files are taken in
    """

    model_config = ConfigDict(
        frozen=True,
    )
    bucket: str
    key: str
    version_id: str
    source: PinnedSource
    lookups: list[str] = []
    title: str | None = None


class UserErasedFromArchive(BaseModel):
    """
    One user was erased from some objects of the archive
    """

    model_config = ConfigDict(
        frozen=True,
    )
    request_id: str
    versions: int
    rewritten_objects: int
    deleted_versions: int
    rows: int
    uncertain_rows: int
    unsearched: list[UnsearchedObject]


class UserErasedFromQuarantine(BaseModel):
    """
    One user was erased from some objects of quarantine and from the staged rows
    """

    model_config = ConfigDict(
        frozen=True,
    )
    request_id: str
    versions: int
    rewritten_objects: int
    deleted_versions: int
    rows: int
    uncertain_rows: int
    unsearched: list[UnsearchedObject]


class CategoryKpiChange(BaseModel):
    """
    The KPIs of a category on a day before a batch and after it
    """

    model_config = ConfigDict(
        frozen=True,
    )
    order_date: str
    category: str
    before: CategoryMeasures | None = None
    after: CategoryMeasures | None = None


class ChangedKpi(BaseModel):
    """
    A KPI item that a batch changed
    """

    model_config = ConfigDict(
        frozen=True,
    )
    order_date: str
    category: str | None = None
    measures: list[ChangedMeasure]


class DetectedFile(BaseModel):
    """
    A file in S3 as the aggregator saw it
    """

    model_config = ConfigDict(
        frozen=True,
    )
    bucket: str
    key: str
    version_id: str
    kind: Literal["orders", "order_items", "products"]
    size_bytes: int
    etag: str
    sha256: str | None = None
    manifest_key: str | None = None
    last_modified: str | None = None
    returned: bool = False
    held_by: str | None = None
    statement: str | None = None
    source: PinnedSource | None = None


class HeldBatch(BaseModel):
    """
    A rejected batch whose healthy files wait
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    awaiting: list[AwaitedFile] | None = None
    answers: ObjectRef | None = None


class KindReport(BaseModel):
    """
    One of the kinds that a file gives; rows_in = accepted + quarantined + duplicates + left_out
    """

    model_config = ConfigDict(
        frozen=True,
    )
    kind: Literal["orders", "order_items", "products"]
    rows_in: int
    accepted: int
    quarantined: int
    duplicates: int = 0
    left_out: dict[str, int] = {}
    staged: ObjectRef | None = None


class ManifestFile(BaseModel):
    """
    One pinned input of a batch
    """

    model_config = ConfigDict(
        frozen=True,
    )
    index: int
    kind: Literal["orders", "order_items", "products"]
    key: str
    version_id: str
    size_bytes: int
    etag: str
    sha256: str | None = None
    duplicate_of: int | None = None
    statement: str | None = None
    seen_before: str | None = None
    source: PinnedSource | None = None
    lookups: Annotated[list[PinnedLookup], Field(validate_default=True)] = []


class MissingId(BaseModel):
    """
    An id that lines name and that has not come
    """

    model_config = ConfigDict(
        frozen=True,
    )
    id: str
    lines: int
    files: list[WaitingFile]
    files_left_out: int = 0
    alike: list[AlikeId]


class OrderKpiChange(BaseModel):
    """
    The KPIs of a day's orders before a batch and after it
    """

    model_config = ConfigDict(
        frozen=True,
    )
    order_date: str
    before: OrderMeasures | None = None
    after: OrderMeasures | None = None


class PendingManifest(BaseModel):
    """
    An upload manifest and the files it names
    """

    model_config = ConfigDict(
        frozen=True,
    )
    key: str
    version_id: str
    last_modified: str | None = None
    files: list[UploadManifestFile]
    answers: ObjectRef | None = None
    one_statement: bool = False


class BatchChanges(BaseModel):
    """
    What a batch changed, kept beside its result: numbers, no id of an order or a user
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    epoch: int
    snapshots_before: dict[str, str]
    snapshots: dict[str, str]
    days: list[ChangedDay]
    products_added: int
    products_restated: int
    order_kpis: list[OrderKpiChange]
    category_kpis: list[CategoryKpiChange]


class BatchDifference(BaseModel):
    """
    What a batch changed: rows by day, and each KPI before and after
    """

    model_config = ConfigDict(
        frozen=True,
    )
    question_id: str
    batch_id: str
    compared_at: str
    missing: str | None = None
    days: list[ChangedDay]
    days_left_out: int = 0
    products_added: int = 0
    products_restated: int = 0
    kpis: list[ChangedKpi]
    kpis_left_out: int = 0


class BatchManifest(BaseModel):
    """
    The files of a batch, pinned, in order of statement
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    bucket: str
    sealed_at: str
    trigger: Literal["SETTLED", "MANIFEST", "MANUAL"]
    manifest_key: str | None = None
    files: list[ManifestFile]
    answers: ObjectRef | None = None


class FileReport(BaseModel):
    """
    What the validator found in one file; rows_in = accepted + quarantined + duplicates + left_out
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    file_index: int
    key: str
    version_id: str
    kind: Literal["orders", "order_items", "products"]
    status: Literal["accepted", "rejected"]
    rule: str | None = None
    reason: str | None = None
    rows_in: int
    accepted: int
    quarantined: int
    unknown_columns: list[str]
    contract: str
    staged: ObjectRef | None = None
    quarantined_rows: ObjectRef | None = None
    quarantined_file: ObjectRef | None = None
    pseudonym_check: str | None = None
    duplicates: int = 0
    guests: int = 0
    currency: str | None = None
    left_out: dict[str, int] = {}
    kinds: Annotated[list[KindReport], Field(validate_default=True)] = []
    whole_orders: bool = False


class WaitingLines(BaseModel):
    """
    Order lines that wait for their order, and those whose product is not known
    """

    model_config = ConfigDict(
        frozen=True,
    )
    question_id: str
    listed_at: str
    order_lines: int
    product_lines: int
    orders: list[MissingId]
    orders_left_out: int = 0
    products: list[MissingId]
    products_left_out: int = 0


class FilesCarriedOver(BaseModel):
    """
    What the previous set had left opens this one
    """

    model_config = ConfigDict(
        frozen=True,
    )
    bucket: str
    from_set: int
    files: list[DetectedFile]
    awaiting_kinds: list[Literal["orders", "order_items", "products"]]
    products_known: bool
    manifests: list[PendingManifest]
    waiting_since: str | None = None
    overdue_reported: bool = False
    held: Annotated[list[HeldBatch], Field(validate_default=True)] = []
    continued_in: ObjectRef | None = None


class FilesReturned(BaseModel):
    """
    The healthy files of a rejected batch wait again
    """

    model_config = ConfigDict(
        frozen=True,
    )
    batch_id: str
    files: list[DetectedFile]
    awaiting_kinds: list[Literal["orders", "order_items", "products"]]
    awaiting: list[AwaitedFile] | None = None
    answers: ObjectRef | None = None
