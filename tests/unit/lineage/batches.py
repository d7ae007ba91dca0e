"""A batch for tests: its manifest, its result, and the events that it begins and ends with."""

from typing import Any

from contracts.envelope import Message, parse
from contracts.messages import BatchManifest, BatchResult, FileReport
from tests.contract.builders import EXECUTION, a_body, a_document, an_example

BUCKET = "ecommerce-data-bucket"
GOOD, HOSTILE = "orders/1.csv", 'orders/<b>"\u202e=1+1\n.csv'
SNAPSHOTS = {"orders": "11", "order_items": "12", "products": "13", "order_days": "14"}
KPI_SNAPSHOTS = {"order_kpis": "15", "category_kpis": "16"}


def a_file(index: int, key: str, **changes: Any) -> dict[str, Any]:
    return {
        "index": index,
        "kind": "orders",
        "key": key,
        "version_id": f"v{index}",
        "size_bytes": 120 + index,
        "etag": "9e",
    } | changes


def a_fate(index: int, key: str, **changes: Any) -> dict[str, Any]:
    """Ten rows: seven accepted, two quarantined, one twice."""
    return {
        "index": index,
        "key": key,
        "kind": "orders",
        "status": "accepted",
        "rows_in": 10,
        "accepted": 7,
        "quarantined": 2,
        "duplicates": 1,
    } | changes


def a_manifest(*files: dict[str, Any]) -> BatchManifest:
    given = list(files) or [a_file(0, GOOD), a_file(1, HOSTILE)]
    return BatchManifest.model_validate(a_document("BatchManifest", files=given, bucket=BUCKET))


def a_result(*fates: dict[str, Any], **changes: Any) -> BatchResult:
    given = list(fates) or [a_fate(0, GOOD), a_fate(1, HOSTILE, accepted=9, quarantined=0)]
    told = {"files": given, "snapshots": SNAPSHOTS | KPI_SNAPSHOTS} | changes
    return BatchResult.model_validate(a_document("BatchResult", **told))


def a_report(index: int, key: str, **changes: Any) -> FileReport:
    told = {"file_index": index, "key": key, "version_id": f"v{index}"} | changes
    return FileReport.model_validate(a_document("FileReport", **told))


def the_body(event_type: str, attempt: int = 0, **changes: Any) -> str:
    execution_id = f"{EXECUTION}-r{attempt}" if attempt else EXECUTION
    data = an_example(event_type, execution_id=execution_id, **changes)
    return a_body(event_type, data=data)


def the_event(event_type: str, attempt: int = 0, **changes: Any) -> Message:
    return parse(the_body(event_type, attempt, **changes))
