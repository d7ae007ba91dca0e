"""Everything that differs between the two places the pipeline runs: one machine, and AWS."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.stage import WITHOUT, Stage

PROJECT = Path(__file__).resolve().parent.parent
LOCAL_REGION = "us-east-1"
LOCAL_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
WORKERS_STAY = {"MIN_WORKERS": "1"}
"""On AWS idle workers stop: they cost money. On one machine one stays: starting costs time."""
NO_AUTO_SCALING = {"AUTO_SCALING": "no"}
"""The embedded cloud has none: `ecp up` does its work, by the numbers of the same templates."""
NO_METRIC_MATH = {"METRIC_MATH": "no"}
"""The embedded cloud has no alarms on expressions, and no measures that they could ring for."""

ON_LOOPBACK = {"API_AUTHORIZATION": "NONE"}
"""The embedded cloud's gateway listens on this machine only, and knows no callers."""


@dataclass(frozen=True)
class Environment:
    """One place to deploy to.

    `vendor_dependencies`: whether a function's zip carries the packages it needs. On AWS it must;
        the local cloud runs functions in this very Python environment, which has them.
    `poll_seconds`: pause between two looks at a stack that is changing.
    `watch_seconds`: how long the alarms of a stack are watched after it was deployed; an alarm
        looks back a minute or two. On one machine nothing measures what they watch.
    `image_uris`: container image per service; None when images are not used, as on one machine,
        where the workers run beside the local cloud, from the code in the artifact bucket.
    `parameters`: values for template parameters, in any spelling (`SETTLE_SECONDS` gives
        `SettleSeconds`); a template takes those it declares.
    `own_parameters`: values that the place itself needs, where `parameters` has none; nobody has
        to declare them.
    `names_are_global`: whether names of buckets are shared with all other accounts.
    `has_emr_serverless`: whether Spark's batches may go to EMR Serverless (SparkTarget).
    `stage`: what comes before every name.
    """

    name: str
    vendor_dependencies: bool
    poll_seconds: float
    watch_seconds: float
    image_uris: Mapping[str, str] | None
    parameters: Mapping[str, str] = field(default_factory=dict)
    own_parameters: Mapping[str, str] = field(default_factory=dict)
    client_options: Mapping[str, str] = field(default_factory=dict)
    names_are_global: bool = False
    has_emr_serverless: bool = True
    stage: Stage = WITHOUT

    def client(self, service: str) -> Any:
        """A boto3 client of this environment."""
        import boto3  # a second to load, which finding a local cloud need not wait for

        return boto3.client(service, **self.client_options)


def local_environment(
    endpoint_url: str,
    parameters: Mapping[str, str],
    stage: Stage = WITHOUT,
    credentials: Mapping[str, str] = LOCAL_CREDENTIALS,
) -> Environment:
    """The local cloud that answers at `endpoint_url`.

    `credentials`: the variables of whoever asks; those that are left out have all rights there.
    """
    return Environment(
        name="local",
        vendor_dependencies=False,
        poll_seconds=0.02,
        watch_seconds=0.0,
        image_uris=None,
        parameters=parameters,
        own_parameters=WORKERS_STAY | NO_AUTO_SCALING | NO_METRIC_MATH | ON_LOOPBACK,
        client_options={
            "endpoint_url": endpoint_url,
            "region_name": LOCAL_REGION,
            **{name.lower(): value for name, value in credentials.items()},
        },
        has_emr_serverless=False,
        stage=stage,
    )


def aws_environment(
    image_uris: Mapping[str, str],
    parameters: Mapping[str, str],
    region: str | None = None,
    stage: Stage = WITHOUT,
) -> Environment:
    """The AWS account that the usual credentials and settings name."""
    return Environment(
        name="aws",
        vendor_dependencies=True,
        poll_seconds=2.0,
        watch_seconds=150.0,
        image_uris=image_uris,
        parameters=parameters,
        client_options={"region_name": region} if region else {},
        names_are_global=True,
        stage=stage,
    )
