"""An AWS account in the process, for adapters: empty at first, gone afterwards."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import boto3
import pytest
from moto import mock_aws

REGION = "us-east-1"


@contextmanager
def moto_account() -> Iterator[Callable[[str], Any]]:
    """Its clients, one a service.

    No AWS setting of the process reaches the account, whoever left it there: with an endpoint of
    its own a client would pass moto by, and speak to the cloud of another suite.
    """
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"):
            environment.delenv(name, raising=False)
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.setenv("AWS_DEFAULT_REGION", REGION)
        with mock_aws():
            yield cache(partial(boto3.client, region_name=REGION))


@contextmanager
def versioned_buckets(*names: str) -> Iterator[Any]:
    """A client of an S3 that has these buckets and nothing else."""
    with moto_account() as client_of:
        client = client_of("s3")
        for bucket in names:
            client.create_bucket(Bucket=bucket)
            client.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        yield client
