"""`connect`: which pipeline is meant, and how its numbers are reached."""

import os
from functools import cache
from typing import Any

from contracts.clock import new_event_id, system_clock
from ecommerce_pipeline.client import Client
from ecommerce_pipeline.errors import NoAnswer
from ecommerce_pipeline.frames import Numbers

TIMEOUT_SECONDS = 30.0


def connect(
    url: str | None = None,
    *,
    token: str | None = None,
    session: Any = None,
    numbers: Numbers = "decimal",
    aws: bool = False,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Client:
    """A client of the pipeline's numbers.

    `url`: of the HTTP API. Without it, the pipeline is found as `ecp` finds it: what the
    environment names (AWS_PROFILE, AWS_ENDPOINT_URL, ...), else a local cloud that runs in this
    directory or one above. Requests to an API on AWS are signed by `session` (a boto3.Session) or
    the usual credentials, unless there is a `token` of the issuer that the API trusts.

    `aws=True` reads the tables themselves, by key, and needs no HTTP API; it may do what the
    session may. `numbers`: money and rates as "decimal" (exact) or as "float".

    Raises ValueError for what contradicts itself, NoAnswer where there is no pipeline.
    """
    if numbers not in ("decimal", "float"):
        raise ValueError(f"numbers={numbers!r}: there is 'decimal' and 'float'")
    if aws and (url is not None or token is not None):
        raise ValueError("aws=True reads tables: it has no url and takes no token")
    if aws:
        return _from_tables(session, numbers)
    return _over_http(url or _found_url(session), token, session, numbers, timeout_seconds)


def _over_http(
    url: str, token: str | None, session: Any, numbers: Numbers, timeout_seconds: float
) -> Client:
    from ecommerce_pipeline.over_http import Bearer, HttpAnswers, SigV4, Unsigned, region_of

    auth: Any = Unsigned()
    region = region_of(url)
    if token is not None:
        auth = Bearer(token)
    elif region is not None or session is not None:
        signs = session or _session()
        auth = SigV4(signs, region or signs.region_name or "us-east-1")
    answers = HttpAnswers(url, auth, timeout_seconds)
    return Client(answers, answers.url, numbers)


def _from_tables(session: Any, numbers: Numbers) -> Client:
    from ecommerce_pipeline.on_aws import TableAnswers, translating
    from infra.ecp.names import Names
    from infra.stage import current_stage
    from services.api.adapters import KpiTables, ViewsTable

    with translating():
        client, where = _clients(session)
        names, dynamodb = Names(client("ssm"), current_stage()), client("dynamodb")
        views = ViewsTable(dynamodb, names.get("api", "views-table"))
        order_kpis, category_kpis = (
            names.get("transformer", f"{kind}-kpis-table") for kind in ("order", "category")
        )

    def others() -> Any:
        from services.api.questions.adapters import Questions

        return Questions(
            {"dynamodb": dynamodb, "s3": client("s3"), "sqs": client("sqs")},
            bucket=names.data_bucket,
            queue_url=names.get("transformer", "command-queue-url"),
            views_table=names.get("api", "views-table"),
            clock=system_clock,
            new_id=new_event_id,
        )

    kpis = KpiTables(dynamodb, order_kpis, category_kpis)
    answers = TableAnswers(views, kpis, system_clock, cache(others))
    return Client(answers, f"the tables of {where}", numbers)


def _found_url(session: Any) -> str:
    from ecommerce_pipeline.on_aws import translating
    from infra.ecp.names import Names
    from infra.stage import current_stage

    with translating():
        if session is not None:
            return Names(session.client("ssm"), current_stage()).get("api", "url")
        from infra.ecp.api.address import api_url

        return api_url(_target())


def _clients(session: Any) -> tuple[Any, str]:
    """What makes boto3 clients of the cloud that is meant, and what it is called."""
    if session is not None:
        return session.client, f"AWS ({session.region_name})"
    target = _target()
    return target.client, target.origin


def _session() -> Any:
    import boto3

    return boto3.Session()


def _target() -> Any:
    """The cloud that `ecp` would speak to; raises NoAnswer when there is none."""
    from infra.ecp.target import Target, choose, find_running_cloud, local_trouble
    from infra.ecp.terminal.errors import CommandFailed

    try:
        choice = choose(os.environ, find_running_cloud, local_trouble)
    except CommandFailed as error:
        raise NoAnswer(f"{error}; or name an API, connect(url)") from error
    return Target(choice.environment, choice.origin)
