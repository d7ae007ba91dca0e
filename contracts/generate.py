"""Writes contracts/messages.py from the schemas: `python -m contracts.generate [--check]`."""

import argparse
import difflib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from contracts.schemas import all_schemas

TARGET = Path(__file__).with_name("messages.py")
HEADER = (
    "# Generated from contracts/schemas by `python -m contracts.generate`: do not edit.\n"
    '"""One frozen model per message `data`, document and part; the latest version of each."""'
)
ROOT_CLASS = "AllContracts"
SCHEMA_ONLY = {
    "description", "format", "maximum", "maxItems", "minimum", "minItems", "minLength", "pattern",
}  # fmt: skip
URN = "urn:ecommerce-pipeline:schema:"


def combined_schema() -> dict[str, Any]:
    """All latest schemas as one document with local references, as the generator wants it."""
    latest: dict[str, Any] = {}
    for schema in all_schemas():
        latest[schema.name] = {
            "title": schema.name,
            "description": schema.document["description"],
            "type": "object",
            "properties": _types_only(schema.document["properties"]),
            "required": schema.document["required"],
        }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": ROOT_CLASS,
        "type": "object",
        "$defs": _localise(latest),
        "properties": {name: {"$ref": f"#/$defs/{name}"} for name in latest},
    }


def generate() -> str:
    """The text of contracts/messages.py."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "all.json", Path(folder) / "messages.py"
        source.write_text(json.dumps(combined_schema()))
        command = [
            sys.executable, "-m", "datamodel_code_generator",
            "--input", str(source), "--input-file-type", "jsonschema", "--output", str(target),
            "--output-model-type", "pydantic_v2.BaseModel", "--target-python-version", "3.11",
            "--enable-faux-immutability", "--use-schema-description", "--use-standard-collections",
            "--use-union-operator", "--disable-timestamp", "--enum-field-as-literal", "all",
            "--use-title-as-name", "--use-annotated", "--strict-nullable",
            "--formatters", "ruff-format", "--custom-file-header", HEADER,
        ]  # fmt: skip
        subprocess.run(command, check=True)
        text = target.read_text().split(f"class {ROOT_CLASS}")[0].rstrip() + "\n"
    return _ruff("format", _ruff("check", text, "--fix"))


def _ruff(command: str, text: str, *options: str) -> str:
    """The text as the project's own ruff settings leave it."""
    arguments = [sys.executable, "-m", "ruff", command, *options, "--quiet"]
    arguments += ["--stdin-filename", str(TARGET), "-"]
    return subprocess.run(
        arguments, input=text, capture_output=True, text=True, check=True, cwd=TARGET.parent
    ).stdout


def _types_only(properties: Any) -> Any:
    """Leave limits and texts to the schemas, which every message is checked against anyway."""
    if isinstance(properties, list):
        return [_types_only(item) for item in properties]
    if isinstance(properties, dict):
        return {
            key: _types_only(value)
            for key, value in properties.items()
            if not (key in SCHEMA_ONLY and not isinstance(value, dict))
        }
    return properties


def _localise(node: Any) -> Any:
    if isinstance(node, list):
        return [_localise(item) for item in node]
    if isinstance(node, dict):
        if str(node.get("$ref", "")).startswith(URN):
            return {"$ref": "#/$defs/" + node["$ref"].removeprefix(URN).split(":")[0]}
        return {key: _localise(value) for key, value in node.items()}
    return node


def main() -> int:
    """Write the models, or with --check say what differs and exit 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether they are current")
    text = generate()
    if not parser.parse_args().check:
        TARGET.write_text(text)
        return 0
    current = TARGET.read_text() if TARGET.exists() else ""
    difference = difflib.unified_diff(current.splitlines(), text.splitlines(), "messages.py", "new")
    lines = list(difference)
    print("\n".join(lines) or "contracts/messages.py is current")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
