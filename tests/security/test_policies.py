"""The evaluator against the rules that AWS documents for IAM."""

from typing import Any

import pytest

from tests.security.policies import Context, Request, is_allowed, roles
from tests.security.targets import QUARANTINED_ROWS, stream

KEYS = "dynamodb:LeadingKeys"


def a_statement(**changes: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"} | changes


def a_request(
    action: str = "s3:GetObject", resource: str = "arn:aws:s3:::b/k", context: Context | None = None
) -> Request:
    return Request(action, resource, context or {})


def test_what_nothing_allows_is_denied() -> None:
    assert not is_allowed([], a_request())
    assert is_allowed([a_statement()], a_request())
    assert not is_allowed([a_statement()], a_request(action="s3:PutObject"))
    assert not is_allowed([a_statement()], a_request(resource="arn:aws:s3:::c/k"))


def test_a_denial_wins_wherever_it_stands() -> None:
    denial = a_statement(Effect="Deny", Resource="arn:aws:s3:::b/secret/*")
    for statements in ([a_statement(), denial], [denial, a_statement()]):
        assert is_allowed(statements, a_request())
        assert not is_allowed(statements, a_request(resource="arn:aws:s3:::b/secret/k"))


@pytest.mark.parametrize(
    ("pattern", "resource", "fits"),
    [
        ("*", "arn:aws:s3:::b/k", True),
        ("arn:aws:s3:::b/*/rows/*", "arn:aws:s3:::b/1/rows/2", True),
        ("arn:aws:s3:::b/*/rows/*", "arn:aws:s3:::b/1/files/2", False),
        ("arn:aws:s3:::b/?", "arn:aws:s3:::b/k", True),
        ("arn:aws:s3:::b/?", "arn:aws:s3:::b/kk", False),
        ("arn:aws:s3:::b/[k]", "arn:aws:s3:::b/k", False),
        ("arn:aws:s3:::b.c/k", "arn:aws:s3:::bxc/k", False),
        ("arn:aws:s3:::b/k", "arn:aws:s3:::b/K", False),
    ],
)
def test_only_star_and_question_mark_are_wildcards(pattern: str, resource: str, fits: bool) -> None:
    assert is_allowed([a_statement(Resource=pattern)], a_request(resource=resource)) is fits


def test_actions_know_no_case_and_lists_mean_any_of_them() -> None:
    statement = a_statement(Action=["s3:Put*", "S3:getobject"], Resource=["x", "arn:aws:s3:::b/*"])
    assert is_allowed([statement], a_request())
    assert is_allowed([statement], a_request(action="s3:PutObject"))
    assert not is_allowed([statement], a_request(action="s3:DeleteObject"))


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"k": "a"}}, {"k": ["a"]}, True),
        ({"StringEquals": {"k": "a"}}, {"k": ["ab"]}, False),
        ({"StringEquals": {"k": "a"}}, {}, False),
        ({"StringEquals": {"k": ["a", "b"]}}, {"k": ["b"]}, True),
        ({"StringEquals": {"k": "a*"}}, {"k": ["ab"]}, False),
        ({"StringLike": {"k": "a*"}}, {"k": ["ab"]}, True),
        (
            {"ArnEquals": {"k": "arn:aws:ecs:::cluster/a"}},
            {"k": ["arn:aws:ecs:::cluster/b"]},
            False,
        ),
        ({"Bool": {"k": False}}, {"k": ["false"]}, True),
        ({"Bool": {"k": False}}, {"k": ["true"]}, False),
        ({"Null": {"k": False}}, {"k": ["a"]}, True),
        ({"Null": {"k": "false"}}, {}, False),
        ({"Null": {"k": True}}, {}, True),
        ({"StringEquals": {"k": "a", "l": "b"}}, {"k": ["a"]}, False),
        ({"ForAllValues:StringLike": {"k": "a*"}}, {"k": ["ab", "ac"]}, True),
        ({"ForAllValues:StringLike": {"k": "a*"}}, {"k": ["ab", "b"]}, False),
        ({"ForAllValues:StringLike": {"k": "a*"}}, {}, True),
        ({"ForAllValues:StringLike": {"k": "a*"}, "Null": {"k": False}}, {}, False),
    ],
)
def test_a_condition_holds(condition: Any, context: Any, holds: bool) -> None:
    assert is_allowed([a_statement(Condition=condition)], a_request(context=context)) is holds


@pytest.mark.parametrize(
    "statement",
    [
        a_statement(Condition={"NumericLessThan": {"k": "1"}}),
        a_statement(Condition={"ForAnyValue:StringLike": {"k": "a"}}),
        a_statement(NotResource="arn:aws:s3:::c/*"),
    ],
)
def test_what_it_does_not_understand_it_does_not_pass_over(statement: dict[str, Any]) -> None:
    with pytest.raises(NotImplementedError):
        is_allowed([statement], a_request(context={"k": ["a"]}))


def test_without_its_condition_a_statement_would_open_every_stream() -> None:
    """The denials hold because of what stands in the templates, not because nothing is allowed."""
    statements = roles()["processing-lock"].statements
    opened = [{key: one[key] for key in one if key != "Condition"} for one in statements]
    request = stream("batch/1").request("dynamodb:PutItem")
    assert not is_allowed(statements, request)
    assert is_allowed(opened, request)


def test_a_wider_resource_would_show_the_quarantine() -> None:
    statements = roles()["batch-archiver"].statements
    request = QUARANTINED_ROWS.request("s3:GetObject")
    wider = a_statement(Resource="arn:aws:s3:::ecommerce-data-bucket/*")
    assert not is_allowed(statements, request)
    assert is_allowed([*statements, wider], request)
