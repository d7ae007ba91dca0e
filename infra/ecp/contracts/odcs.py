"""File contracts as documents of the Open Data Contract Standard 3.1 (ODCS), and back; pure.

What both can say is the same there and back. What ODCS has no word for (a column that a file may
lack, texts that are no value, decimal places, a day bounded by today) stands in custom properties;
what a file contract has no word for (quality, servers, roles, service levels) is named.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from contracts.errors import DataRejected
from contracts.file_contracts import Field, FileContract
from infra.ecp.contracts.odcs_dates import java_format, strptime_format

API_VERSION = "v3.1.0"
ISO_DAY = "%Y-%m-%d"
_TYPES = ("string", "date", "number", "integer")
_KNOWN = {"version", "kind", "apiVersion", "id", "name", "status", "description", "schema"}
_KNOWN_OF_OBJECT = {
    "name", "physicalName", "physicalType", "logicalType", "description", "properties",
    "customProperties",
}  # fmt: skip
_KNOWN_OF_PROPERTY = {
    "name", "physicalName", "logicalType", "logicalTypeOptions", "required", "description",
    "primaryKey", "primaryKeyPosition", "customProperties",
}  # fmt: skip
_OPTIONS: Mapping[str, Sequence[str]] = {
    "string": ("minLength", "maxLength", "pattern"),
    "date": ("format", "minimum"),
    "timestamp": ("format",),
    "number": ("minimum", "maximum"),
    "integer": ("minimum", "maximum"),
}


class NoOdcs(DataRejected):
    """A document is no data contract of ODCS 3."""


@dataclass(frozen=True)
class Imported:
    """One schema object: what it says as a file contract, and what of it a contract cannot say.

    `formats`: how each date is written, by column, as strptime reads it.
    """

    contract: FileContract
    formats: Mapping[str, str]
    unsaid: tuple[str, ...]


def odcs_of(contracts: Sequence[FileContract], version: str) -> dict[str, Any]:
    """One data contract with an object for each file contract."""
    return {
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": "urn:ecommerce-pipeline:files",
        "name": "ecommerce-pipeline-files",
        "version": version,
        "status": "active",
        "description": {"purpose": "CSV files that the pipeline takes in, by kind"},
        "schema": [_object(contract) for contract in contracts],
    }


def contracts_of(document: object) -> list[Imported]:
    """What a data contract says of its objects; raises NoOdcs, naming what is wrong."""
    if not isinstance(document, dict) or document.get("kind") != "DataContract":
        raise NoOdcs("this is no data contract: `kind: DataContract` is missing")
    if not str(document.get("apiVersion")).startswith("v3."):
        raise NoOdcs(f"apiVersion {document.get('apiVersion')} is not read; v3.0 and v3.1 are")
    objects = _items(document, "schema", "")
    if not objects:
        raise NoOdcs("it has no schema: there is nothing to import")
    rest = tuple(sorted(str(key) for key in document.keys() - _KNOWN))
    return [_imported(one, f"schema[{number}]", rest) for number, one in enumerate(objects, 1)]


def _object(contract: FileContract) -> dict[str, Any]:
    return {
        "name": contract.kind,
        "physicalType": "file",
        "logicalType": "object",
        "properties": [_property(field, contract.key) for field in contract.fields],
        "customProperties": _custom({"contractVersion": contract.version}),
    }


def _property(field: Field, key: Sequence[str]) -> dict[str, Any]:
    is_date = field.type == "date"
    options = {
        "format": java_format(ISO_DAY) if is_date else None,
        "minLength": field.minimum_length,
        "maxLength": field.maximum_length,
        "pattern": field.pattern,
        "minimum": field.earliest if is_date else _number(field.minimum),
        "maximum": _number(field.maximum),
    }
    found: dict[str, Any] = {"name": field.name, "logicalType": field.type}
    if field.description:
        found["description"] = field.description
    found["required"] = field.required
    if field.name in key:
        found |= {"primaryKey": True, "primaryKeyPosition": key.index(field.name) + 1}
    if given := {name: value for name, value in options.items() if value is not None}:
        found["logicalTypeOptions"] = given
    custom = {
        "optionalColumn": field.optional or None,
        "missingValues": list(field.missing_values),
        "decimalPlaces": field.decimal_places,
        "maximumDaysFromToday": field.maximum_days_from_today,
    }
    return found | {"customProperties": _custom(custom)}


def _imported(given: Any, at: str, rest: tuple[str, ...]) -> Imported:
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise NoOdcs(f"{at}: an object needs a name")
    unsaid = [*rest, *(f"{at}.{key}" for key in sorted(given.keys() - _KNOWN_OF_OBJECT, key=str))]
    custom = _custom_of(given, at, {"contractVersion"}, unsaid)
    fields, formats, keys = [], {}, []
    for number, one in enumerate(_items(given, "properties", at), 1):
        place = f"{at}.properties[{number}]"
        field, form = _field(one, place, unsaid)
        if field is None:
            continue
        fields.append(field)
        if form:
            formats[field.name] = form
        if one.get("primaryKey") is True:
            position = one.get("primaryKeyPosition")
            keys.append((position if isinstance(position, int) else number, field.name))
    if not fields:
        raise NoOdcs(f"{at}: it has no property that a column could be")
    version = custom.get("contractVersion", 1)
    key = tuple(name for _, name in sorted(keys))
    return Imported(
        FileContract(given["name"], version if isinstance(version, int) else 1, tuple(fields), key),
        formats,
        tuple(unsaid),
    )


def _field(given: Any, at: str, unsaid: list[str]) -> tuple[Field | None, str | None]:
    """The column that a property is, and how its dates are written; None for what is no text."""
    try:
        return _read_field(given, at, unsaid)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise NoOdcs(f"{at}: a limit in it is no number, or a list is none") from error


def _read_field(given: Any, at: str, unsaid: list[str]) -> tuple[Field | None, str | None]:
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise NoOdcs(f"{at}: a property needs a name")
    name = str(given.get("physicalName") or given["name"])
    kind = str(given.get("logicalType", "string"))
    if kind not in _OPTIONS:
        unsaid.append(f"{at} ({name}: {kind})")
        return None, None
    unsaid += [f"{at}.{key}" for key in sorted(given.keys() - _KNOWN_OF_PROPERTY, key=str)]
    options = given.get("logicalTypeOptions") or {}
    if not isinstance(options, dict):
        raise NoOdcs(f"{at}.logicalTypeOptions: these have to be names with values")
    unsaid += [
        f"{at}.logicalTypeOptions.{key}"
        for key in sorted(options.keys() - set(_OPTIONS[kind]), key=str)
    ]
    known = {"optionalColumn", "missingValues", "decimalPlaces", "maximumDaysFromToday"}
    custom = _custom_of(given, at, known, unsaid)
    is_date = kind in ("date", "timestamp")
    form = strptime_format(str(options.get("format", "yyyy-MM-dd"))) if is_date else None
    if is_date and form is None:
        unsaid.append(f"{at}.logicalTypeOptions.format ({options['format']})")
    field = Field(
        name=name,
        type="date" if is_date else _TYPES[_TYPES.index(kind)],  # type: ignore[arg-type]
        description=str(given.get("description", "")),
        required=bool(given.get("required", False)),
        optional=bool(custom.get("optionalColumn", False)),
        missing_values=tuple(map(str, custom.get("missingValues", [""]))),
        minimum_length=_whole(options.get("minLength")),
        maximum_length=_whole(options.get("maxLength")),
        pattern=options.get("pattern"),
        minimum=None if is_date else _decimal(options.get("minimum")),
        maximum=None if is_date else _decimal(options.get("maximum")),
        decimal_places=_whole(custom.get("decimalPlaces")),
        earliest=options.get("minimum") if is_date else None,
        maximum_days_from_today=_whole(custom.get("maximumDaysFromToday")),
    )
    return field, form


def _custom(values: Mapping[str, object]) -> list[dict[str, object]]:
    return [
        {"property": name, "value": value} for name, value in values.items() if value is not None
    ]


def _custom_of(
    given: Mapping[str, Any], at: str, known: Iterable[str], unsaid: list[str]
) -> dict[str, Any]:
    """Custom properties of ours by name; those of others are named as not said."""
    found = dict(_pairs(given.get("customProperties") or []))
    unsaid += [f"{at}.customProperties.{name}" for name in sorted(found.keys() - set(known))]
    return {name: found[name] for name in known if name in found}


def _pairs(properties: Any) -> Iterator[tuple[str, Any]]:
    for one in properties if isinstance(properties, list) else []:
        if isinstance(one, dict) and "property" in one:
            yield str(one["property"]), one.get("value")


def _items(given: Mapping[str, Any], key: str, at: str) -> list[Any]:
    items = given.get(key) or []
    if not isinstance(items, list):
        raise NoOdcs(f"{at}{'.' if at else ''}{key}: this has to be a list")
    return items


def _number(value: Decimal | None) -> int | float | None:
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))
