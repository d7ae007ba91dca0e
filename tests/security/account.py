"""The templates as one account would hold them: every reference resolved to a name or an ARN.

Nothing is deployed. Values that only a deployment knows (ids, generated names) are made up here.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.contract.declared import Template, templates

ACCOUNT, REGION = "123456789012", "us-east-1"
PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::NoValue": None,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::URLSuffix": "amazonaws.com",
}
GIVEN = {"GitHubRepository": "shop/pipeline"}
"""Parameters that are not left at their defaults."""
_HERE = f"{REGION}:{ACCOUNT}"
_ARNS: Mapping[str, Callable[[str], str]] = {
    **dict.fromkeys(
        (
            "AWS::ApplicationAutoScaling::ScalableTarget",
            "AWS::ApplicationAutoScaling::ScalingPolicy",
        ),
        lambda name: f"arn:aws:application-autoscaling:{_HERE}:scalable-target/{name}",
    ),
    "AWS::CloudWatch::Alarm": lambda name: f"arn:aws:cloudwatch:{_HERE}:alarm:{name}",
    "AWS::DynamoDB::Table": lambda name: f"arn:aws:dynamodb:{_HERE}:table/{name}",
    "AWS::ECR::Repository": lambda name: f"arn:aws:ecr:{_HERE}:repository/{name}",
    "AWS::ECS::Cluster": lambda name: f"arn:aws:ecs:{_HERE}:cluster/{name}",
    "AWS::ECS::Service": lambda name: f"arn:aws:ecs:{_HERE}:service/ecommerce-pipeline/{name}",
    "AWS::ECS::TaskDefinition": lambda name: f"arn:aws:ecs:{_HERE}:task-definition/{name}:1",
    "AWS::EMRServerless::Application": lambda name: (
        f"arn:aws:emr-serverless:{_HERE}:/applications/{name}"
    ),
    "AWS::Events::EventBus": lambda name: f"arn:aws:events:{_HERE}:event-bus/{name}",
    "AWS::Events::Rule": lambda name: f"arn:aws:events:{_HERE}:rule/{name}",
    "AWS::IAM::OIDCProvider": lambda name: f"arn:aws:iam::{ACCOUNT}:oidc-provider/{name}",
    "AWS::IAM::Role": lambda name: f"arn:aws:iam::{ACCOUNT}:role/{name}",
    "AWS::Lambda::Function": lambda name: f"arn:aws:lambda:{_HERE}:function:{name}",
    "AWS::Logs::LogGroup": lambda name: f"arn:aws:logs:{_HERE}:log-group:{name}:*",
    "AWS::S3::Bucket": lambda name: f"arn:aws:s3:::{name}",
    "AWS::SNS::Topic": lambda name: f"arn:aws:sns:{_HERE}:{name}",
    "AWS::SQS::Queue": lambda name: f"arn:aws:sqs:{_HERE}:{name}",
    "AWS::SecretsManager::Secret": lambda name: f"arn:aws:secretsmanager:{_HERE}:secret:{name}",
    "AWS::StepFunctions::StateMachine": lambda name: f"arn:aws:states:{_HERE}:stateMachine:{name}",
}
_SECRET = "AWS::SecretsManager::Secret"
"""Its ARN is what Ref gives, and GetAtt Id, which the embedded cloud knows too."""
_REF_IS_THE_ARN = {
    "AWS::ECS::TaskDefinition",
    "AWS::SNS::Topic",
    _SECRET,
    "AWS::StepFunctions::StateMachine",
}
_NAMES = (
    "TableName", "QueueName", "BucketName", "TopicName", "LogGroupName", "FunctionName",
    "StateMachineName", "RepositoryName", "ClusterName", "AlarmName", "Family", "Name",
    "RoleName", "ServiceName", "ManagedPolicyName",
)  # fmt: skip


@dataclass(frozen=True)
class Resource:
    """One resource with every reference resolved; `attributes` are DeletionPolicy and the like."""

    stack: str
    logical_id: str
    type: str
    properties: dict[str, Any]
    attributes: dict[str, Any]
    name: str
    arn: str

    def __str__(self) -> str:
        return f"{self.stack}/{self.logical_id}"


class Stack:
    """One template whose references can be resolved, across stacks through SSM parameters."""

    def __init__(self, template: Template) -> None:
        self.template = template
        folder, stem = template.path.parent.name, template.path.stem
        self.name = folder if stem == "template" else stem
        self._parameters: dict[str, Any] = template.document.get("Parameters", {})
        self._resources: dict[str, Any] = template.document["Resources"]

    def resources(self) -> Iterator[Resource]:
        """Every resource, resolved."""
        for logical_id, declared in self._resources.items():
            yield Resource(
                stack=self.name,
                logical_id=logical_id,
                type=declared["Type"],
                properties=self.resolve(declared.get("Properties", {})),
                attributes={key: declared[key] for key in declared if key != "Properties"},
                name=self._name_of(logical_id),
                arn=self._arn_of(logical_id),
            )

    def resolve(self, value: Any) -> Any:
        """The value with references and functions replaced by what they give."""
        if isinstance(value, list):
            return [self.resolve(one) for one in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(function, argument)] = value.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self._call(function, argument)
        return {key: self.resolve(one) for key, one in value.items()}

    def _call(self, function: str, argument: Any) -> Any:
        match function:
            case "Ref":
                return self._ref(argument)
            case "Fn::GetAtt":
                path = argument.split(".") if isinstance(argument, str) else argument
                return self._attribute(*path)
            case "Fn::Sub":
                return self._substituted(argument)
            case "Fn::Join":
                separator, parts = argument
                return str(separator).join(self.resolve(parts))
            case "Fn::Split":
                separator, text = argument
                return self.resolve(text).split(separator)
            case "Fn::Select":
                index, choices = argument
                return self.resolve(choices)[int(index)]
            case "Fn::GetAZs":
                return [f"{REGION}a", f"{REGION}b"]
            case "Fn::If":
                condition, if_true, if_false = argument
                holds = self._holds({"Condition": condition})
                return self.resolve(if_true if holds else if_false)
            case _:
                raise NotImplementedError(f"{self.name}: teach this file {function}")

    def _holds(self, condition: Any) -> bool:
        match condition:
            case {"Condition": name}:
                return self._holds(self.template.document["Conditions"][name])
            case {"Fn::Not": [one]}:
                return not self._holds(one)
            case {"Fn::And": several}:
                return all(map(self._holds, several))
            case {"Fn::Equals": pair}:
                one, other = self.resolve(pair)
                return bool(one == other)
        raise NotImplementedError(f"{self.name}: teach this file the condition {condition}")

    def _ref(self, name: str) -> Any:
        if name in PSEUDO_PARAMETERS:
            return PSEUDO_PARAMETERS[name]
        if name in self._parameters:
            return self._parameter(name)
        resource_type = self._resources[name]["Type"]
        if resource_type in _REF_IS_THE_ARN:
            return self._arn_of(name)
        if resource_type == "AWS::SQS::Queue":
            return queue_url(self._name_of(name))
        return self._name_of(name)

    def _parameter(self, name: str) -> Any:
        if name == "StagePrefix":
            return self.template.prefix
        if name in GIVEN:
            return GIVEN[name]
        declared = self._parameters[name]
        if "AWS::SSM::Parameter::Value" not in declared["Type"]:
            return declared.get("Default", f"given-{name}")
        path = declared["Default"].removeprefix("/")
        value = published(f"/{self.template.prefix}{path}", self.template.prefix)
        return value.split(",") if "List<" in declared["Type"] else value

    def _attribute(self, logical_id: str, attribute: str) -> str:
        if attribute == "Arn" or (
            attribute == "Id" and self._resources[logical_id]["Type"] == _SECRET
        ):
            return self._arn_of(logical_id)
        if attribute == "StreamArn":
            return f"{self._arn_of(logical_id)}/stream/2025-07-07T00:00:00.000"
        if attribute.endswith("Name"):
            return self._name_of(logical_id)
        return f"{attribute}-of-{self._name_of(logical_id)}"

    def _substituted(self, argument: Any) -> str:
        text, own = (argument, {}) if isinstance(argument, str) else argument

        def value(found: re.Match[str]) -> str:
            name = found[1]
            if name in own:
                return str(self.resolve(own[name]))
            return str(self._attribute(*name.split(".")) if "." in name else self._ref(name))

        return re.sub(r"\$\{([\w:.]+)\}", value, text)

    def _name_of(self, logical_id: str) -> str:
        declared = self._resources[logical_id]
        properties = declared.get("Properties", {})
        given = next((properties[key] for key in _NAMES if key in properties), None)
        if given is None and declared["Type"] == "AWS::Glue::Database":
            given = properties["DatabaseInput"]["Name"]
        return f"{self.name}-{logical_id}" if given is None else str(self.resolve(given))

    def _arn_of(self, logical_id: str) -> str:
        to_arn = _ARNS.get(self._resources[logical_id]["Type"])
        name = self._name_of(logical_id)
        return to_arn(name) if to_arn else f"arn:aws:cloudformation:{_HERE}:made-up/{name}"


def queue_url(name: str) -> str:
    """What a Ref of a queue gives."""
    return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"


@cache
def stacks(prefix: str = "") -> tuple[Stack, ...]:
    """Every stack of the project, with the names of a stage."""
    return tuple(Stack(template) for template in templates(prefix))


@cache
def resources() -> tuple[Resource, ...]:
    """Every resource of every stack, resolved."""
    return tuple(resource for stack in stacks() for resource in stack.resources())


def of_type(resource_type: str) -> list[Resource]:
    """The resources of one type, from all stacks."""
    return [resource for resource in resources() if resource.type == resource_type]


@cache
def published(parameter: str, prefix: str = "") -> str:
    """What the one stack that publishes an SSM parameter puts into it."""
    found = [
        stack.resolve(declared["Value"])
        for stack in stacks(prefix)
        for declared in stack.template.of_type("AWS::SSM::Parameter").values()
        if declared["Name"] == parameter
    ]
    [value] = found
    return str(value)
