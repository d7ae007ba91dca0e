"""What the marked suites need of a machine, and what becomes of a test where that is missing."""

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from typing import Literal

Verdict = Literal["run", "skip", "fail"]
OLDEST_JAVA = 17


@cache
def spark_lacks() -> str | None:
    """What is missing for Spark, or None."""
    if find_spec("pyspark") is None:
        return "pyspark is missing (pip install '.[spark]')"
    return java_lacks(_java_version_text())


def java_lacks(version_text: str | None) -> str | None:
    """What `java -version` says against Spark, or None; None stands for no Java at all."""
    found = re.search(r'version "(?:1\.)?(\d+)', version_text or "")
    if found is None:
        return f"Java {OLDEST_JAVA} is missing"
    if int(found[1]) < OLDEST_JAVA:
        return f"Java {OLDEST_JAVA} is missing; this is Java {found[1]}"
    return None


def _java_version_text() -> str | None:
    if shutil.which("java") is None:
        return None
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    return said.stderr


@cache
def docker_lacks() -> str | None:
    """Why containers can neither be started nor made possible, or None."""
    from tests.containers import engine

    return engine.lacks()


BROWSERS = ("chromium", "chromium-browser", "google-chrome")
"""What Debian, Ubuntu and CI services call it."""


def chromium() -> str | None:
    """The browser that the system has."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@cache
def browser_lacks() -> str | None:
    """What is missing for a browser, or None."""
    return None if chromium() else "Chromium is missing (apt-get install chromium)"


NEEDS: Mapping[str, Callable[[], str | None]] = {
    "spark": spark_lacks,
    "docker": docker_lacks,
    "browser": browser_lacks,
}
"""By marker."""


def verdict(lack: str | None, environment: Mapping[str, str]) -> Verdict:
    """Skip what the machine lacks, except where everything must run: CI never skips in silence."""
    if lack is None:
        return "run"
    return "fail" if is_ci(environment) else "skip"


def is_ci(environment: Mapping[str, str]) -> bool:
    """Whether tests run where nobody waits for them, as CI services say."""
    return environment.get("CI", "").lower() == "true"


def announcement(marker: str, lack: str) -> str:
    """The line of the summary that nobody can miss."""
    return f"{marker.upper()} SUITES NOT RUN: {lack}"
