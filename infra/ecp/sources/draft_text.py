"""The text of a draft: YAML with a reason beside each value."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from contracts.printable import is_shown, printable
from contracts.sources.model import FileFormat, Rows
from infra.ecp.sources.profiles import Profile
from infra.ecp.sources.several_lines import SeveralLines
from services.runtime.sources.values import name_in_sql

_LONGEST_LIST = 20
_NO_ORDERS = frozenset(
    {"failed", "cancelled", "canceled", "draft", "voided", "pending", "expired", "storniert"}
)
_LONGEST_NAME = 200


@dataclass(frozen=True)
class DraftedColumn:
    """One value of the draft: what gives it, how sure that is (0 to 1), and by what."""

    kind: str
    column: str
    expression: str
    confidence: float
    why: str


def draft_text(
    name: str, file: FileFormat, columns: Sequence[Profile], rows: int, shape: Rows,
    values: Sequence[DraftedColumn], apart: SeveralLines | None = None, header: Sequence[str] = (),
) -> str:  # fmt: skip
    """The YAML of a draft; `rows` is how many were looked at."""
    lines = (
        *_beginning(name, file, rows, shape),
        *_apart(apart, values),
        *_mappings(columns, values),
    )
    return "\n".join((*lines, *_header(header))) + "\n"


def _header(header: Sequence[str]) -> Iterator[str]:
    """The whole header, by which files of the export are told; none that YAML could not say."""
    names = [name.strip() for name in header if name.strip()]
    if not names or not all(map(can_be_written, names)):
        return
    yield "# By these columns `ecp sources detect` and `ecp submit` know the export again."
    yield "headers:"
    yield f"  - [{', '.join(map(_single_quoted, names))}]"


def can_be_written(name: str) -> bool:
    """Whether a source may name a column so: nothing that nobody can see, and not too long."""
    return len(name) <= _LONGEST_NAME and all(map(is_shown, name))


def named(column: Profile) -> str:
    """A column as an expression names it, or what gives it."""
    if column.given:
        return column.given
    return name_in_sql(column.name.strip())


def _beginning(name: str, file: FileFormat, rows: int, shape: Rows) -> Iterator[str]:
    yield "# A draft, by names and values of columns. The number before a reason says how"
    yield "# sure it is, from 0 to 1. Correct it, then try it: ecp sources test THIS.yaml FILE"
    yield f"source: {name}"
    yield "version: 1"
    yield f"title: {name.replace('-', ' ').capitalize()}"
    yield "file:"
    yield "  delimiter: tab" if file.delimiter == "\t" else f"  delimiter: '{file.delimiter}'"
    yield f"  encoding: {file.encoding}"
    yield f"  quoting: {file.quoting}"
    yield f"  decimal: '{file.decimal}'"
    if file.thousands:
        yield f"  thousands: {_single_quoted(file.thousands)}"
    if file.skip_lines:
        yield f"  skip_lines: {file.skip_lines}"
    if file.missing != ("",):
        yield f"  missing: [{', '.join(map(_single_quoted, file.missing))}]"
    yield f"# What one row is: order_lines, orders or products; {rows:,} were looked at."
    yield f"rows: {shape}"


def _apart(apart: SeveralLines | None, values: Sequence[DraftedColumn]) -> Iterator[str]:
    if apart is None:
        return
    yield "# A row holds several order lines; expressions see one of them at a time."
    if apart.numbered:
        used = " ".join(value.expression for value in values)
        names = [name for name in apart.numbered if f'"{name}"' in used]
        yield f"explode: {{numbered: [{', '.join(map(_single_quoted, names))}]}}"
    else:
        separator = '"\\n"' if apart.separator == "\n" else _single_quoted(apart.separator)
        yield f"explode: {{columns: [{_single_quoted(apart.column)}], separator: {separator}}}"


def _mappings(columns: Sequence[Profile], values: Sequence[DraftedColumn]) -> Iterator[str]:
    yield from _leave_out(columns, values)
    kind = ""
    for value in values:
        if value.kind != kind:
            kind = value.kind
            yield f"{kind}:"
        yield f"  # {value.confidence:.2f}  {printable(value.why)}"
        yield f"  {value.column}: {_single_quoted(value.expression)}"
    used = " ".join(value.expression for value in values)
    rest = [printable(each.name.strip()) for each in columns if named(each) not in used]
    if rest:
        more = f" and {len(rest) - _LONGEST_LIST} more" if len(rest) > _LONGEST_LIST else ""
        yield f"# Not used: {', '.join(rest[:_LONGEST_LIST])}{more}"


def _leave_out(columns: Sequence[Profile], values: Sequence[DraftedColumn]) -> Iterator[str]:
    quantities = {value.expression for value in values if value.column == "quantity"}
    negative = [each for each in columns if each.is_negative and named(each) in quantities]
    if not negative:
        yield "# leave_out:     rows that are nothing to count, each under a reason, as in"
        yield from _doubtful(columns, values) or ["#   draft: '\"Status\" = ''draft'''"]
        return
    yield "leave_out:"
    yield "  # Some rows have a negative quantity (credit notes?): counted under this reason."
    condition = f"{named(negative[0])} like '-%'"
    yield f"  negative_quantity: {_single_quoted(condition)}"


def _doubtful(columns: Sequence[Profile], values: Sequence[DraftedColumn]) -> list[str]:
    """Conditions for what the status of some rows says that may be no order at all."""
    said = "".join(value.expression for value in values if value.column == "status")
    found = [each for each in columns if said and named(each) in said]
    words = sorted({word for each in found for word in each.values if word.lower() in _NO_ORDERS})
    conditions = {
        word.lower(): _single_quoted(f"{named(found[0])} = {_single_quoted(word)}")
        for word in words
    }
    return [f"#   {reason}: {condition}" for reason, condition in conditions.items()]


def _single_quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
