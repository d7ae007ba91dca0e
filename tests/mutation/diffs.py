"""Prints the edit of each mutant named, as JSON; started in the copy that mutmut worked in."""

import json
import sys
from typing import Any

from mutmut import configuration
from mutmut.mutation.diff_apply import find_mutant, get_diff_for_mutant

from tests.mutation.results import changed_lines


def main() -> None:
    """Names on standard input, one a line."""
    settings: dict[str, Any] = {"source_paths": ["contracts", "services"]}
    configuration._config_reader = lambda: settings.get  # type: ignore[assignment,return-value]
    edits = {}
    for name in sys.stdin.read().split():
        diff = get_diff_for_mutant(name, path=find_mutant(name).path)
        edits[name] = " | ".join(changed_lines(diff))
    print(json.dumps(edits))


if __name__ == "__main__":
    main()
