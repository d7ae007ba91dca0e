"""Rows as pandas DataFrames: the same columns with the same types, also when there is no row."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, get_args

from services.api.kpis.tables import ANOMALY_COLUMNS, SERIES_MEASURES, Kind, kind_of

if TYPE_CHECKING:
    from pandas import DataFrame
    from pydantic import BaseModel

Numbers = Literal["decimal", "float"]
Row = Mapping[str, Any]
_PLACES = {Kind.COUNT: Decimal(1), Kind.MONEY: Decimal("0.01"), Kind.RATE: Decimal("0.0001")}


class Beside(StrEnum):
    """What columns of views hold, beside those of KPIs."""

    FLAG = "flag"
    TEXTS = "texts"


Kinds = Mapping[str, Kind | Beside]


def kpi_frame(columns: Sequence[str], rows: Iterable[Row], numbers: Numbers) -> "DataFrame":
    """KPIs; which columns there are is known before any row."""
    return _frame({name: kind_of(name) for name in columns}, list(rows), numbers)


def view_frame(model: "type[BaseModel]", rows: Iterable[Row]) -> "DataFrame":
    """A view, with a column for each field that its model has."""
    return _frame(_kinds_of(model), list(rows), "decimal")


def _kinds_of(model: "type[BaseModel]") -> Kinds:
    return {name: _kind(name, field.annotation) for name, field in model.model_fields.items()}


Part = Literal["files", "lines", "measures"]


def why_frame(answer: Row, part: Part, numbers: Numbers) -> "DataFrame":
    """A part of what a number is made of; in `attrs` the rest, and how many rows are left out.

    Amounts have the places that they have in the answer, at least two for money.
    """
    from services.api.http.models import Measure, WhyContribution, WhyLine

    parts: dict[Part, tuple[str, type[BaseModel]]] = {
        "files": ("contributions", WhyContribution),
        "lines": ("lines", WhyLine),
        "measures": ("measures", Measure),
    }
    name, model = parts[part]
    kinds = _kinds_of(model)
    rows = [
        {
            field: _amount(value, row.get("name")) if kinds[field] is Kind.MONEY else value
            for field, value in row.items()
        }
        for row in answer[name]
    ]
    frame = _frame(kinds, rows, numbers)
    beside = ("equal", "explained_at", "published_by", "published_epoch", "published_at", "in_work")
    frame.attrs = {field: answer.get(field) for field in beside}
    frame.attrs["left_out"] = answer.get(f"{name}_left_out", 0)
    return frame


def anomaly_frame(rows: Iterable[Row], numbers: Numbers) -> "DataFrame":
    """Odd numbers: the score is a float, each other number has the places of its measure."""
    kinds = {name: kind_of(name) for name in ANOMALY_COLUMNS}
    amounts = {name for name, kind in kinds.items() if kind is Kind.NUMBER} - {"score"}
    told = [
        {
            name: _amount(value, SERIES_MEASURES[row["series"]]) if name in amounts else value
            for name, value in row.items()
        }
        for row in rows
    ]
    return _frame(kinds | dict.fromkeys(amounts, Kind.MONEY), told, numbers)


def _amount(value: Any, measure: str | None) -> Decimal | None:
    """`measure`: the KPI that it is the value of, whose places it has."""
    if value is None:
        return None
    exact = Decimal(str(value))
    places = _PLACES.get(kind_of(measure)) if measure else _PLACES[Kind.MONEY]
    rounded = exact if places is None else exact.quantize(places)
    return rounded if rounded == exact else exact


def _kind(name: str, annotation: Any) -> Kind | Beside:
    possible = {annotation, *get_args(annotation)}
    if bool in possible:
        return Beside.FLAG
    if int in possible:
        return Kind.COUNT
    if float in possible:
        return Kind.MONEY
    if list[str] in possible:
        return Beside.TEXTS
    if name.endswith("_at"):
        return Kind.INSTANT
    return Kind.DAY if name.endswith("_day") else Kind.TEXT


def _frame(kinds: Kinds, rows: Sequence[Row], numbers: Numbers) -> "DataFrame":
    import pandas as pd

    return pd.DataFrame(
        {
            name: _series([row.get(name) for row in rows], kind, numbers)
            for name, kind in kinds.items()
        }
    )


def _series(values: list[Any], kind: Kind | Beside, numbers: Numbers) -> Any:
    import pandas as pd

    match kind:
        case Kind.DAY:
            return pd.Series(pd.to_datetime(values, format="%Y-%m-%d"), dtype="datetime64[ns]")
        case Kind.INSTANT:
            instants = pd.to_datetime(values, format="ISO8601", utc=True)
            return pd.Series(instants, dtype="datetime64[ns, UTC]")
        case Kind.COUNT:
            return pd.Series(values, dtype="Int64")
        case Kind.MONEY | Kind.RATE if numbers == "decimal":
            return pd.Series(values, dtype="object")
        case Kind.MONEY | Kind.RATE:
            floats = [None if value is None else float(value) for value in values]
            return pd.Series(floats, dtype="float64" if kind is Kind.MONEY else "Float64")
        case Kind.NUMBER:
            floats = [None if value is None else float(value) for value in values]
            return pd.Series(floats, dtype="Float64")
        case Beside.FLAG:
            return pd.Series(values, dtype="boolean")
        case Beside.TEXTS:
            return pd.Series(values, dtype="object")
    return pd.Series(values, dtype="str")
