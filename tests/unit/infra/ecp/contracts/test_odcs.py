"""`ecp contracts export` and `import`: ODCS 3.1 there and back, and what is lost is named."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from contracts.file_contracts import file_contract
from contracts.layout import KINDS
from contracts.sources.parser import parse_source
from infra.ecp.app import app
from infra.ecp.contracts.odcs import NoOdcs, contracts_of, odcs_of
from infra.ecp.contracts.odcs_dates import java_format, strptime_format
from infra.ecp.contracts.odcs_source import drafted_source
from services.runtime.sources.compilation import check_source, compile_source
from tests.support.examples import examples

CONTRACTS = [file_contract(kind, version) for kind in KINDS for version in (1, 2)]
SHOP: dict[str, Any] = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": "shop",
    "version": "1.0.0",
    "status": "active",
    "team": {"name": "sales"},
    "schema": [
        {
            "name": "sales",
            "quality": [{"type": "text", "description": "few refunds"}],
            "properties": [
                {"name": "Order No", "logicalType": "string", "required": True, "unique": True},
                {
                    "name": "bought",
                    "physicalName": "Order Date",
                    "logicalType": "date",
                    "logicalTypeOptions": {"format": "dd.MM.yyyy", "exclusiveMinimum": True},
                },
                {"name": "Order Total", "logicalType": "number"},
                {"name": "address", "logicalType": "object"},
                {
                    "name": "Status",
                    "logicalType": "string",
                    "customProperties": [{"property": "theirs", "value": 1}],
                },
            ],
        }
    ],
}


def ecp(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["contracts", *map(str, arguments)])


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.label)
def test_what_is_exported_comes_back_the_same(contract: Any) -> None:
    text = yaml.safe_dump(odcs_of([contract], "1.0.0"))
    [imported] = contracts_of(yaml.safe_load(text))
    assert imported.contract == contract
    assert imported.unsaid == ()


def test_the_command_writes_all_kinds_as_yaml_and_json() -> None:
    written = yaml.safe_load(ecp("export", "--format", "odcs").stdout)
    assert (written["apiVersion"], written["kind"]) == ("v3.1.0", "DataContract")
    assert [one["name"] for one in written["schema"]] == list(KINDS)
    assert json.loads(ecp("export", "--json").stdout) == written
    [orders] = yaml.safe_load(ecp("export", "orders").stdout)["schema"]
    assert orders == written["schema"][0]
    assert ecp("export", "order").exit_code == 2


@pytest.mark.medium
@pytest.mark.parametrize("kind", KINDS)
def test_an_exported_contract_is_imported_as_a_source_of_its_columns(
    kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "all.yaml"
    path.write_text(ecp("export").stdout)
    several = ecp("import", path)
    assert (several.exit_code, "say --schema orders or order_items" in several.stderr) == (2, True)
    said = ecp("import", path, "--schema", kind)
    source = parse_source(said.stdout.encode(), "draft")
    contract = file_contract(kind)
    assert (source.kinds, said.stderr) == ((kind,), "")
    assert set(source.mappings[0].columns) == set(contract.columns)
    compile_source(source, contract.required_columns)


def test_another_s_contract_is_drafted_and_what_is_lost_is_named(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump(SHOP))
    said = json.loads(ecp("import", path, "--json").stdout)
    source = parse_source(said["draft"].encode(), "draft")
    check_source(source)
    assert {name: each.text for name, each in source.mappings[0].columns.items()} == {
        "order_id": '"Order No"',
        "order_date": "day(\"Order Date\", '%d.%m.%Y')",
        "total_amount": '"Order Total"',
        "status": '"Status"',
    }
    lost = [
        "team",
        "schema[1].quality",
        "schema[1].properties[1].unique",
        "schema[1].properties[2].logicalTypeOptions.exclusiveMinimum",
        "schema[1].properties[4] (address: object)",
        "schema[1].properties[5].customProperties.theirs",
    ]
    assert said["unsaid"] == lost
    shown = ecp("import", path)
    for each in lost:
        assert f"# A source cannot say: {each}" in shown.stdout
        assert each in shown.stderr


@pytest.mark.parametrize(
    ("java", "form"),
    [
        ("yyyy-MM-dd", "%Y-%m-%d"),
        ("yyyy-MM-dd'T'HH:mm:ss", "%Y-%m-%dT%H:%M:%S"),
        ("dd/MM/yy hh:mm a", "%d/%m/%y %I:%M %p"),
        ("MMM dd, yyyy", "%b %d, %Y"),
    ],
)
def test_formats_of_days_there_and_back(java: str, form: str) -> None:
    assert strptime_format(java) == form
    assert java_format(form) == java


@pytest.mark.parametrize("java", ["yyyy-QQ", "'open", "GG"])
def test_a_format_that_means_nothing_here_is_none(java: str) -> None:
    assert strptime_format(java) is None


BROKEN: list[Any] = [
    None, [], {}, {"kind": "DataContract"}, SHOP | {"apiVersion": "v2.2.0"}, SHOP | {"schema": []},
    SHOP | {"schema": {}}, SHOP | {"schema": [1]}, SHOP | {"schema": [{"name": "a"}]},
    SHOP | {"schema": [{"name": "a", "properties": [{"name": "b", "logicalType": "number",
                                                     "logicalTypeOptions": {"minimum": "x"}}]}]},
]  # fmt: skip


@pytest.mark.parametrize("document", BROKEN)
def test_what_is_no_data_contract_is_refused(document: Any, tmp_path: Path) -> None:
    with pytest.raises(NoOdcs):
        contracts_of(document)
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(document))
    assert ecp("import", path).exit_code == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: &a [1]\nb: *a\n", "aliases are refused"),
        ("a: [", "this is not YAML"),
        ("\x00", "not YAML"),
    ],
)
def test_yaml_that_is_none_or_could_grow_is_refused(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    said = ecp("import", path)
    assert (said.exit_code, why in said.stderr) == (1, True), said.stderr


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=4,
)
PROPERTIES = st.fixed_dictionaries(
    {"name": st.text(min_size=1, max_size=8)},
    optional={
        "logicalType": st.sampled_from(["string", "date", "number", "timestamp", "array"]) | VALUES,
        "logicalTypeOptions": st.dictionaries(
            st.sampled_from(["format", "minimum", "maxLength", "pattern"]), VALUES, max_size=2
        ),
        "customProperties": st.lists(
            st.fixed_dictionaries({"property": st.just("missingValues"), "value": VALUES}),
            max_size=1,
        ),
        "primaryKeyPosition": VALUES,
        "primaryKey": VALUES,
    },
)


@settings(max_examples=examples(200))
@given(st.lists(PROPERTIES | VALUES, max_size=4))
def test_whatever_a_contract_says_it_is_refused_or_drafted(properties: Any) -> None:
    document = SHOP | {"schema": [{"name": "a", "properties": properties}]}
    try:
        [imported] = contracts_of(document)
    except NoOdcs:
        return
    parse_source(drafted_source(imported).text.encode(), "draft")
