"""Runs mutmut over one target, in a copy of the project: `python -m tests.mutation.mutate TARGET`.

Started with the copy as its working directory. What was tried before is not tried again unless the
function has changed.
"""

import sys
from typing import Any

from mutmut import configuration

from tests.mutation import operators
from tests.mutation.targets import target

PLUGINS = (
    "tests.mutation.fastest_first",
    "no:cacheprovider",
    "no:threadexception",
    "no:unraisableexception",
    "no:xdist",
)
"""Without those that cost a tenth of a second in every process."""


def main() -> None:
    """Tests that fail on the unchanged code end it with an error."""
    chosen = target(sys.argv[1])
    settings: dict[str, Any] = {
        "source_paths": ["contracts", "services"],
        "only_mutate": list(chosen.files),
        "also_copy": ["infra"],
        "pytest_add_cli_args": [option for plugin in PLUGINS for option in ("-p", plugin)],
        "pytest_add_cli_args_test_selection": list(chosen.tests),
        "process_isolation": "forkserver",
        "timeout_constant": 3.0,
        "timeout_multiplier": 5.0,
        "use_git_change_detection": False,
    }
    configuration._config_reader = lambda: settings.get  # type: ignore[assignment,return-value]
    operators.install()
    from mutmut.__main__ import _run

    _run((), max_children=int(sys.argv[2]))


if __name__ == "__main__":
    main()
