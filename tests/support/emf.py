"""Embedded metric format as AWS specifies it: read from output, held against its schema."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

SCHEMA = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer"},
                "CloudWatchMetrics": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["Namespace", "Dimensions", "Metrics"],
                        "properties": {
                            "Namespace": {"type": "string", "minLength": 1, "maxLength": 1024},
                            "Dimensions": {
                                "type": "array",
                                "minItems": 1,
                                "items": {
                                    "type": "array",
                                    "maxItems": 30,
                                    "items": {"type": "string", "minLength": 1, "maxLength": 250},
                                },
                            },
                            "Metrics": {
                                "type": "array",
                                "minItems": 1,
                                "maxItems": 100,
                                "items": {
                                    "type": "object",
                                    "required": ["Name"],
                                    "properties": {
                                        "Name": {
                                            "type": "string", "minLength": 1, "maxLength": 1024,
                                        },
                                        "Unit": {"enum": ["Count", "Seconds", "Bytes"]},
                                    },
                                },
                            },
                        },
                    },
                },
            },
        }
    },
}  # fmt: skip
"""The schema of the specification (CloudWatch: Embedded metric format), units: those we use."""
_is_emf = jsonschema_rs.validator_for(SCHEMA)


@dataclass(frozen=True)
class Sample:
    """One metric as CloudWatch would make it of a line; `line` is all that the line holds."""

    namespace: str
    name: str
    unit: str
    dimensions: Mapping[str, str]
    values: tuple[float, ...]
    line: Mapping[str, Any]

    @property
    def identity(self) -> tuple[str, str, frozenset[tuple[str, str]]]:
        """What tells one metric from another."""
        return self.namespace, self.name, frozenset(self.dimensions.items())


def samples_in(output: str) -> list[Sample]:
    """Every metric in an output; what is no EMF is passed over, as CloudWatch does."""
    return [sample for text in output.splitlines() for sample in _samples(text)]


def _samples(text: str) -> Iterator[Sample]:
    if '"_aws"' not in text:
        return
    line = json.loads(text)
    _is_emf.validate(line)
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for metric in directive["Metrics"]:
            value = line[metric["Name"]]
            values = tuple(value) if isinstance(value, list) else (value,)
            assert all(isinstance(one, int | float) for one in values), line
            for names in directive["Dimensions"]:
                dimensions = {name: line[name] for name in names}
                assert all(isinstance(one, str) and one for one in dimensions.values()), line
                yield Sample(
                    directive["Namespace"],
                    metric["Name"],
                    metric["Unit"],
                    dimensions,
                    values,
                    line,
                )
