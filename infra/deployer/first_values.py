"""What a stack is made with where nobody says otherwise: names that are free in this place.

A stack that has a value keeps it: a name that changes would be another bucket.
"""

from collections.abc import Collection, Mapping

from infra.deployer.kept import is_there, kept_values
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
    s3 = environment.client("s3")
    return is_there(lambda: s3.head_bucket(Bucket=name), "404")


def _has_repositories(environment: Environment) -> bool:
    ecr, names = environment.client("ecr"), [*map(environment.stage.named, REPOSITORIES)]
    return is_there(
        lambda: ecr.describe_repositories(repositoryNames=names), "RepositoryNotFoundException"
    )
