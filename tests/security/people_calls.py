"""What people ask AWS for: which role each command of `ecp` takes, and the calls of each role."""

from collections.abc import Iterator

from tests.security.account import ACCOUNT, REGION, published
from tests.security.calls import DEAD, QUEUES, Call
from tests.security.targets import (
    ARCHIVE,
    DATA,
    EVERYTHING,
    EXECUTION,
    FACTS_FILE,
    QUARANTINED_FILE,
    QUARANTINED_ROWS,
    REPLAY_MANIFEST,
    RESULT,
    Target,
    archived,
    glue,
    index,
    inputs,
    listed,
    queue,
    service,
    stored,
    table,
)

READER, CORRECTOR, OPERATOR = "reader", "corrector", "operator"
PEOPLE = (READER, CORRECTOR, OPERATOR)
"""Each may all that those before it may."""
COMMANDS = {
    READER: (
        *("api url", "batch", "batches", "console", "diff", "freshness", "ignored", "kpis"),
        *("lock show", "query", "sources list", "sources show", "status", "waiting", "why"),
    ),
    CORRECTOR: ("quarantine", "submit"),
    OPERATOR: (
        *("api rebuild", "dlq", "lock align", "lock break", "logs", "maintain", "rebuild"),
        *("redrive", "release", "sources add", "sources remove", "verify"),
    ),
}
"""By the first words; a corrector may all that a reader may, an operator all that both may."""
NOT_OF_A_ROLE = {
    **dict.fromkeys(("bootstrap", "deploy"), "the rights of whoever deploys"),
    **dict.fromkeys(("demo", "down", "up"), "the local cloud"),
    **dict.fromkeys(
        ("contracts", "sample", "sources detect", "sources draft", "sources test", "validate"),
        "files alone",
    ),
    "privacy": "every store there is, to write: an administrator's",
}
"""Commands that none of the three may give, and whose rights they need."""
_HERE = f"{REGION}:{ACCOUNT}"
_LOGS = (
    *("lambda/api", "apigateway/ecommerce-pipeline", "ecs/validation-task"),
    "vendedlogs/states/ecsJob",
)
_SOURCE = stored(DATA, "sources/my-shop/v1.yaml")


def api(request: str) -> Target:
    """A request to the HTTP API, as `METHOD/path`."""
    api_id = published("/ecommerce-pipeline/api/http-api-id")
    arn = f"arn:aws:execute-api:{_HERE}:{api_id}/$default/{request}"
    return Target(arn, f"api {request}")


def role_of_command(words: tuple[str, ...]) -> str | None:
    """Who may give a command, by its words; None for one of no role, KeyError for no command."""
    for many in (2, 1):
        said = " ".join(words[:many])
        if said in NOT_OF_A_ROLE:
            return None
        for name, commands in COMMANDS.items():
            if said in commands:
                return name
    raise KeyError(" ".join(words))


def _reads() -> Iterator[tuple[str, Target]]:
    yield from (("execute-api:Invoke", api(f"{method}/kpis/orders")) for method in ("GET", "HEAD"))
    parameter = f"arn:aws:ssm:{_HERE}:parameter/ecommerce-pipeline/platform/data-bucket"
    yield "ssm:GetParameter", Target(parameter, "a parameter")
    for name in ("AggregatorState", "ProcessingLockTable", "PipelineViews", "OrderKPIs",
                 "CategoryKPIs", "TransformerState"):  # fmt: skip
        yield "dynamodb:GetItem", table(name)
    for target in (
        *(
            table(name)
            for name in ("AggregatorState", "PipelineViews", "CategoryKPIs", "EventStore")
        ),
        *(index("PipelineViews", "by-time"), index("CategoryKPIs", "by-day")),
        index("EventStore", "by-correlation"),
    ):
        yield "dynamodb:Query", target
    yield "dynamodb:BatchGetItem", table("OrderKPIs")
    for action in ("s3:GetObject", "s3:GetObjectVersion"):
        yield from ((action, target) for target in (RESULT, _SOURCE))
    for action in ("s3:ListBucket", "s3:ListBucketVersions"):
        yield action, listed(DATA, "sources/")
    for part in ("catalog", "database/ecommerce", "table/ecommerce/orders"):
        yield "glue:GetTable", glue(part)
    yield "s3:GetObject", FACTS_FILE
    yield from (
        (f"states:{one}", EXECUTION) for one in ("DescribeExecution", "GetExecutionHistory")
    )
    for action in ("sqs:GetQueueAttributes", "sqs:GetQueueUrl"):
        yield from ((action, queue(name)) for name in (*QUEUES, *DEAD))
    yield "sqs:ListQueues", EVERYTHING


def _corrects() -> Iterator[tuple[str, Target]]:
    yield "execute-api:Invoke", api("POST/quarantine/replays")
    yield "execute-api:Invoke", api("POST/console/batches/4f0c2a9b7d1e8365/files/0/corrections")
    for action in ("s3:GetObject", "s3:GetObjectVersion"):
        yield from ((action, one) for one in (QUARANTINED_ROWS, QUARANTINED_FILE, *inputs()))
    yield from (("s3:GetObject", one) for one in archived())
    yield "s3:ListBucket", listed(DATA, "quarantine/")
    for action in ("s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObjectVersion"):
        yield from ((action, one) for one in (*inputs(), REPLAY_MANIFEST))
    yield "sqs:SendMessage", queue("aggregator-commands")


def _operates() -> Iterator[tuple[str, Target]]:
    yield "execute-api:Invoke", api("POST/console/operations/dead-letters/lock-commands-dlq")
    yield from (("sqs:SendMessage", queue(name)) for name in QUEUES)
    yield "sqs:SendMessage", queue("event-relay-dlq")
    for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"):
        yield from ((action, queue(name)) for name in DEAD)
    yield "s3:PutObject", stored(ARCHIVE, "dropped-letters/lock-commands-dlq/one.json")
    yield from ((action, _SOURCE) for action in ("s3:PutObject", "s3:DeleteObject"))
    for name in ("OrderKPIs", "CategoryKPIs", "EventStore", "PipelineViews"):
        yield "dynamodb:Scan", table(name)
    yield "dynamodb:BatchWriteItem", table("PipelineViews")
    for name in ("validator", "transformer"):
        for action in ("ecs:DescribeServices", "ecs:UpdateService"):
            yield action, service(name)
    for group in _LOGS:
        yield (
            "logs:FilterLogEvents",
            Target(f"arn:aws:logs:{_HERE}:log-group:/aws/{group}:*", group),
        )


def _calls() -> Iterator[Call]:
    asked = {READER: [*_reads()], CORRECTOR: [*_corrects()], OPERATOR: [*_operates()]}
    may: list[tuple[str, Target]] = []
    for name, more in asked.items():
        may += more
        yield from (Call(name, action, target, "infra/ecp", None) for action, target in may)


PEOPLE_CALLS = tuple(_calls())
