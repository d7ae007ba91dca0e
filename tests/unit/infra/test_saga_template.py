"""The saga's stack and its definition name the same things."""

import json
import re

from infra.deployer.templates import discover
from infra.environments import PROJECT


def test_every_placeholder_of_the_definition_is_substituted_and_no_other() -> None:
    definition = (PROJECT / "infra/saga.asl.json").read_text()
    json.loads(definition)
    saga = next(template for template in discover(PROJECT) if template.name == "saga")
    block = re.search(r"DefinitionSubstitutions:\n((?:        .*\n)+)", saga.body)
    assert block
    substituted = set(re.findall(r"^ {8}(\w+):", block.group(1), re.MULTILINE))
    assert set(re.findall(r"\$\{(\w+)\}", definition)) == substituted
