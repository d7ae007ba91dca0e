"""What a replay would do with each corrected row: gathered from quarantine, facts and events."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from contracts.errors import PipelineError
from contracts.layout import FACTS_DATABASE, KINDS
from services.runtime.event_store import EventStore
from services.runtime.quarantine.corrections import Correction
from services.runtime.quarantine.replays import Replays, RowId, row_id
from services.runtime.quarantine.resolutions import Resolutions
from services.runtime.storage.documents import ObjectStore
from services.validator.quarantine.corrected_rows import Checks, faults_of
from services.validator.quarantine.current_facts import current_rows
from services.validator.quarantine.current_rows import CurrentRow, Identity, Origin, Precedences
from services.validator.quarantine.replay_check import HeaderOf, Verdict, judge
from services.validator.quarantine.replay_plan import CurrentRows, FixedRow, PlacedRow, Plan, plan
from services.validator.quarantine.rows import Row
from services.validator.quarantine.stored import Header, listing, read_headers, read_resolutions

UNPUBLISHED = {
    "BatchRejected": "was rejected whole: correct its bad file and upload that again under its "
    "key; the rows of the batch come again with it",
    "BatchFailed": "failed: `ecp redrive` it first",
}


@dataclass(frozen=True)
class Stores:
    """Where a replay looks: clients of S3 and DynamoDB, the events, documents, the facts.

    `facts`: gives the catalog of the facts tables (pyiceberg), which is loaded when it is asked
    for; `facts_database`: the database that they are in. `state_table`: the aggregator's rows of
    batches and dismissals. `header_of`: asked for the columns of inputs of which the quarantined
    rows do not tell them.
    """

    s3: Any
    dynamodb: Any
    events: EventStore
    objects: ObjectStore
    facts: Callable[[], Any]
    data_bucket: str
    state_table: str
    facts_database: str = FACTS_DATABASE
    header_of: HeaderOf = lambda *_: None

    def resolutions(self) -> Resolutions:
        """What became of what lies in quarantine."""
        return read_resolutions(
            self.s3, self.dynamodb, self.objects, self.data_bucket, self.state_table
        )


@dataclass(frozen=True)
class Decision:
    """What is to be uploaded, and what is said of every row."""

    plans: tuple[Plan, ...]
    verdicts: tuple[Verdict, ...]


def are_clean(verdicts: Sequence[Verdict]) -> bool:
    """Whether no row stays out for a reason that somebody has to look at."""
    return all(verdict.state in ("fixed", "unchanged") for verdict in verdicts)


def decide(stores: Stores, corrections: Sequence[Correction], checks: Checks) -> Decision:
    """Judge every row, then plan the fixed ones against what stands."""
    quarantined, headers = _quarantined(stores.s3, stores.data_bucket, corrections)
    verdicts = judge(
        corrections,
        faults_of(corrections, checks),
        quarantined,
        lambda *one: headers.get(one) or stores.header_of(*one),
    )
    precedences = Precedences(stores.events, stores.objects)
    fixed: list[FixedRow] = []
    judged: dict[RowId, Verdict] = {}
    for verdict in verdicts:
        row = verdict.correction.row_id
        judged[row] = verdict
        if verdict.state == "fixed":
            place = precedences.of(Origin(row.batch_id, row.key, row.line))
            if place is None:
                judged[row] = verdict.refused(why_unpublished(row.batch_id, precedences))
            else:
                fixed.append(FixedRow(verdict.correction, place))
    resolutions = stores.resolutions()
    plans = tuple(
        _plan_of(
            kind,
            [r for r in fixed if r.correction.kind == kind],
            stores,
            precedences,
            resolutions.replays,
        )
        for kind in KINDS
    )
    for refusal in (refusal for one in plans for refusal in one.refused):
        row = refusal.row.correction.row_id
        judged[row] = judged[row].refused(refusal.reason)
    return Decision(plans, tuple(reopening(verdict, resolutions) for verdict in judged.values()))


def reopening(verdict: Verdict, resolutions: Resolutions) -> Verdict:
    """A row that somebody gave up comes in all the same, and whoever brings it is told."""
    row = verdict.correction.row_id
    dismissal = resolutions.dismissal_of(row)
    if verdict.state != "fixed" or dismissal is None or resolutions.of(row) != "dismissed":
        return verdict
    said = f"reopened: {dismissal.requested_by} had dismissed it ({dismissal.reason})"
    return replace(verdict, message=said)


def _plan_of(
    kind: str, fixed: Sequence[FixedRow], stores: Stores, precedences: Precedences, replays: Replays
) -> Plan:
    if not fixed:
        return Plan(kind, (), ())
    identities = {row.identity for row in fixed}
    standing = placed(
        current_rows(stores.facts(), stores.facts_database, kind, identities), precedences
    )
    return plan(kind, fixed, standing, replays)


def placed(
    found: Mapping[Identity, Sequence[CurrentRow]], precedences: Precedences
) -> dict[Identity, CurrentRows]:
    """Rows of the facts with their precedences.

    Raises PipelineError for a row whose batch has no events.
    """
    return {
        identity: CurrentRows([_placed(row, precedences) for row in rows])
        for identity, rows in found.items()
    }


def _placed(row: CurrentRow, precedences: Precedences) -> PlacedRow:
    origin = precedences.origin(row.stated_at)
    place = precedences.of(origin)
    if place is None:
        raise PipelineError(
            f"the facts hold a row of batch {origin.batch_id}, whose events are not there; "
            "without them nobody can tell what is newer"
        )
    return PlacedRow(row, origin, place)


def _quarantined(
    s3: Any, bucket: str, corrections: Sequence[Correction]
) -> tuple[dict[RowId, Row], dict[tuple[str, str, str], Header]]:
    """The rows in quarantine of every batch that the corrections name, and headers by input."""
    found: dict[RowId, Row] = {}
    headers: dict[tuple[str, str, str], Header] = {}
    for batch_id in sorted({each.row_id.batch_id for each in corrections} - {""}):
        for rows, header in read_headers(s3, bucket, listing(s3, bucket, batch_id).row_keys):
            found |= {row_id(row): row for row in rows}
            headers |= {row_id(row)[:3]: header for row in rows}
    return found, headers


def why_unpublished(batch_id: str, precedences: Precedences) -> str:
    """Why rows of a batch cannot be replayed, and what to do."""
    end = precedences.batch(batch_id).end
    return f"batch {batch_id} {UNPUBLISHED.get(end or '', 'is not published yet: wait for it')}"
