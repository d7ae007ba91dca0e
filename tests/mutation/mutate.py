"""Has mutmut write the mutants of a target: `python -m tests.mutation.mutate TARGET`.

Started in a copy of the project; they go to its folder `mutants`, where each function chooses, by
the mutant under test, which of its versions runs. What is known of functions that have not changed
stays.
"""

import sys
from pathlib import Path
from typing import Any

from mutmut import configuration
from mutmut.utils import file_utils

from tests.mutation import operators
from tests.mutation.targets import target


def main() -> None:
    """Prints how many files were mutated."""
    settings: dict[str, Any] = {
        "source_paths": ["contracts", "services"],
        "only_mutate": list(target(sys.argv[1]).files),
        "also_copy": ["infra"],
    }
    configuration._config_reader = lambda: settings.get  # type: ignore[assignment,return-value]
    operators.install()
    from mutmut.__main__ import create_mutants

    Path("mutants").mkdir(exist_ok=True)
    file_utils.copy_src_dir()
    file_utils.copy_also_copy_files()
    create_mutants(1)


if __name__ == "__main__":
    main()
