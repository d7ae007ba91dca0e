"""How the client reaches the API: signatures, tokens, asking again, and what a refusal says."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from ecommerce_pipeline import (
    ApiError,
    Busy,
    NoAnswer,
    NotFound,
    NotLetIn,
    WrongQuestion,
    connect,
    over_http,
)
from ecommerce_pipeline.over_http import HttpAnswers, SigV4, region_of
from infra.ecp import target
from infra.environments import PROJECT
from tests.support.deployed_code import code_path
from tests.support.served_api import Served, served
from tests.unit.api.harness import ApiHarness

PROBLEM = {"Content-Type": "application/problem+json"}


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_http, "BACKOFF_SECONDS", 0.001)


@pytest.fixture
def api() -> Iterator[Served]:
    with served(ApiHarness().app.resolve) as found:
        yield found


def a_problem(status: int, title: str, detail: str) -> str:
    return json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail})


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, WrongQuestion), (401, NotLetIn), (403, NotLetIn), (404, NotFound),
        (413, WrongQuestion), (422, WrongQuestion), (500, ApiError), (302, ApiError),
    ],
)  # fmt: skip
def test_a_refusal_is_an_error_with_what_the_api_says(
    status: int, kind: type[ApiError], api: Served
) -> None:
    api.spoil = [(status, PROBLEM, a_problem(status, "A title", "a detail"))]
    with pytest.raises(ApiError) as caught:
        connect(api.url).order_kpis()
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.title) == (status, "A title")
    assert "a detail" in str(caught.value)
    assert len(api.asked) == 1


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (403, '{"message":"Forbidden"}', "Forbidden"),
        (403, '{"Message":"Signature expired: 2025"}', "Signature expired: 2025"),
        (401, '{"message":"Unauthorized"}', "Unauthorized"),
        (403, "<html>", "no more is said"),
    ],
)
def test_what_the_gateway_refuses_itself_is_clear_too(
    status: int, body: str, said: str, api: Served
) -> None:
    api.spoil = [(status, {}, body)]
    with pytest.raises(NotLetIn, match=said) as caught:
        connect(api.url).batches()
    assert caught.value.status == status


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_api_is_asked_again(status: int, api: Served) -> None:
    api.spoil = [(status, {"Retry-After": "0"}, "{}")] * 3
    assert len(connect(api.url).order_kpis()) == 0
    assert len(api.asked) == 4


def test_an_api_that_stays_busy_is_an_error(api: Served) -> None:
    api.spoil = [(503, PROBLEM, a_problem(503, "Busy", "a table is busy"))] * 20
    with pytest.raises(Busy, match="a table is busy"):
        connect(api.url).order_kpis()
    assert len(api.asked) == 6


@pytest.mark.parametrize("body", ["<html>", "[]", "{}", '{"rows": null}'])
def test_what_is_no_api_is_said(body: str, api: Served) -> None:
    api.spoil = [(200, {}, body)]
    with pytest.raises(NoAnswer, match="is not this API"):
        connect(api.url).order_kpis()


def test_a_cursor_that_leads_nowhere_ends(api: Served) -> None:
    page = json.dumps({"rows": [], "next": "a"})
    api.spoil = [(200, {}, page)] * 5
    with pytest.raises(NoAnswer, match="the same page again"):
        connect(api.url).order_kpis()


def test_where_nobody_answers_is_said(api: Served) -> None:
    with pytest.raises(NoAnswer, match=r"http://127.0.0.1:1 does not answer"):
        connect("http://127.0.0.1:1").order_kpis()
    assert api.asked == []


def test_a_token_is_sent_to_where_nobody_else_reads_it(api: Served) -> None:
    connect(api.url, token="a-token").order_kpis()
    assert api.asked[0][1]["Authorization"] == "Bearer a-token"
    with pytest.raises(ValueError, match="a token is sent by https only"):
        connect("http://api.example.com", token="a-token")
    assert "a-token" not in repr(connect(api.url, token="a-token"))


def test_without_a_token_nothing_is_sent_not_even_from_netrc(
    api: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    connect(api.url).order_kpis()
    assert "Authorization" not in api.asked[0][1]


def test_requests_are_signed_with_what_is_asked(api: Served) -> None:
    session = boto3.Session("AKID", "secret", "a-session-token", region_name="eu-west-1")
    connect(api.url, session=session).category_kpis("2025-07-01", "2025-07-31", category="ä &=/~")
    [(path, headers)] = api.asked
    assert headers["X-Amz-Security-Token"] == "a-session-token"
    again = AWSRequest("GET", f"{api.url}{path}")
    again.headers["X-Amz-Security-Token"] = "a-session-token"
    again.context["timestamp"] = headers["X-Amz-Date"]
    again.headers["X-Amz-Date"] = headers["X-Amz-Date"]
    signer = SigV4Auth(Credentials("AKID", "secret", "a-session-token"), "execute-api", "eu-west-1")
    signature = signer.signature(
        signer.string_to_sign(again, signer.canonical_request(again)), again
    )
    assert headers["Authorization"].endswith(f"Signature={signature}")
    assert "eu-west-1/execute-api/aws4_request" in headers["Authorization"]


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://a1.execute-api.eu-central-1.amazonaws.com", "eu-central-1"),
        ("https://a1.execute-api.cn-north-1.amazonaws.com.cn/x", "cn-north-1"),
        ("https://kpis.example.com", None),
        ("http://127.0.0.1:4566/_aws/execute-api/a1", None),
        ("https://execute-api.example.com", None),
    ],
)
def test_the_region_of_an_api_on_aws_is_in_its_name(url: str, region: str | None) -> None:
    assert region_of(url) == region


def test_an_api_on_aws_is_signed_for_without_being_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    made: list[Any] = []
    monkeypatch.setattr(HttpAnswers, "__init__", lambda _, *with_: made.extend(with_))
    monkeypatch.setattr(HttpAnswers, "url", "there", raising=False)
    connect("https://a1.execute-api.eu-central-1.amazonaws.com")
    assert isinstance(made[1], SigV4)


def test_without_credentials_it_says_what_to_do(api: Served) -> None:
    class Nobody:
        region_name = "eu-west-1"

        def get_credentials(self) -> None:
            return None

    with pytest.raises(NotLetIn, match="no AWS credentials"):
        connect(api.url, session=Nobody()).order_kpis()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"url": "kpis.example.com"}, "is no URL of an API"),
        ({"url": "file:///etc/passwd"}, "is no URL of an API"),
        ({"url": "https://me:secret@x.example.com"}, "use token="),
        ({"url": "https://x.example.com", "aws": True}, "aws=True reads tables"),
        ({"token": "t", "aws": True}, "aws=True reads tables"),
        ({"numbers": "int"}, "there is 'decimal' and 'float'"),
    ],
)
def test_what_contradicts_itself_is_refused(asked: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        connect(**asked)
    assert "secret" not in str(caught.value)


def test_where_there_is_no_pipeline_it_says_how_to_name_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(target, "find_running_cloud", lambda: None)
    with pytest.raises(NoAnswer, match="run 'ecp up' first"):
        connect()


def test_importing_it_loads_nothing_heavy() -> None:
    heavy = ["boto3", "botocore", "duckdb", "pandas", "pyarrow", "pyspark", "requests", "typer"]
    program = f"import sys, ecommerce_pipeline; print([m for m in {heavy} if m in sys.modules])"
    path = f"{code_path()}:{PROJECT / 'services/api/client'}"
    said = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=True, env={"PYTHONPATH": path},
    )  # fmt: skip
    assert said.stdout == "[]\n"
