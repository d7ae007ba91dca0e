"""Which tests share a process when files run side by side, and which begin first."""

import pytest
from xdist.scheduler import LoadScopeScheduling

SPARK = tuple(
    f"tests/unit/transformer/test_{name}.py"
    for name in (
        "engines_agree", "emr_serverless", "spark_cluster", "older_tables", "order_totals",
        "stale_writers", "bi_page",
    )
)  # fmt: skip
TOGETHER = {"containers": ("tests/containers/",), "spark": SPARK}
"""What shares an engine, images or a JVM that take minutes to make, by the name of the work."""
FIRST = (
    "tests/containers/",
    *SPARK,
    "tests/integration/",
    "tests/fault_matrix/",
    "tests/contract/test_new_service.py",
    "tests/security/",
    "tests/simulation/",
    "tests/corpus/",
)
"""What takes longest, longest first: others fill the gaps where these wait."""


class SideBySide(LoadScopeScheduling):
    """A file is one piece of work, so that its fixtures are made once; so are some files."""

    def _split_scope(self, nodeid: str) -> str:
        return work_of(nodeid)


def work_of(nodeid: str) -> str:
    """The name of the work that a test is a part of: its file's, or that of files together."""
    path = nodeid.split("::", 1)[0]
    return next((name for name, paths in TOGETHER.items() if path.startswith(paths)), path)


def longest_first(items: list[pytest.Item]) -> None:
    """Sorted in place; what is of one place keeps its order."""
    items.sort(key=lambda item: place_of(item.nodeid))


def place_of(nodeid: str) -> int:
    """The lower, the earlier it begins."""
    return next((place for place, path in enumerate(FIRST) if nodeid.startswith(path)), len(FIRST))
