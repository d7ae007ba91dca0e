"""What MiniStack is told of a request before it evaluates rights: a table's keys, Glue's parts."""

from typing import Any

import pytest

from infra.local.asked_resources import as_aws_asks, ecs_resources, glue_resources, leading_keys

KEYS = {
    ("EventStore", None): "stream_id",
    ("EventStore", "by-correlation"): "correlation_id",
    ("AggregatorState", None): "pk",
}
ITEM = {"stream_id": {"S": "batch/1"}, "sequence": {"N": "3"}}
STATE = {"pk": {"S": "batches"}, "sk": {"S": "1"}}


def keys_of(**asked: Any) -> dict[str, list[str]]:
    return leading_keys(asked, lambda table, index: KEYS.get((table, index)))


@pytest.mark.parametrize(
    "asked",
    [
        {"Key": ITEM},
        {"Item": ITEM},
        {
            "KeyConditionExpression": "stream_id = :s AND #q > :n",
            "ExpressionAttributeNames": {"#q": "sequence"},
            "ExpressionAttributeValues": {":s": {"S": "batch/1"}, ":n": {"N": "3"}},
        },
        {
            "KeyConditionExpression": "(#0 = :s)",
            "ExpressionAttributeNames": {"#0": "stream_id"},
            "ExpressionAttributeValues": {":s": {"S": "batch/1"}},
        },
    ],
)
def test_the_partition_key_that_a_call_names_is_found(asked: dict[str, Any]) -> None:
    assert keys_of(TableName="EventStore", **asked) == {"EventStore": ["batch/1"]}


def test_of_a_query_of_an_index_it_is_the_key_of_the_index() -> None:
    found = keys_of(
        TableName="EventStore",
        IndexName="by-correlation",
        KeyConditionExpression="correlation_id = :c",
        ExpressionAttributeValues={":c": {"S": "4f0c"}},
    )
    assert found == {"EventStore": ["4f0c"]}


def test_each_item_of_a_transaction_counts_for_its_own_table() -> None:
    found = keys_of(
        TransactItems=[
            {"Put": {"TableName": "EventStore", "Item": ITEM}},
            {"ConditionCheck": {"TableName": "EventStore", "Key": {"stream_id": {"S": "lock/1"}}}},
            {"Update": {"TableName": "AggregatorState", "Key": STATE}},
        ]
    )
    assert found == {"EventStore": ["batch/1", "lock/1"], "AggregatorState": ["batches"]}


def test_each_key_of_a_request_for_many_counts() -> None:
    assert keys_of(RequestItems={"AggregatorState": {"Keys": [STATE, STATE]}}) == {
        "AggregatorState": ["batches", "batches"]
    }
    written = [{"PutRequest": {"Item": STATE}}, {"DeleteRequest": {"Key": STATE}}]
    assert keys_of(RequestItems={"AggregatorState": written}) == {
        "AggregatorState": ["batches", "batches"]
    }


def test_a_call_that_names_no_key_has_none() -> None:
    """So `Null: false` refuses it, as on AWS."""
    assert keys_of(TableName="EventStore") == {}
    assert keys_of(TableName="nobody's", Key=ITEM) == {}


@pytest.mark.parametrize(
    ("asked", "parts"),
    [
        ({"Name": "shop"}, ["catalog", "database/shop"]),
        ({"DatabaseInput": {"Name": "shop"}}, ["catalog", "database/shop"]),
        ({"DatabaseName": "shop"}, ["catalog", "database/shop", "table/shop/*"]),
        (
            {"DatabaseName": "shop", "Name": "orders"},
            ["catalog", "database/shop", "table/shop/orders"],
        ),
        (
            {"DatabaseName": "shop", "TableInput": {"Name": "orders"}},
            ["catalog", "database/shop", "table/shop/orders"],
        ),
        ({}, ["catalog"]),
    ],
)
def test_glue_wants_a_right_from_the_catalog_down(asked: dict[str, Any], parts: list[str]) -> None:
    here = "arn:aws:glue:us-east-1:000000000000"
    assert glue_resources(asked, f"{here}:table/anything") == [f"{here}:{one}" for one in parts]


@pytest.mark.parametrize(
    ("action", "asked", "parts"),
    [
        ("RunTask", {"taskDefinition": "validation-task:3"}, ["task-definition/validation-task:3"]),
        ("StopTask", {"task": "8f"}, ["task/ours/8f"]),
        ("UpdateService", {"service": "validator"}, ["service/ours/validator"]),
        ("DescribeServices", {"services": ["validator"]}, ["service/ours/validator"]),
        ("DescribeTasks", {"tasks": ["8f", "9a"]}, ["task/ours/8f", "task/ours/9a"]),
    ],
)
@pytest.mark.parametrize("cluster", ["ours", "arn:aws:ecs:us-east-1:000000000000:cluster/ours"])
def test_ecs_wants_a_right_on_tasks_in_their_cluster(
    action: str, asked: dict[str, Any], parts: list[str], cluster: str
) -> None:
    here = "arn:aws:ecs:us-east-1:000000000000"
    found = ecs_resources(f"ecs:{action}", {**asked, "cluster": cluster}, f"{here}:cluster/ours")
    context = {"ecs:cluster": f"{here}:cluster/ours"}
    assert found == ([f"{here}:{one}" for one in parts], context)


def test_what_ecs_is_asked_beside_tasks_is_left_as_it_is() -> None:
    assert ecs_resources("ecs:DescribeClusters", {}, "*") == (["*"], {})


@pytest.mark.parametrize("asked", ["SendMessage", "SendMessageBatch"])
def test_for_many_messages_the_right_is_that_for_one(asked: str) -> None:
    queue = "arn:aws:sqs:us-east-1:000000000000:api-events"
    right = as_aws_asks("sqs", f"sqs:{asked}", queue, {}, lambda _table, _index: None)
    assert right == ("sqs:SendMessage", [queue], {})


@pytest.mark.parametrize("role", ["arn:aws:iam::000000000000:role/stacks", None])
def test_in_whose_role_a_stack_is_changed_is_told(role: str | None) -> None:
    stack = "arn:aws:cloudformation:us-east-1:000000000000:stack/ecommerce-pipeline-lock/*"
    asked = {"RoleARN": role} if role else {}
    action = "cloudformation:CreateChangeSet"
    right = as_aws_asks("cloudformation", action, stack, asked, lambda _table, _index: None)
    assert right == (action, [stack], {"cloudformation:RoleArn": role} if role else {})
