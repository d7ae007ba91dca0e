"""File contracts: Table Schema documents (Frictionless) under contracts/files, as frozen values."""

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal

from contracts.errors import ContractViolation

ROOT = Path(__file__).parent / "files"
FieldType = Literal["string", "date", "number", "integer"]


@dataclass(frozen=True)
class Field:
    """One column; limits are None where the contract sets none.

    `minimum` and `maximum` are Decimal for numbers and integers; `earliest` is `YYYY-MM-DD`;
    `maximum_days_from_today` counts from the day of validation; `decimal_places` is for money.
    """

    name: str
    type: FieldType
    description: str
    required: bool = True
    minimum_length: int | None = None
    maximum_length: int | None = None
    pattern: str | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    decimal_places: int | None = None
    earliest: str | None = None
    maximum_days_from_today: int | None = None


@dataclass(frozen=True)
class FileContract:
    """What a file of one kind must look like."""

    kind: str
    version: int
    fields: tuple[Field, ...]
    primary_key: str | None

    @property
    def label(self) -> str:
        """`orders v1`, as messages and reports name it."""
        return f"{self.kind} v{self.version}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The column names in the contract's order."""
        return tuple(field.name for field in self.fields)


@cache
def file_contract(kind: str, version: int = 1) -> FileContract:
    """The contract of a kind of file; raises ContractViolation when there is none."""
    path = ROOT / kind / f"v{version}.json"
    if not path.is_file():
        raise ContractViolation(f"no file contract {kind} v{version}")
    document = json.loads(path.read_text(), parse_float=Decimal)
    primary_key = document.get("primaryKey", [None])
    return FileContract(
        kind=document["name"],
        version=document["version"],
        fields=tuple(_field(field) for field in document["fields"]),
        primary_key=primary_key[0],
    )


def _field(field: dict[str, Any]) -> Field:
    limits = field.get("constraints", {})
    is_date = field["type"] == "date"
    return Field(
        name=field["name"],
        type=field["type"],
        description=field.get("description", ""),
        required=limits.get("required", False),
        minimum_length=limits.get("minLength"),
        maximum_length=limits.get("maxLength"),
        pattern=limits.get("pattern"),
        minimum=None if is_date else _decimal(limits.get("minimum")),
        maximum=_decimal(limits.get("maximum")),
        decimal_places=field.get("decimalPlaces"),
        earliest=limits.get("minimum") if is_date else None,
        maximum_days_from_today=limits.get("maximumDaysFromToday"),
    )


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)
