"""The saga's stack and its definition name the same things."""

import json
import re

import jsonata

from infra.deployer.templates import discover
from infra.environments import PROJECT


def test_every_placeholder_of_the_definition_is_substituted_and_no_other() -> None:
    definition = (PROJECT / "infra/stacks/saga.asl.json").read_text()
    json.loads(definition)
    saga = next(template for template in discover(PROJECT) if template.name == "saga")
    block = re.search(r"DefinitionSubstitutions:\n((?:        .*\n)+)", saga.body)
    assert block
    substituted = set(re.findall(r"^ {8}(\w+):", block.group(1), re.MULTILINE))
    assert set(re.findall(r"\$\{(\w+)\}", definition)) == substituted


def test_what_a_failed_close_says_in_a_mail_is_one_line() -> None:
    states = json.loads((PROJECT / "infra/stacks/saga.asl.json").read_text())["States"]
    [said] = {
        catch["Assign"]["message"]
        for catch in states["CloseBatch"]["Catch"]
        if "CloseBatch failed" in catch["Assign"]["message"]
    }
    expression = jsonata.Jsonata(said.removeprefix("{%").removesuffix("%}"))
    frame = expression.create_frame()
    frame.bind("reason", "orders/a\nb\u202e.csv:")
    frame.bind("batch_id", "3f2a")
    frame.bind("states", {"errorOutput": {"Error": "States.Timeout", "Cause": "\x1b[2J\x9b"}})
    assert expression.evaluate({}, frame) == (
        "orders/a?b?.csv: CloseBatch failed with States.Timeout: ?[2J?. Look at: ecp batch 3f2a"
    )
