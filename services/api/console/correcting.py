"""A quarantined row as a form, a field per column, the wrong one marked; and what was sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl

from contracts.file_contracts import file_contract
from contracts.layout import source_of
from contracts.messages import CorrectedRow
from contracts.printable import printable
from services.api.http.models import QuarantinedRow
from services.api.http.problems import ProblemFound
from services.api.views.models import BatchView, FileView
from services.runtime.quarantine.corrections import fields_of

FIELD = "field."
DRY_RUN, REPLAY = "dry-run", "replay"
MOST_BYTES = 200_000


@dataclass(frozen=True)
class Field:
    """A column of a row's kind; `as_it_came`: what cannot be typed as it is, shown by escapes."""

    name: str
    value: str
    is_wrong: bool = False
    is_required: bool = False
    as_it_came: str = ""


@dataclass(frozen=True)
class SentForm:
    """What somebody has filled in; `is_dry_run`: only to say what would happen."""

    token: str
    version_id: str
    line: int
    is_dry_run: bool
    fields: Mapping[str, str]

    def row(self, file: FileView) -> CorrectedRow:
        """The corrected row of a file."""
        return CorrectedRow(
            batch_id=file.batch_id,
            key=file.key,
            version_id=self.version_id,
            line=self.line,
            kind=file.kind,
            fields=dict(self.fields),
        )


def why_not_here(file: FileView, batch: BatchView) -> str:
    """Why rows of a file are not corrected on its page; empty where they are."""
    if file.status == "rejected":
        return "The file was refused whole: correct it, and upload it again under its key."
    if source_of(file.key) is not None:
        return "Rows of a source are corrected in its own format, which the commands below write."
    if batch.status == "REJECTED":
        return "The batch was rejected: its rows come again with the file that is to be corrected."
    if batch.status != "COMPLETED":
        return "The batch is not published yet: its rows can be corrected when it is."
    return ""


def fields_for(row: QuarantinedRow) -> list[Field]:
    """As far as the record can be split; what nobody could see is to be typed anew."""
    columns = file_contract(row.kind).columns
    values = fields_of({"kind": row.kind, "raw": row.raw}, row.header or None)
    return filled(row.kind, dict(zip(columns, values, strict=True)), {row.column or ""})


def filled(kind: str, values: Mapping[str, str], wrong: set[str]) -> list[Field]:
    """The fields of a kind with these values."""
    contract = file_contract(kind)
    found = []
    for name in contract.columns:
        value = values.get(name, "")
        is_plain = printable(value) == value and "\n" not in value
        found.append(
            Field(
                name,
                value if is_plain else "",
                name in wrong,
                name in contract.required_columns,
                "" if is_plain else printable(value),
            )
        )
    return found


def sent_form(body: str | None, kind: str) -> SentForm:
    """Raises ProblemFound (400, 413) for what none of our forms sends."""
    text = body or ""
    if len(text) > MOST_BYTES:
        raise ProblemFound(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the form is too large")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=100)
    except ValueError as error:
        raise ProblemFound(HTTPStatus.BAD_REQUEST, "the form cannot be read") from error
    sent = dict(pairs)
    columns = file_contract(kind).columns
    wanted = {"token", "version_id", "line", "do", *(f"{FIELD}{name}" for name in columns)}
    line = sent.get("line", "")
    is_line = line.isascii() and line.isdigit() and len(line) < 13 and int(line) > 0
    is_ours = len(sent) == len(pairs) and set(sent) == wanted and is_line
    if not is_ours or sent["do"] not in (DRY_RUN, REPLAY) or not sent["version_id"]:
        raise ProblemFound(HTTPStatus.BAD_REQUEST, "the form lacks what its page has: open it anew")
    fields = {name: sent[f"{FIELD}{name}"] for name in columns}
    return SentForm(sent["token"], sent["version_id"], int(line), sent["do"] == DRY_RUN, fields)
