"""Every call of the roles in which GitHub deploys, and of CloudFormation, which makes the changes.

What CloudFormation asks for is what the schema of each type of resource says (cfn-lint brings
them), but for properties that no template has.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cfnlint

from tests.security.account import ACCOUNT, REGION, Resource, of_type, resources
from tests.security.calls import Call
from tests.security.targets import ARTIFACTS, EVERYTHING, TOPIC, Target, repository, stored

PLANS, BUILDS, DEPLOYS, STACKS = "github-plans", "github-builds", "github-deploys", "stacks"
PLANNING, DEPLOYING = "infra/deployer/planning.py", "infra/deployer/one_stack.py"
WORKFLOW, CLOUDFORMATION = ".github/workflows/ci-cd.yml", "AWS CloudFormation, for a change set"
BOOTSTRAP = "bootstrap"
_HERE = f"{REGION}:{ACCOUNT}"
_SCHEMAS = Path(cfnlint.__file__).parent / "data/schemas"
_SERVICES = {
    **{"CloudWatch": "cloudwatch", "DynamoDB": "dynamodb", "EC2": "ec2", "ECS": "ecs"},
    **{"Events": "events", "Glue": "glue", "IAM": "iam", "Lambda": "lambda", "Logs": "logs"},
    **{"S3": "s3", "SNS": "sns", "SQS": "sqs", "SSM": "ssm", "StepFunctions": "states"},
    **{"SecretsManager": "secretsmanager", "ApiGatewayV2": "apigateway"},
    "EMRServerless": "emr-serverless",
    "ApplicationAutoScaling": "application-autoscaling",
}
_NO_TEMPLATE_ASKS = re.compile(
    r"dynamodb:(.*Item|Scan|Query|ImportTable|.*Replica|(Put|Delete)ResourcePolicy"
    r"|(Enable|Disable|Update)Kinesis.*|UpdateContributorInsights)"
    r"|logs:((Put|Delete|Create).*(DataProtectionPolicy|LogDelivery|ResourcePolicy|IndexPolicy)"
    r"|PutBearerToken.*|.*KmsKey|(Create|Put)Log(Stream|Events)|PutLogGroupDeletionProtection)"
    r"|s3:(REST.*|(Put|Delete).*(Analytics|C[Oo][Rr][Ss]|Inventory|Metrics|Replication|Website)\w*"
    r"|(Put|Delete|Create|Update).*(Accelerate|ObjectLock|Metadata|Tiering|Logging|Abac)\w*"
    r"|Put\w*Acl|(Tag|Untag)Resource|DeleteBucket(Encryption|Lifecycle)|DeleteObject"
    r"|GetObject.*|.*Metadata.*)"
    r"|iam:(\w*(User|Group)Policy|(Attach|Detach)RolePolicy|\w+PermissionsBoundary"
    r"|CreateServiceLinkedRole|UpdateRoleDescription|PassRole)"
    r"|lambda:((Put|Delete|Publish|Pass|Associate)(?!EventSource|Function$)\w+|GetLayerVersion)"
    r"|ec2:(\w*Vpn\w*|\w+Ingress|(?!Describe)\w*EncryptionControl\w*|ModifyVpcTenancy"
    r"|\w+SubnetCidrBlock|ModifySubnetAttribute|UpdateSecurityGroup\w+)"
    r"|ecs:(PutAccountSetting\w*|PutClusterCapacityProviders)"
    r"|events:(Put|Remove)Permission|glue:(Create|Update|Delete|Pass)Connection"
    r"|sns:Put\w+|secretsmanager:(.*Replicat.*|GetSecretValue)"
    r"|apigateway:(Tag|Untag)Resource|application-autoscaling:(Put|Delete)ScheduledAction"
)
"""Rights for properties that no template has, rights to read or write data, and two that IAM does
not know: an HTTP API's tags are sent to a path of their own (below)."""
_WITHOUT_RESOURCE = {
    *("ecs:RegisterTaskDefinition", "ecs:DeregisterTaskDefinition", "ecs:DescribeTaskDefinition"),
    *("lambda:CreateEventSourceMapping", "lambda:GetEventSourceMapping", "sns:Unsubscribe"),
    "secretsmanager:GetRandomPassword",
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingPolicies",
    "application-autoscaling:DescribeScheduledActions",
}


_OF_A_DEPLOYMENT = {"ecs:DescribeServiceDeployments", "ecs:StopServiceDeployment"}


def parameter(name: str) -> Target:
    """An SSM parameter below those of the pipeline."""
    return Target(f"arn:aws:ssm:{_HERE}:parameter/ecommerce-pipeline/{name}", name)


def stack(name: str, **context: str) -> Target:
    sent = {f"cloudformation:{key}": (value,) for key, value in context.items()}
    return Target(
        f"arn:aws:cloudformation:{_HERE}:stack/ecommerce-pipeline-{name}/1f2e", name, sent
    )


def role_of(stack_name: str, service: str | None = None) -> Target:
    """A role that CloudFormation made for a stack, which names it after the stack."""
    arn = f"arn:aws:iam::{ACCOUNT}:role/ecommerce-pipeline-{stack_name}-Role-1ABC"
    sent = {"iam:PassedToService": (f"{service}.amazonaws.com",)} if service else {}
    return Target(arn, f"{stack_name}'s role", sent)


def _calls(role: str, where: str, actions: str, *targets: Target) -> Iterator[Call]:
    for action in actions.split():
        for target in targets:
            yield Call(role, action, target, where, None)


def stacks_role(service: str = "cloudformation") -> Target:
    [arn] = [one.arn for one in of_type("AWS::IAM::Role") if one.logical_id == "StacksRole"]
    return Target(arn, "the stacks' role", {"iam:PassedToService": (f"{service}.amazonaws.com",)})


def _github() -> Iterator[Call]:
    template = stored(ARTIFACTS, "lock/5f1c.template.yaml")
    version, bucket_name = parameter("versions/lock"), parameter("bootstrap/artifact-bucket")
    repositories = repository("validation/ecr"), repository("transformation/ecr")
    yield from _calls(PLANS, PLANNING, "ssm:GetParameter", version, bucket_name)
    yield from _calls(PLANS, PLANNING, "s3:GetObject", template)
    yield from _calls(BUILDS, WORKFLOW, "ecr:GetAuthorizationToken", EVERYTHING)
    push = (
        "ecr:DescribeImages ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:PutImage "
        "ecr:GetDownloadUrlForLayer ecr:InitiateLayerUpload ecr:UploadLayerPart "
        "ecr:CompleteLayerUpload"
    )
    yield from _calls(BUILDS, WORKFLOW, push, *repositories)
    topic = parameter("platform/notification-topic-arn")
    yield from _calls(BUILDS, WORKFLOW, "ssm:GetParameter", topic)
    yield from _calls(BUILDS, WORKFLOW, "sns:Publish", TOPIC)
    lock = stack("lock", RoleArn=stacks_role().resource)
    change = "cloudformation:CreateChangeSet cloudformation:DeleteStack"
    yield from _calls(DEPLOYS, DEPLOYING, change, lock)
    follow = "DescribeChangeSet ExecuteChangeSet DeleteChangeSet DescribeStacks DescribeStackEvents"
    for action in (*follow.split(), "ListStackResources"):
        yield from _calls(DEPLOYS, DEPLOYING, f"cloudformation:{action}", stack("lock"))
    yield from _calls(DEPLOYS, DEPLOYING, "iam:PassRole", stacks_role())
    yield from _calls(DEPLOYS, DEPLOYING, "ssm:GetParameter ssm:PutParameter", version)
    names = parameter("bootstrap/stacks-role-arn"), parameter("platform/cluster-arn")
    yield from _calls(DEPLOYS, DEPLOYING, "ssm:GetParameter ssm:GetParameters", *names)
    zipped = stored(ARTIFACTS, "lock/77aa.zip")
    yield from _calls(DEPLOYS, DEPLOYING, "s3:GetObject s3:PutObject", template, zipped)
    artifacts = Target(f"arn:aws:s3:::{ARTIFACTS}", ARTIFACTS)
    yield from _calls(DEPLOYS, DEPLOYING, "s3:ListBucket", artifacts)
    yield from _calls(DEPLOYS, "infra/deployer/images.py", "ecr:DescribeImages", *repositories)
    kept, glue = "infra/deployer/kept.py", f"arn:aws:glue:{_HERE}"
    yield from _calls(DEPLOYS, kept, "secretsmanager:ListSecrets", Target("*", "secrets"))
    facts = Target(f"{glue}:catalog", "catalog"), Target(f"{glue}:database/ecommerce", "facts")
    yield from _calls(DEPLOYS, kept, "glue:GetDatabase", *facts)
    checks = "infra/deployer/checks.py"
    for kind, actions in {
        "AWS::Lambda::Function": "lambda:GetFunctionConfiguration lambda:InvokeFunction",
        "AWS::StepFunctions::StateMachine": "states:DescribeStateMachine",
        "AWS::CloudWatch::Alarm": "cloudwatch:DescribeAlarms",
    }.items():
        targets = [Target(one.arn, one.name) for one in of_type(kind)]
        yield from _calls(DEPLOYS, checks, actions, *targets)
    rollout = "infra/deployer/rollout.py"
    in_cluster = {"ecs:cluster": (f"arn:aws:ecs:{_HERE}:cluster/ecommerce-pipeline",)}
    for one in of_type("AWS::ECS::TaskDefinition"):
        yield from _calls(DEPLOYS, rollout, "ecs:RunTask", Target(one.arn, one.name, in_cluster))
    task = Target(f"arn:aws:ecs:{_HERE}:task/ecommerce-pipeline/0a1b", "a task")
    yield from _calls(DEPLOYS, rollout, "ecs:DescribeTasks ecs:StopTask", task)
    yield from _calls(DEPLOYS, rollout, "iam:PassRole", role_of("validator", "ecs-tasks"))


def _arn(resource: Resource) -> str:
    """What a right on a resource is asked for; `account.py` makes up those that no role names."""
    made, name = resource.properties, resource.name
    match resource.type.split("::")[1:]:
        case ["EC2", _]:
            return "*"
        case ["IAM", _]:
            return role_of(resource.stack).resource
        case ["S3", "BucketPolicy"]:
            return f"arn:aws:s3:::{made['Bucket']}"
        case ["SQS", _]:
            return f"arn:aws:sqs:{_HERE}:{name}"
        case ["SNS", _]:
            return TOPIC.resource
        case ["SSM", _]:
            return f"arn:aws:ssm:{_HERE}:parameter{made['Name']}"
        case ["Glue", _]:
            return f"arn:aws:glue:{_HERE}:database/{name}"
        case ["CloudWatch", "Dashboard"]:
            return f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{name}"
        case ["ApiGatewayV2", "Api"]:
            return f"arn:aws:apigateway:{REGION}::/apis/a1b2c3"
        case ["ApiGatewayV2", kind]:
            return f"arn:aws:apigateway:{REGION}::/apis/a1b2c3/{kind.lower()}s/d4e5f6"
        case ["Lambda", "Permission"]:
            return f"arn:aws:lambda:{_HERE}:function:{made['FunctionName']}"
        case ["Lambda", "EventSourceMapping"]:
            return f"arn:aws:lambda:{_HERE}:event-source-mapping:{name}"
    return resource.arn


@cache
def _asked_for(resource_type: str) -> frozenset[str]:
    """What CloudFormation needs to make, read, change and delete a resource of a type."""
    file = json.loads((_SCHEMAS / f"providers/{REGION}.json").read_text())[resource_type]
    handlers = json.loads((_SCHEMAS / f"resources/{file}.json").read_text())["handlers"]
    own = _SERVICES[resource_type.split("::")[1]]
    return frozenset(
        action
        for name in ("create", "read", "update", "delete")
        for action in handlers.get(name, {}).get("permissions", ())
        if action.startswith(f"{own}:") and not _NO_TEMPLATE_ASKS.fullmatch(action)
    )


def _stacks() -> Iterator[Call]:
    region = {"aws:RequestedRegion": (REGION,)}
    for one in resources():
        if one.stack == BOOTSTRAP:
            continue
        targets = [Target(_arn(one), str(one), region)]
        following = Target(_arn(one).replace(":service/", ":service-deployment/") + "/a1b2", "it")
        if one.type == "AWS::Glue::Database":
            targets.append(Target(f"arn:aws:glue:{_HERE}:catalog", "the catalog"))
        for action in sorted(_asked_for(one.type)):
            asked = targets
            if action in _WITHOUT_RESOURCE:
                asked = [EVERYTHING]
            elif action in _OF_A_DEPLOYMENT:
                asked = [following]
            yield from _calls(STACKS, CLOUDFORMATION, action, *asked)
    tags = Target(f"arn:aws:apigateway:{REGION}::/tags/arn%3Aaws%3Aapigateway", "an API's tags")
    yield from _calls(STACKS, CLOUDFORMATION, "apigateway:POST apigateway:DELETE", tags)
    delivery = " ".join(f"logs:{verb}LogDelivery" for verb in ["Create", "Get", "Update", "Delete"])
    delivery += " logs:ListLogDeliveries logs:PutResourcePolicy"
    yield from _calls(STACKS, "API Gateway, for its access log", delivery, EVERYTHING)
    code = stored(ARTIFACTS, "lock/77aa.zip")
    yield from _calls(STACKS, CLOUDFORMATION, "s3:GetObject s3:GetObjectVersion", code)
    for service in ("lambda", "states", "ecs-tasks"):
        yield from _calls(STACKS, CLOUDFORMATION, "iam:PassRole", role_of("lock", service))
    linked = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
    first_cluster = Target(linked, "ECS's own", {"iam:AWSServiceName": ("ecs.amazonaws.com",)})
    yield from _calls(STACKS, CLOUDFORMATION, "iam:CreateServiceLinkedRole", first_cluster)
    for service, name in (
        ("ops.emr-serverless.amazonaws.com", "EMRServerless"),
        ("ecs.application-autoscaling.amazonaws.com", "ApplicationAutoScaling_ECSService"),
    ):
        linked = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{service}/AWSServiceRoleFor{name}"
        its_own = Target(linked, f"{name}'s own", {"iam:AWSServiceName": (service,)})
        yield from _calls(STACKS, CLOUDFORMATION, "iam:CreateServiceLinkedRole", its_own)


DEPLOYMENT_CALLS = (*_github(), *_stacks())
