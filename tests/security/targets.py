"""The things that calls are made on, by the names they are deployed under."""

from dataclasses import dataclass, field

from tests.security.account import ACCOUNT, REGION, Resource, of_type
from tests.security.policies import Context, Request

_HERE = f"{REGION}:{ACCOUNT}"
DATA = "ecommerce-data-bucket"
ARCHIVE = "ecommerce-archive-bucket"
ARTIFACTS = "ecommerce-pipeline-artifacts"
WAREHOUSE = "ecommerce-warehouse-bucket"
BATCH = "4f0c2a9b7d1e8365"


@dataclass(frozen=True)
class Target:
    """A resource, what AWS adds to a request for it, and how a test's name shows it."""

    resource: str
    shown: str
    context: Context = field(default_factory=dict)

    def request(self, action: str) -> Request:
        return Request(action, self.resource, self.context)


EVERYTHING = Target("*", "*")
"""For actions that IAM knows no resource for."""


def named(resource_type: str, name: str) -> Resource:
    """The one resource of a type with that name; a wrong name in a table of calls is an error."""
    [found] = [resource for resource in of_type(resource_type) if resource.name == name]
    return found


def stream(stream_id: str) -> Target:
    """Items of the event store under one stream."""
    arn = named("AWS::DynamoDB::Table", "EventStore").arn
    return Target(arn, f"EventStore {stream_id}", {"dynamodb:LeadingKeys": [stream_id]})


def table(name: str) -> Target:
    """A whole table: a call on it names no leading key."""
    return Target(named("AWS::DynamoDB::Table", name).arn, name)


def index(table_name: str, name: str) -> Target:
    """An index of a table, which is a resource of its own."""
    return Target(f"{table(table_name).resource}/index/{name}", f"{table_name} {name}")


def asked(question_id: str) -> Target:
    """The item of the api's views that says a question is under way."""
    arn = named("AWS::DynamoDB::Table", "PipelineViews").arn
    key = f"question#{question_id}"
    return Target(arn, f"PipelineViews {key}", {"dynamodb:LeadingKeys": [key]})


def rows_of(partition: str) -> Target:
    """A partition of the aggregator's rows."""
    arn = named("AWS::DynamoDB::Table", "AggregatorState").arn
    return Target(arn, f"AggregatorState {partition}", {"dynamodb:LeadingKeys": [partition]})


def queue(name: str) -> Target:
    return Target(named("AWS::SQS::Queue", name).arn, name)


def bucket(name: str) -> Target:
    return Target(named("AWS::S3::Bucket", name).arn, name)


def listed(bucket_name: str, prefix: str) -> Target:
    """The part of a bucket that a listing asks for."""
    whole = bucket(bucket_name)
    return Target(whole.resource, f"{bucket_name}/{prefix}*", {"s3:prefix": [prefix]})


def stored(bucket_name: str, key: str) -> Target:
    """An object, present or not."""
    return Target(f"{bucket(bucket_name).resource}/{key}", f"{bucket_name}/{key}")


def inputs() -> tuple[Target, ...]:
    """One uploaded file of each kind, and one of a source."""
    folders = ("orders", "order_items", "products", "incoming/shopify-orders")
    return tuple(stored(DATA, f"{folder}/july.csv") for folder in folders)


def staged() -> tuple[Target, ...]:
    """The accepted rows of one file of each kind."""
    kinds = ("orders", "order_items", "products")
    return tuple(stored(DATA, f"processing/{BATCH}/{kind}/0000.parquet") for kind in kinds)


def archived() -> tuple[Target, ...]:
    """One archived file of each kind, and one of a source."""
    folders = ("orders", "order_items", "products", "incoming/shopify-orders")
    return tuple(stored(ARCHIVE, f"archive/{BATCH}/{folder}/july.csv") for folder in folders)


MANIFEST = stored(DATA, f"processing/{BATCH}/manifest.json")
CARRIED_OVER = stored(DATA, f"processing/{BATCH}/carried-over.json")
REPORT = stored(DATA, f"processing/{BATCH}/reports/0000.json")
OF_A_JOB = f"processing/{BATCH}/emr/0199f0a2-7d6e-7c3a-8a7f-2f6f0d0c4a11/"
ANSWER_OF_A_JOB = stored(DATA, f"{OF_A_JOB}answer.json")
RESULT = stored(DATA, f"processing/{BATCH}/result.json")
DIFFERENCE = stored(DATA, f"processing/{BATCH}/difference.json")
CORRECTIONS = stored(DATA, "quarantine/corrections/replay-0199f0a27d6e.json")
REPLAYED = stored(DATA, "processing/replays/replay-0199f0a27d6e.json")
ANSWERED = stored(DATA, "quarantine/answers/replay-0199f0a27d6e.json")
REPLAY_MANIFEST = stored(DATA, "manifests/replay-0199f0a27d6e.json")
REPLAY_INPUTS = tuple(
    stored(DATA, f"{kind}/replays/replay-0199f0a27d6e.csv")
    for kind in ("orders", "order_items", "products")
)
EXPLANATION = stored(DATA, "processing/explanations/why-0199f0a27d6e.json")
QUARANTINED_ROWS = stored(DATA, f"quarantine/{BATCH}/rows/0000.parquet")
QUARANTINED_FILE = stored(DATA, f"quarantine/{BATCH}/files/orders/july.csv")
ARCHIVED = stored(ARCHIVE, f"archive/{BATCH}/orders/july.csv")
ARCHIVED_DIFFERENCE = stored(ARCHIVE, f"archive/{BATCH}/_audit/difference.json")
WHOM_TO_ERASE = stored(ARCHIVE, "erasures/open/erasure-0199f0a27d6e/user.json")
WHICH_PSEUDONYM = stored(ARCHIVE, "erasures/open/erasure-0199f0a27d6e/pseudonym.json")
RECEIPT = stored(ARCHIVE, "erasures/erasure-0199f0a27d6e.json")
FACTS_FILE = stored(WAREHOUSE, "facts/orders/data/part-0.parquet")
STATE_MACHINE = Target(named("AWS::StepFunctions::StateMachine", "ecsJob").arn, "ecsJob")
EXECUTION = Target(f"arn:aws:states:{_HERE}:execution:ecsJob:{BATCH}", "an execution")
TOPIC = Target(named("AWS::SNS::Topic", "ecommerce-pipeline-notifications").arn, "the topic")
BUS = Target(named("AWS::Events::EventBus", "ecommerce-pipeline").arn, "the event bus")
PSEUDONYM_KEY = Target(
    named("AWS::SecretsManager::Secret", "validator-PseudonymKey").arn, "the pseudonym key"
)
ROTATION_KEY = Target(
    named("AWS::SecretsManager::Secret", "transformer-RotationKey").arn, "the next pseudonym key"
)
EVENT_STREAM = Target(
    named("AWS::DynamoDB::Table", "EventStore").arn + "/stream/2025-07-07T00:00:00.000",
    "the event store's stream",
)


def task(family: str, cluster: str = "ecommerce-pipeline") -> Target:
    """Running a task definition in a cluster."""
    context = {"ecs:cluster": [f"arn:aws:ecs:{_HERE}:cluster/{cluster}"]}
    arn = named("AWS::ECS::TaskDefinition", family).arn
    return Target(arn, f"{family} in {cluster}", context)


def service(name: str) -> Target:
    """An ECS service of the cluster."""
    return Target(named("AWS::ECS::Service", name).arn, f"service {name}")


OWN_TASK = Target(f"arn:aws:ecs:{_HERE}:task/ecommerce-pipeline/0a1b", "its task")


def role(name: str, given_to: str = "ecs-tasks.amazonaws.com") -> Target:
    """Handing a role to an AWS service."""
    arn = named("AWS::IAM::Role", name).arn
    return Target(arn, f"{name} to {given_to}", {"iam:PassedToService": [given_to]})


def repository(name: str) -> Target:
    return Target(named("AWS::ECR::Repository", name).arn, name)


def log_stream(group: str) -> Target:
    arn = named("AWS::Logs::LogGroup", group).arn.removesuffix("*")
    return Target(f"{arn}log-stream:one", f"log {group}")


def glue(what: str) -> Target:
    """`catalog`, `database/...` or `table/...`."""
    return Target(f"arn:aws:glue:{_HERE}:{what}", f"glue {what}")


def spark_jobs(job_run: str = "") -> Target:
    """The application that jobs are submitted to, or a job in it."""
    application = named("AWS::EMRServerless::Application", "ecommerce-pipeline-spark").arn
    return Target(f"{application}{job_run}", f"spark jobs {job_run}")
