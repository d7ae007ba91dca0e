"""What the files of a batch amount to, and whether they can be published: pure decisions."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from contracts.errors import DataRejected, PipelineError, StaleWriter
from contracts.messages import BatchManifest, FileReport, FileResult, KindReport

NAMED_FILES = 3
Reports: TypeAlias = Mapping[int, FileReport]
"""By file index; a file that is a duplicate has none."""
RowsByFile: TypeAlias = Mapping[tuple[str, int], int]


class InputsRejected(DataRejected):
    """Inputs that cannot be published together, or not on these facts.

    `file_indexes` name those at fault.
    """

    def __init__(self, reason: str, file_indexes: Sequence[int]) -> None:
        super().__init__(reason)
        self.file_indexes = tuple(file_indexes)


def kinds_of(report: FileReport) -> list[KindReport]:
    """What an input gives, kind by kind: of a file that no source reads, the rows of its own."""
    if report.kinds:
        return report.kinds
    names = ("kind", "rows_in", "accepted", "quarantined", "duplicates", "left_out", "staged")
    return [KindReport(**{name: getattr(report, name) for name in names})]


def staged_check(reports: Reports, of_the_facts: str | None) -> str | None:
    """Which keys made the staged pseudonyms (FileReport), None when no user is named: guests only.

    Raises StaleWriter unless all were made by the keys that made those of the facts: the same user
    would be two. Facts of which no batch has said it yet take any.
    """
    staged = {
        report.pseudonym_check
        for report in reports.values()
        for found in kinds_of(report)
        if found.kind == "orders" and found.staged and found.accepted > report.guests
    }
    if len(staged) > 1 or (staged and of_the_facts is not None and staged != {of_the_facts}):
        raise StaleWriter(
            "the pseudonyms that were staged are not made by the keys that made those of the "
            "facts: the key was rotated meanwhile (`ecp privacy rotate-key` finishes that); "
            "redrive the batch, which stages its rows anew"
        )
    return next(iter(staged), None)


def statement_indexes(manifest: BatchManifest) -> dict[int, int]:
    """Which files are one statement, by file index: the greater index is the newer statement.

    Files of one `statement` are one together, stated when the last of them is (docs/design.md,
    Validation); any other file is a statement of its own.
    """
    last: dict[str, int] = {}
    for file in manifest.files:
        if file.statement:
            last[file.statement] = max(file.index, last.get(file.statement, 0))
    return {file.index: last.get(file.statement or "", file.index) for file in manifest.files}


def check_inputs(reports: Reports, currency_of_the_facts: str | None) -> str | None:
    """The currency that the batch says its amounts are in, None when no row of it says.

    Raises InputsRejected, which nothing was done for yet: a file was rejected, the files say more
    than one currency, or another one than the facts are in (docs/design.md, Validation).
    """
    rejected = [index for index, report in reports.items() if report.status != "accepted"]
    if rejected:
        first = reports[rejected[0]]
        raise InputsRejected(f"{first.key} was rejected: {first.reason}", rejected)
    stated = {
        index: report.currency for index, report in sorted(reports.items()) if report.currency
    }
    currencies = sorted(set(stated.values()))
    expected = currency_of_the_facts or (currencies[0] if len(currencies) == 1 else None)
    at_fault = [index for index, currency in stated.items() if currency != expected]
    if at_fault:
        found = "; ".join(
            f"{currency} in {_named([i for i in stated if stated[i] == currency], reports)}"
            for currency in currencies
        )
        published = (
            f"what is published is in {currency_of_the_facts}"
            if currency_of_the_facts
            else "the files of this batch are in more than one"
        )
        raise InputsRejected(
            f"the pipeline has one currency, and {published}: {found}. Convert the amounts, or "
            "leave these files out, and submit again",
            at_fault,
        )
    return next(iter(currencies), None)


def _named(indexes: Sequence[int], reports: Reports) -> str:
    keys = [reports[index].key for index in indexes[:NAMED_FILES]]
    more = len(indexes) - len(keys)
    return ", ".join(keys) + (f" and {more:,} more" if more else "")


def file_results(
    manifest: BatchManifest,
    reports: Reports,
    accepted_rows: RowsByFile,
    superseded_rows: RowsByFile,
) -> list[FileResult]:
    """What became of each input; the validator's sums hold, of the file and of each kind in it.

    Of the accepted rows, which were staged, `accepted_rows` stand in the facts and a newer file of
    the batch replaced the `superseded_rows`, by (kind, file index). Raises PipelineError when
    a sum does not hold.
    """
    results = []
    for file in manifest.files:
        original = file.index if file.duplicate_of is None else file.duplicate_of
        report = reports[original]
        if original == file.index:
            status, guests, left_out = "accepted", report.guests, report.left_out
            counts = _counts(report)
            _check_sum(report.key, report)
            for found in kinds_of(report):
                place = found.kind, original
                stand, superseded = accepted_rows.get(place, 0), superseded_rows.get(place, 0)
                _check_kind(report, found, stand, superseded)
        else:
            status, guests, left_out = "duplicate", 0, {}
            counts = {"accepted": 0, "quarantined": 0, "duplicates": report.rows_in}
        results.append(
            FileResult(
                index=file.index,
                key=file.key,
                kind=file.kind,
                status=status,
                rows_in=report.rows_in,
                guests=guests,
                unknown_columns=report.unknown_columns,
                left_out=left_out,
                source=file.source and f"{file.source.name} v{file.source.version}",
                **counts,
            )
        )
    return results


def _counts(found: FileReport | KindReport) -> dict[str, int]:
    return {name: getattr(found, name) for name in ("accepted", "quarantined", "duplicates")}


def _check_sum(whose: str, found: FileReport | KindReport) -> None:
    counts = _counts(found)
    if found.left_out:
        counts["left_out"] = sum(found.left_out.values())
    if sum(counts.values()) != found.rows_in:
        raise PipelineError(
            f"{whose} does not balance: {found.rows_in} rows in, {counts}; nothing was published"
        )


def _check_kind(report: FileReport, found: KindReport, stand: int, superseded: int) -> None:
    whose = f"{report.key}, {found.kind}," if report.kinds else report.key
    _check_sum(whose, found)
    if stand + superseded != found.accepted:
        raise PipelineError(
            f"{whose} does not balance: {found.accepted} rows were staged, {stand} stand "
            f"and {superseded} are replaced by newer files; nothing was published"
        )


def check_row_counts(
    before: Mapping[str, int],
    replaced: Mapping[str, int],
    written: Mapping[str, int],
    after: Mapping[str, int],
    touched: Sequence[str],
) -> None:
    """Raise PipelineError unless each table holds exactly the rows that the batch should leave."""
    for table, rows_after in after.items():
        change = written[table] - replaced[table] if table in touched else 0
        expected = before[table] + change
        if rows_after != expected:
            raise PipelineError(
                f"facts table {table} would hold {rows_after} rows, expected {expected}; "
                "nothing was published"
            )
