"""May this role make this call? A small evaluator of IAM policies, as AWS documents the rules.

An explicit Deny wins, then an Allow, else the call is denied. Only what the templates use is
understood; anything else raises, so that no condition is ever ignored. moto has an evaluator too,
but it takes a failed condition of an Allow for a Deny and knows none of our condition operators.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.security.account import Resource, of_type

Context = Mapping[str, Sequence[str]]
_KNOWN_ELEMENTS = {"Sid", "Effect", "Action", "Resource", "Condition", "Principal"}


@dataclass(frozen=True)
class Request:
    """One action on one resource; `context` holds the condition keys that AWS would send."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)


def is_allowed(statements: Iterable[Mapping[str, Any]], request: Request) -> bool:
    """Whether some statement allows the request and none denies it."""
    effects = {statement["Effect"] for statement in statements if applies(statement, request)}
    return "Allow" in effects and "Deny" not in effects


def applies(statement: Mapping[str, Any], request: Request) -> bool:
    """Whether action, resource and every condition of the statement match the request."""
    if unknown := set(statement) - _KNOWN_ELEMENTS:
        raise NotImplementedError(f"teach this file {sorted(unknown)}")
    return (
        any(matches(one.lower(), request.action.lower()) for one in listed(statement["Action"]))
        and any(matches(one, request.resource) for one in listed(statement["Resource"]))
        and all(
            _holds(operator, key, [str(one) for one in listed(wanted)], request.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def matches(pattern: str, text: str) -> bool:
    """IAM's wildcards: `*` is any text, `?` any character, and nothing else is special."""
    regex = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(regex, text, re.DOTALL) is not None


def listed(value: Any) -> list[Any]:
    """IAM writes one value without a list."""
    return value if isinstance(value, list) else [value]


def _holds(operator: str, key: str, wanted: Sequence[str], context: Context) -> bool:
    sent = context.get(key)
    if operator == "Null":
        return [one.lower() for one in wanted] == [str(sent is None).lower()]
    quantifier, _, plain = operator.rpartition(":")
    if quantifier == "ForAllValues":
        # Holds for no value at all: the templates add a Null condition against that.
        return all(_compares(plain, one, wanted) for one in sent or ())
    if quantifier:
        raise NotImplementedError(f"teach this file {operator}")
    return sent is not None and any(_compares(plain, one, wanted) for one in sent)


def _compares(operator: str, sent: str, wanted: Sequence[str]) -> bool:
    match operator:
        case "StringEquals":
            return sent in wanted
        case "StringLike" | "ArnEquals" | "ArnLike":
            return any(matches(one, sent) for one in wanted)
        case "Bool":
            return sent.lower() in [one.lower() for one in wanted]
        case _:
            raise NotImplementedError(f"teach this file {operator}")


@dataclass(frozen=True)
class Role:
    """A role of the templates: what it may do, and which AWS services may take it on."""

    name: str
    resource: Resource

    @property
    def policies(self) -> list[dict[str, Any]]:
        """Its inline policies, and those that the stack gives to several or by a condition."""
        properties = self.resource.properties
        apart = [
            policy.properties
            for policy in (*of_type("AWS::IAM::Policy"), *of_type("AWS::IAM::ManagedPolicy"))
            if policy.stack == self.resource.stack
            and self.resource.name in policy.properties["Roles"]
        ]
        if others := {"ManagedPolicyArns", "PermissionsBoundary"} & set(properties):
            raise NotImplementedError(f"{self.name}: teach this file {sorted(others)}")
        return [*properties.get("Policies", []), *apart]

    @property
    def statements(self) -> list[dict[str, Any]]:
        """All statements of its policies."""
        return [
            statement
            for policy in self.policies
            for statement in listed(policy["PolicyDocument"]["Statement"])
        ]

    @property
    def trusted(self) -> set[str]:
        """The principals that may assume it."""
        statements = listed(self.resource.properties["AssumeRolePolicyDocument"]["Statement"])
        return {
            principal
            for statement in statements
            for principals in statement["Principal"].values()
            for principal in listed(principals)
        }

    def may(self, request: Request) -> bool:
        """Whether the role may make the call."""
        return is_allowed(self.statements, request)


@cache
def roles() -> Mapping[str, Role]:
    """Every role by the name of its policy, which is that of the function or task it serves."""
    found = {}
    for resource in of_type("AWS::IAM::Role"):
        [policy] = resource.properties["Policies"]
        found[policy["PolicyName"]] = Role(policy["PolicyName"], resource)
    return found
