"""What a replay would do with each corrected row: gathered from quarantine, facts and events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from contracts.layout import KINDS
from infra.ecp.quarantine.current_facts import current_rows
from infra.ecp.quarantine.originals import Headers
from infra.ecp.quarantine.queries import listing, read_resolutions, read_rows
from infra.ecp.quarantine.replay_check import faults_of
from infra.ecp.target import Target
from infra.ecp.terminal.errors import CommandFailed
from services.validator.quarantine.corrections import Correction
from services.validator.quarantine.current_rows import CurrentRow, Identity, Origin, Precedences
from services.validator.quarantine.replay_check import Verdict, judge
from services.validator.quarantine.replay_plan import CurrentRows, FixedRow, PlacedRow, Plan, plan
from services.validator.quarantine.replays import Replays, RowId, row_id
from services.validator.quarantine.resolutions import Resolutions
from services.validator.quarantine.rows import Row

UNPUBLISHED = {
    "BatchRejected": "was rejected whole: correct its bad file and upload that again under its "
    "key; the rows of the batch come again with it",
    "BatchFailed": "failed: `ecp redrive` it first",
}


@dataclass(frozen=True)
class Decision:
    """What is to be uploaded, and what is said of every row."""

    plans: tuple[Plan, ...]
    verdicts: tuple[Verdict, ...]


def are_clean(verdicts: Sequence[Verdict]) -> bool:
    """Whether no row stays out for a reason that somebody has to look at."""
    return all(verdict.state in ("fixed", "unchanged") for verdict in verdicts)


def decide(target: Target, corrections: Sequence[Correction]) -> Decision:
    """Judge every row, then plan the fixed ones against what stands."""
    s3, names = target.client("s3"), target.names
    headers = Headers(s3, names.data_bucket, names.archive_bucket)
    quarantined = _quarantined(s3, names.data_bucket, corrections)
    verdicts = judge(corrections, faults_of(corrections), quarantined, headers.of)
    precedences = Precedences(target.event_store, target.objects)
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
    resolutions = read_resolutions(s3, target.client("dynamodb"), target.objects, names.data_bucket)
    plans = tuple(
        _plan_of(
            kind,
            [r for r in fixed if r.correction.kind == kind],
            target,
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
    kind: str, fixed: Sequence[FixedRow], target: Target, precedences: Precedences, replays: Replays
) -> Plan:
    if not fixed:
        return Plan(kind, (), ())
    identities = {row.identity for row in fixed}
    standing = placed(current_rows(target.facts, kind, identities), precedences)
    return plan(kind, fixed, standing, replays)


def placed(
    found: Mapping[Identity, Sequence[CurrentRow]], precedences: Precedences
) -> dict[Identity, CurrentRows]:
    """Rows of the facts with their precedences.

    Raises CommandFailed for a row whose batch has no events.
    """
    return {
        identity: CurrentRows([_placed(row, precedences) for row in rows])
        for identity, rows in found.items()
    }


def _placed(row: CurrentRow, precedences: Precedences) -> PlacedRow:
    origin = precedences.origin(row.stated_at)
    place = precedences.of(origin)
    if place is None:
        raise CommandFailed(
            f"the facts hold a row of batch {origin.batch_id}, whose events are not there; "
            "without them nobody can tell what is newer"
        )
    return PlacedRow(row, origin, place)


def _quarantined(s3: Any, bucket: str, corrections: Sequence[Correction]) -> dict[RowId, Row]:
    """The rows in quarantine of every batch that the corrections name."""
    found: dict[RowId, Row] = {}
    for batch_id in sorted({each.row_id.batch_id for each in corrections} - {""}):
        for row in read_rows(s3, bucket, listing(s3, bucket, batch_id).row_keys):
            found[row_id(row)] = row
    return found


def why_unpublished(batch_id: str, precedences: Precedences) -> str:
    """Why rows of a batch cannot be replayed, and what to do."""
    end = precedences.batch(batch_id).end
    return f"batch {batch_id} {UNPUBLISHED.get(end or '', 'is not published yet: wait for it')}"
