"""File contracts: Table Schema documents (Frictionless) under contracts/files, as frozen values."""

import json
from collections.abc import Iterator
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
    A file may lack an `optional` column; `missing_values` are the texts that say "nothing".
    """

    name: str
    type: FieldType
    description: str
    required: bool = True
    optional: bool = False
    missing_values: tuple[str, ...] = ("",)
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
    """What a file of one kind must look like; `key` are the columns that tell its rows apart.

    Rows that lack a value of the key are not told apart.
    """

    kind: str
    version: int
    fields: tuple[Field, ...]
    key: tuple[str, ...]

    @property
    def label(self) -> str:
        """`orders v1`, as messages and reports name it."""
        return f"{self.kind} v{self.version}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The column names in the contract's order."""
        return tuple(field.name for field in self.fields)

    @property
    def required_columns(self) -> tuple[str, ...]:
        """The columns that no file may lack."""
        return tuple(field.name for field in self.fields if not field.optional)


@cache
def file_contract(kind: str, version: int | None = None) -> FileContract:
    """The contract of a kind of file, the newest version unless one is named.

    Raises ContractViolation when there is none.
    """
    number = version or max((_version_of(each) for each in _versions(kind)), default=1)
    path = ROOT / kind / f"v{number}.json"
    if not path.is_file():
        raise ContractViolation(f"no file contract {kind} v{number}")
    document = json.loads(path.read_text(), parse_float=Decimal)
    missing_values = document.get("missingValues", [""])
    [unique_key, *_] = document.get("uniqueKeys", [()])
    return FileContract(
        kind=document["name"],
        version=document["version"],
        fields=tuple(_field(field, missing_values) for field in document["fields"]),
        key=tuple(document.get("primaryKey", unique_key)),
    )


def _versions(kind: str) -> Iterator[Path]:
    return (ROOT / kind).glob("v*.json")


def _version_of(path: Path) -> int:
    return int(path.stem.removeprefix("v"))


def _field(field: dict[str, Any], missing_values: list[str]) -> Field:
    limits = field.get("constraints", {})
    is_date = field["type"] == "date"
    return Field(
        name=field["name"],
        type=field["type"],
        description=field.get("description", ""),
        required=limits.get("required", False),
        optional=field.get("optional", False),
        missing_values=tuple(field.get("missingValues", missing_values)),
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
