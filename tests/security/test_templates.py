"""What every resource of the templates must have: encryption, TLS, retention, history."""

import json
import re

import pytest

from tests.security.account import ACCOUNT, Resource, of_type, queue_url, resources, stacks
from tests.security.exceptions import exceptions
from tests.security.policies import Request, applies, listed, roles

KEPT = {
    "AWS::DynamoDB::Table",
    "AWS::ECR::Repository",
    "AWS::Glue::Database",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
}
"""Holds what nobody can make again."""
MADE_AGAIN = {
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::Authorizer",
    "AWS::ApiGatewayV2::Integration",
    "AWS::ApiGatewayV2::Route",
    "AWS::ApiGatewayV2::Stage",
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::EC2::InternetGateway",
    "AWS::EC2::Route",
    "AWS::EC2::RouteTable",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::Subnet",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::VPC",
    "AWS::EC2::VPCEndpoint",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::ECS::Cluster",
    "AWS::EMRServerless::Application",
    "AWS::ECS::Service",
    "AWS::ECS::TaskDefinition",
    "AWS::Events::EventBus",
    "AWS::Events::Rule",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::OIDCProvider",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogGroup",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
    "AWS::SSM::Parameter",
    "AWS::StepFunctions::StateMachine",
}
"""Deploying makes it as it was; a queue's messages are repeated by the saga and the sweeps."""
POLICIES = {
    "AWS::S3::Bucket": ("AWS::S3::BucketPolicy", "Bucket"),
    "AWS::SNS::Topic": ("AWS::SNS::TopicPolicy", "Topics"),
    "AWS::SQS::Queue": ("AWS::SQS::QueuePolicy", "Queues"),
}
WRITES = {
    "AWS::S3::Bucket": ("s3:GetObject", "s3:PutObject"),
    "AWS::SNS::Topic": ("sns:Publish",),
    "AWS::SQS::Queue": ("sqs:SendMessage", "sqs:ReceiveMessage"),
}
PROTECTED = [resource for resource in resources() if resource.type in POLICIES]


def each(resource_type: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("resource", of_type(resource_type), ids=str)


def policy_statements(resource: Resource) -> list[dict[str, object]]:
    """The statements of the policies that are put on a bucket, queue or topic."""
    policy_type, member = POLICIES[resource.type]
    referred = {resource.name, resource.arn, queue_url(resource.name)}
    return [
        statement
        for policy in of_type(policy_type)
        if referred & set(listed(policy.properties[member]))
        for statement in policy.properties["PolicyDocument"]["Statement"]
    ]


@pytest.mark.parametrize("resource", PROTECTED, ids=str)
def test_nobody_is_heard_without_tls(resource: Resource) -> None:
    inside = f"{resource.arn}/orders/july.csv" if resource.type == "AWS::S3::Bucket" else None
    denials = [one for one in policy_statements(resource) if one["Effect"] == "Deny"]
    for action in WRITES[resource.type]:
        for secure, is_denied in (("false", True), ("true", False)):
            request = Request(action, inside or resource.arn, {"aws:SecureTransport": [secure]})
            denied = any(one["Principal"] == "*" and applies(one, request) for one in denials)
            assert denied is is_denied, f"{action} with aws:SecureTransport {secure}"


@pytest.mark.parametrize("resource", PROTECTED, ids=str)
def test_only_this_account_and_its_own_rules_are_let_in(resource: Resource) -> None:
    for statement in policy_statements(resource):
        if statement["Effect"] == "Deny":
            continue
        principal, condition = statement["Principal"], str(statement.get("Condition", ""))
        if principal == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}:
            continue
        assert isinstance(principal, dict), statement
        assert set(principal) == {"Service"}, statement
        assert "aws:SourceArn" in condition or "aws:SourceAccount" in condition, statement
        assert ACCOUNT in condition, statement


@each("AWS::S3::Bucket")
def test_a_bucket_is_encrypted_and_closed_to_the_public(resource: Resource) -> None:
    [rule] = resource.properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] in ("AES256", "aws:kms")
    assert resource.properties["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    assert resource.properties["OwnershipControls"]["Rules"] == [
        {"ObjectOwnership": "BucketOwnerEnforced"}
    ]


def test_every_bucket_keeps_versions_or_says_why_not() -> None:
    without = {
        bucket.name
        for bucket in of_type("AWS::S3::Bucket")
        if bucket.properties.get("VersioningConfiguration") != {"Status": "Enabled"}
    }
    assert without == {entry["bucket"] for entry in exceptions("unversioned_buckets")}


@each("AWS::SQS::Queue")
def test_a_queue_is_encrypted(resource: Resource) -> None:
    assert resource.properties["SqsManagedSseEnabled"] is True


@each("AWS::DynamoDB::Table")
def test_a_table_is_encrypted_and_can_be_put_back_to_any_second(resource: Resource) -> None:
    assert resource.properties["SSESpecification"] == {"SSEEnabled": True}
    recovery = resource.properties["PointInTimeRecoverySpecification"]
    assert recovery == {"PointInTimeRecoveryEnabled": True}


@each("AWS::Logs::LogGroup")
def test_a_log_is_not_kept_for_ever(resource: Resource) -> None:
    assert 1 <= resource.properties["RetentionInDays"] <= 365


@each("AWS::Lambda::Function")
def test_a_function_writes_to_a_log_of_the_templates(resource: Resource) -> None:
    """Else Lambda makes one that never expires."""
    groups = {group.name for group in of_type("AWS::Logs::LogGroup")}
    assert f"/aws/lambda/{resource.name}" in groups


def test_it_is_known_of_every_type_whether_it_must_be_kept() -> None:
    assert {resource.type for resource in resources()} - KEPT - MADE_AGAIN == set()


@pytest.mark.parametrize("resource", [one for one in resources() if one.type in KEPT], ids=str)
def test_what_nobody_can_make_again_outlives_its_stack(resource: Resource) -> None:
    assert resource.attributes["DeletionPolicy"] in ("Retain", "RetainExceptOnCreate")
    assert resource.attributes["UpdateReplacePolicy"] == "Retain"


@each("AWS::EC2::SecurityGroup")
def test_nothing_calls_the_workers_and_they_call_https_only(resource: Resource) -> None:
    assert "SecurityGroupIngress" not in resource.properties
    egress = resource.properties["SecurityGroupEgress"]
    assert [(rule["FromPort"], rule["ToPort"]) for rule in egress] == [(443, 443)]


@each("AWS::ECS::TaskDefinition")
def test_a_container_is_nobody_and_changes_nothing_of_its_image(resource: Resource) -> None:
    for container in resource.properties["ContainerDefinitions"]:
        assert container["User"] not in ("0", "root")
        assert container["ReadonlyRootFilesystem"] is True
        assert not container.get("Privileged", False)


def test_the_log_of_the_saga_leaves_out_the_task_tokens() -> None:
    [machine] = of_type("AWS::StepFunctions::StateMachine")
    assert machine.properties["LoggingConfiguration"]["IncludeExecutionData"] is False


def test_a_statement_on_everything_has_its_reason() -> None:
    found = {
        (name, statement["Sid"])
        for name, role in roles().items()
        for statement in role.statements
        if "*" in listed(statement["Resource"])
    }
    assert found == {(entry["role"], entry["sid"]) for entry in exceptions("wildcard_resources")}


def test_a_statement_on_everything_says_why_where_it_stands() -> None:
    text = {stack.name: stack.template.path.read_text() for stack in stacks()}
    for entry in exceptions("wildcard_resources"):
        template = text[roles()[entry["role"]].resource.stack]
        assert re.search(rf"^ +# .+\n +- Sid: {entry['sid']}$", template, re.MULTILINE), entry


@pytest.mark.parametrize(
    "section", ["wildcard_resources", "unversioned_buckets", "checkov", "detect_secrets"]
)
def test_every_exception_has_a_reason(section: str) -> None:
    assert all(len(entry["reason"]) > 10 for entry in exceptions(section))


def test_the_api_answers_nobody_unknown_and_bounds_and_records_what_is_asked() -> None:
    """As it is deployed when nothing is said: every route is signed."""
    assert [
        (route.properties["RouteKey"], route.properties["AuthorizationType"])
        for route in of_type("AWS::ApiGatewayV2::Route")
    ] == [
        ("$default", "AWS_IAM"),
        ("ANY /console/operations", "AWS_IAM"),
        ("ANY /console/operations/{proxy+}", "AWS_IAM"),
    ]
    [stage] = of_type("AWS::ApiGatewayV2::Stage")
    assert stage.properties["DefaultRouteSettings"] == {
        "ThrottlingRateLimit": 50,
        "ThrottlingBurstLimit": 50,
    }
    log = stage.properties["AccessLogSettings"]
    assert "aws/apigateway" in log["DestinationArn"]
    assert {"$context.identity.caller", "$context.status"} <= set(
        json.loads(log["Format"]).values()
    )
