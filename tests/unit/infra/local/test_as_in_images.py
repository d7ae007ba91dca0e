"""What runs as in an image, and `ecp`, find no pandas, which Arrow would load for nothing."""

import subprocess
import sys

import pytest

from infra.environments import PROJECT
from infra.local.launch import AS_IN_IMAGES

ARROW = "import sys, pyarrow; pyarrow.array([1]); print(bool(sys.modules.get('pandas')))"
IN_ECP = f"from infra.ecp.main import do_without_pandas; do_without_pandas(); {ARROW}"


@pytest.mark.medium
@pytest.mark.parametrize(
    ("code", "path", "loads_pandas"),
    [(ARROW, [], True), (ARROW, [AS_IN_IMAGES], False), (IN_ECP, [], False)],
)
def test_arrow_finds_pandas_only_where_people_want_it(
    code: str, path: list[object], loads_pandas: bool
) -> None:
    said = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True,
        env={"PYTHONPATH": ":".join(map(str, (*path, PROJECT)))},
    )  # fmt: skip
    assert said.stdout == f"{loads_pandas}\n"
