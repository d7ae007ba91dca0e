"""The transformer's Spark job for EMR Serverless: entry point and archive in the artifact bucket.

Both are named by the digest of their sources, so that what is there need not be built again. The
archive holds the service's code and its packages as wheels for the release's Linux and Python, as
a function's zip does; Spark itself is the release's.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from infra.deployer.package import (
    CONSTRAINTS,
    closure_of,
    sources_digest,
    tree,
    vendor,
    zip_files,
)
from infra.deployer.packing import ArtifactBucket
from infra.deployer.templates import StackTemplate
from infra.environments import Environment
from infra.errors import DeploymentFailed

TARGET, ON_EMR = "SparkTarget", "emr-serverless"
CODE = "SparkJobCode"
ENTRY_POINT = "services/transformer/emr/entry_point.py"
OF_THE_RELEASE = ("pyspark",)
"""What a release of EMR brings; a second one would be found before it."""
RUNTIME = (("manylinux_2_28_x86_64", "manylinux2014_x86_64"), "3.11")
"""Amazon Linux 2023 has glibc 2.34, and emr-spark-8.1.0 Python 3.11 and 3.13 (release guide)."""


def spark_job_parameters(
    template: StackTemplate,
    project: Path,
    environment: Environment,
    bucket: ArtifactBucket,
    chosen: Mapping[str, str],
) -> dict[str, str]:
    """The parameter that names the job's code, where Spark runs on EMR Serverless; it is kept then.

    `chosen`: the stack's parameters as they will be. Raises DeploymentFailed where there is no EMR.
    """
    if CODE not in template.parameters or chosen.get(TARGET) != ON_EMR:
        return {}
    if not environment.has_emr_serverless:
        raise DeploymentFailed(
            f"{TARGET}={ON_EMR}: the {environment.name} cloud has no EMR Serverless; "
            f"leave {TARGET}=local there. Nothing was deployed"
        )
    key = f"{template.name}/spark-job-{sources_digest(template, project)}"
    if not bucket.has(f"{key}.py"):
        bucket.keep(f"{key}.zip", job_archive(template, project))
        bucket.keep(f"{key}.py", (project / ENTRY_POINT).read_bytes())
    return {CODE: key}


def job_archive(template: StackTemplate, project: Path) -> bytes:
    """A zip of the code and of its packages, but for those of the release."""
    pinned = (project / f"services/{template.service}/requirements.txt").read_text().splitlines()
    own = [line for line in pinned if line.partition("==")[0] not in OF_THE_RELEASE]
    with tempfile.TemporaryDirectory(prefix="ecp-spark-") as folder:
        requirements, packages = Path(folder) / "requirements.txt", Path(folder) / "packages"
        requirements.write_text("\n".join(own) + "\n")
        vendor(requirements, project / CONSTRAINTS, packages, RUNTIME)
        files = closure_of(template, project).files(project) | tree(packages)
        return zip_files(files, limit_bytes=None)
