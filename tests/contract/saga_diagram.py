"""The saga as Mermaid text; `python -m tests.contract.saga_diagram` prints it for the docs."""

import json
from collections.abc import Iterator
from typing import Any

from tests.contract.declared import SAGA

ENDS = ("Succeed", "Fail")


def diagram(definition: dict[str, Any]) -> str:
    """A state diagram with every state and every way of the definition."""
    return "\n".join(["stateDiagram-v2", *_region(definition, "  ")])


def _region(definition: dict[str, Any], indent: str) -> Iterator[str]:
    yield f"{indent}[*] --> {definition['StartAt']}"
    for name, state in definition["States"].items():
        parts = [*state.get("Branches", ()), *filter(None, [state.get("ItemProcessor")])]
        if parts:
            yield f"{indent}state {name} {{"
            for part in parts:
                yield from _region(part, indent + "  ")
            yield f"{indent}}}"
        for target, label in _ways(state).items():
            yield f"{indent}{name} --> {target}{label and f': {label}'}"
        if state.get("End") or state["Type"] in ENDS:
            yield f"{indent}{name} --> [*]"


def _ways(state: dict[str, Any]) -> dict[str, str]:
    """Where a state goes, and when: nothing said is always."""
    ways = {choice["Next"]: _words(choice["Condition"]) for choice in state.get("Choices", ())}
    if "Default" in state:
        ways[state["Default"]] = "otherwise"
    if "Next" in state:
        ways[state["Next"]] = ""
    for catch in state.get("Catch", ()):
        ways[catch["Next"]] = "in any case" if catch["Next"] in ways else "fault"
    return ways


def _words(condition: str) -> str:
    return condition.removeprefix("{% ").removesuffix(" %}").replace("$", "")


if __name__ == "__main__":
    print(diagram(json.loads(SAGA.read_text())))
