"""What a stack is made with where nobody says otherwise: names that are free in this place.

A stack that has a value keeps it: a name that changes would be another bucket.
"""

from collections.abc import Collection, Mapping

from botocore.exceptions import ClientError

from infra.deployer.kept import kept_values
from infra.environments import Environment

ARTIFACTS = "ecommerce-pipeline-artifacts"
REPOSITORIES = ("validation/ecr", "transformation/ecr")


def first_values(
    environment: Environment, parameters: Collection[str], given: Mapping[str, str]
) -> dict[str, str]:
    """Values of those parameters that have one here; `given`: those of others.

    Buckets carry account and region where their names are unique across all of AWS. What an earlier
    stack left behind, because it holds what cannot be made again, is used and not made.
    """
    found = {}
    if "BucketSuffix" in parameters and environment.names_are_global:
        found["BucketSuffix"] = _account_and_region(environment)
    if "MakesArtifactBucket" in parameters:
        suffix = {**given, **found}.get("BucketSuffix", "")
        bucket = environment.stage.named(ARTIFACTS) + suffix
        found["MakesArtifactBucket"] = "no" if _has_bucket(environment, bucket) else "yes"
    if "MakesRepositories" in parameters:
        found["MakesRepositories"] = "no" if _has_repositories(environment) else "yes"
    return found | kept_values(environment, parameters)


def _account_and_region(environment: Environment) -> str:
    sts = environment.client("sts")
    return f"-{sts.get_caller_identity()['Account']}-{sts.meta.region_name}"


def _has_bucket(environment: Environment, name: str) -> bool:
    try:
        environment.client("s3").head_bucket(Bucket=name)
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] != "404":
            raise
        return False
    return True


def _has_repositories(environment: Environment) -> bool:
    try:
        environment.client("ecr").describe_repositories(
            repositoryNames=[environment.stage.named(name) for name in REPOSITORIES]
        )
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] != "RepositoryNotFoundException":
            raise
        return False
    return True
