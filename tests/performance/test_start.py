"""How long `ecp` takes to begin to answer, beside Python alone and beside its own libraries."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from infra.environments import PROJECT
from tests.performance.figures import figure, interleaved, keep

pytestmark = pytest.mark.performance
REPETITIONS = 7


def running(*arguments: str) -> Callable[[], object]:
    return lambda: subprocess.run(
        [sys.executable, *arguments], check=True, capture_output=True, cwd=PROJECT
    )


def test_how_long_help_takes() -> None:
    seconds = interleaved(
        {
            "help": running("-m", "infra.ecp.main", "--help"),
            "version": running("-m", "infra.ecp.main", "--version"),
            "python": running("-c", "pass"),
            "typer": running("-c", "import typer, typer.rich_utils"),
        },
        REPETITIONS,
    )
    keep(
        "start",
        [
            figure("ecp --help", seconds["help"], "python -c pass", seconds["python"]),
            figure(
                "ecp --help",
                seconds["help"],
                "importing Typer and what it prints help with",
                seconds["typer"],
                at_most=1.5,
            ),
            figure("ecp --version", seconds["version"], "python -c pass", seconds["python"]),
        ],
        repetitions=REPETITIONS,
    )
