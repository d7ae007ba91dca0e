"""A source drafted from what a data contract says of its columns: names, types, formats of days."""

import re
from collections.abc import Mapping
from dataclasses import replace

from contracts.file_contracts import Field, file_contract
from contracts.printable import is_shown, printable
from contracts.sources.model import FileFormat, Rows
from infra.ecp.contracts.odcs import ISO_DAY, Imported
from infra.ecp.sources.draft_text import DraftedColumn, draft_text
from infra.ecp.sources.drafting import Draft, drafted
from infra.ecp.sources.profiles import Profile
from infra.ecp.submissions.file_headers import kind_by_names
from services.runtime.sources.values import name_in_sql

_ROWS: Mapping[str, Rows] = {
    "orders": "orders",
    "order_items": "order_lines",
    "products": "products",
}


def drafted_source(imported: Imported) -> Draft:
    """The draft: columns of ours by their names where the object has them all, else by likeness."""
    contract = imported.contract
    columns = [_profile(place, field, imported) for place, field in enumerate(contract.fields)]
    name = _name(contract.kind)
    texts = {text.strip() for field in contract.fields for text in field.missing_values}
    missing = [text for text in sorted(texts) if 0 < len(text) <= 60 and all(map(is_shown, text))]
    file = FileFormat(missing=("", *missing[:49]))
    kind = kind_by_names([field.name for field in contract.fields])
    if kind is None:
        draft = drafted(name, file, columns, 0)
    else:
        values = tuple(_own_column(kind, field, imported) for field in contract.fields
                       if field.name.lower() in file_contract(kind).columns)  # fmt: skip
        text = draft_text(name, file, columns, 0, _ROWS[kind], values)
        draft = Draft(name, text, _ROWS[kind], values)
    return replace(draft, text=_with_rest(draft.text, imported))


def _own_column(kind: str, field: Field, imported: Imported) -> DraftedColumn:
    text = name_in_sql(field.name)
    form = imported.formats.get(field.name, ISO_DAY).replace("'", "''")
    if field.optional:
        text = f"optional({text})"
    elif field.type == "date" and form != ISO_DAY:
        text = f"day({text}, '{form}')"
    return DraftedColumn(kind, field.name.lower(), text, 1.0, "it is the column of that name")


def _profile(place: int, field: Field, imported: Imported) -> Profile:
    """What the contract says of a column, as if it had been measured."""
    is_number = field.type in ("number", "integer")
    return Profile(
        place=place,
        name=field.name,
        cells=("1",),
        filled=1.0 if field.required else 0.9,
        distinct=1.0,
        day=_day(field, imported),
        is_ambiguous_day=False,
        cuts_zone_name=False,
        numbers=1.0 if is_number else 0.0,
        has_more=False,
        is_whole=field.type == "integer" or is_number,
        is_negative=False,
        is_currency=field.type == "string" and field.maximum_length in (None, 3),
    )


def _day(field: Field, imported: Imported) -> str | None:
    form = imported.formats.get(field.name) if field.type == "date" else None
    return form and form.replace("'", "''")


def _with_rest(text: str, imported: Imported) -> str:
    """The draft with what the contract says beyond it."""
    said = [f"# A source cannot say: {printable(each)}" for each in imported.unsaid]
    return text + "".join(f"{line}\n" for line in said)


def _name(kind: str) -> str:
    words = "-".join(re.findall(r"[a-z0-9]+", kind.lower())).lstrip("0123456789-")[:40].rstrip("-")
    return words if len(words) > 1 else "my-shop"
