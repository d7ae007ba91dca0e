"""What a replay would do with a corrected export of a source, and the file that it uploads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from contracts.layout import incoming_key
from contracts.messages import AnsweredRow
from contracts.sources.model import Source
from infra.ecp.names import facts_database
from infra.ecp.quarantine.exports import (
    Checked,
    checked,
    format_of,
    held_exports,
    held_rows,
    reading_of,
)
from infra.ecp.quarantine.stores import resolutions_in
from infra.ecp.sources.keeping import read_source
from infra.ecp.submissions.directories import InputFile
from infra.ecp.submissions.source_reading import SourceReading
from infra.ecp.target import Target
from infra.ecp.terminal.errors import CommandFailed, WrongUsage
from services.runtime.quarantine.replays import RowId
from services.validator.quarantine.current_facts import current_rows, stated_products
from services.validator.quarantine.current_rows import Origin, Precedence, Precedences
from services.validator.quarantine.export_rows import ExportFormat, as_export, label_of
from services.validator.quarantine.replay_check import Verdict
from services.validator.quarantine.replay_decision import placed, reopening, why_unpublished
from services.validator.quarantine.replay_plan import PlacedRow
from services.validator.quarantine.rows import Row
from services.validator.quarantine.source_replay import (
    Answer,
    Corrected,
    Product,
    answers,
    kept_whole,
    restated,
    undone,
)

COLUMNS = {"orders": "order_id", "order_items": "order_id", "products": "product_id"}


@dataclass(frozen=True)
class ExportReplay:
    """One corrected export: how it is read and written, and what is said of its rows."""

    reading: SourceReading
    form: ExportFormat
    answers: tuple[Answer, ...]

    @property
    def verdicts(self) -> list[Verdict]:
        """What is said of every row."""
        return [each.verdict for each in self.answers]

    @property
    def fixed(self) -> list[Answer]:
        """What goes in."""
        return [each for each in self.answers if each.verdict.state == "fixed"]


def decide_exports(target: Target, paths: Sequence[Path]) -> list[ExportReplay]:
    """Judge every row of the corrected exports, against quarantine and against what stands.

    Raises WrongUsage for a file that cannot be used, and for two of one source.
    """
    if not paths:
        return []
    rows = held_exports(target)
    found: dict[str, ExportReplay] = {}
    for path in paths:
        form = format_of(path, rows)
        if form.source in found:
            raise WrongUsage(f"{path}: a second file of {form.source}; put both into one")
        found[form.source] = _decide(target, path, form, rows)
    resolutions = resolutions_in(target)
    return [
        replace(
            one,
            answers=tuple(
                replace(each, verdict=reopening(each.verdict, resolutions)) for each in one.answers
            ),
        )
        for one in found.values()
    ]


def write_export(one: ExportReplay, folder: Path, name: str) -> tuple[InputFile, list[AnsweredRow]]:
    """The file to upload, with the link of each of its rows.

    It is read and checked once more; raises CommandFailed when it does not say what was decided.
    """
    source = one.reading.source
    key = incoming_key(source.name, f"replays/{name}.csv")
    path = Path(folder, f"{source.name}.csv")
    path.write_bytes(as_export(one.form, [{"raw": each.row.text} for each in one.fixed]))
    again = checked(path, one.reading)
    if again.faults:
        raise CommandFailed(f"nothing was uploaded: {next(iter(again.faults.values()))}")
    if [row.identity for row in again.read.rows] != [each.row.identity for each in one.fixed]:
        raise CommandFailed(
            f"nothing was uploaded: the corrected rows of {source.name} do not read the same "
            f"without the rest of their file; send them with `ecp submit --source {source.name}`"
        )
    links = [
        AnsweredRow(
            **each.verdict.correction.row_id._asdict(),
            replay_key=key,
            replay_line=row.line,
            identity=[each.row.identity or ""],
        )
        for each, row in zip(one.fixed, again.read.rows, strict=True)
    ]
    return InputFile(path, f"source {source.name}", key, source.name), links


def _decide(target: Target, path: Path, form: ExportFormat, rows: Sequence[Row]) -> ExportReplay:
    of_source = [row for row in rows if label_of(row).partition(" ")[0] == form.source]
    source = read_source(form.source)
    labels = sorted({label_of(row) for row in of_source})
    if source.label not in labels:
        raise WrongUsage(
            f"{path}: its rows were read by {' and '.join(labels)}, and what is uploaded now is "
            f"read by {source.label}; send it with `ecp submit {path} --source {source.name}`, "
            "then give the quarantined rows up with `ecp quarantine dismiss`"
        )
    if source.carried_down and source.rows != "order_lines":
        raise WrongUsage(
            f"{path}: {source.label} carries values down from rows that are not in quarantine, so "
            "that single rows cannot be replayed; correct the whole export, and send it with "
            f"`ecp submit --source {source.name}`"
        )
    reading = reading_of(target, source)
    found = checked(path, reading)
    file = Corrected(str(path), source.label, reading.kind, COLUMNS[reading.kind])
    judged = answers(file, found.read.rows, found.faults, held_rows(of_source, reading))
    precedences = Precedences(target.event_store, target.objects)
    places: dict[RowId, Precedence] = {}
    unpublished: dict[str, str] = {}
    for each in judged:
        row = each.verdict.correction.row_id
        if each.verdict.state != "fixed" or each.row.identity is None:
            continue
        place = precedences.of(Origin(row.batch_id, row.key, row.line))
        if place is None:
            unpublished[each.row.identity] = why_unpublished(row.batch_id, precedences)
        else:
            places[row] = place
    judged = kept_whole(judged, unpublished)
    judged = kept_whole(judged, _restated(target, source, file, judged, places, precedences))
    if source.rows == "order_lines":
        judged = kept_whole(judged, _undone(target, found, judged, places, precedences))
    form = replace(form, names=found.read.names)
    return ExportReplay(reading, form, tuple(judged))


def _restated(
    target: Target,
    source: Source,
    file: Corrected,
    judged: Sequence[Answer],
    places: Mapping[RowId, Precedence],
    precedences: Precedences,
) -> dict[str, str]:
    """Why orders or products stay out that were stated after their quarantined rows."""
    fixed = [each.row.identity for each in judged if each.verdict.state == "fixed"]
    identities = {(identity,) for identity in fixed if identity}
    kinds = [kind for kind in source.kinds if (kind == "products") == (file.kind == "products")]
    standing: dict[str, list[PlacedRow]] = {}
    for kind in kinds:
        found = current_rows(target.facts, facts_database(), kind, identities) if identities else {}
        for identity, rows in placed(found, precedences).items():
            standing.setdefault(identity[0], []).extend(rows.rows)
    return restated(file, judged, places, standing)


def _undone(
    target: Target,
    found: Checked,
    judged: Sequence[Answer],
    places: Mapping[RowId, Precedence],
    precedences: Precedences,
) -> dict[str, str]:
    """Why orders stay out whose rows would take back what was said of their products since."""
    said = {
        product
        for each in judged
        if each.verdict.state == "fixed"
        and (product := each.row.product_id)
        and product in found.products
    }
    if not said:
        return {}
    identities = {(product,) for product in said}
    rows = placed(current_rows(target.facts, facts_database(), "products", identities), precedences)
    values = stated_products(target.facts, facts_database(), said)
    standing = {
        product: Product(stands.rows[0], values[product], found.products[product])
        for (product,), stands in rows.items()
        if product in values
    }
    return undone(judged, places, standing)
