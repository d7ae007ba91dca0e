"""`python -m infra.scaffold NAME` makes the rooms of a new service, for `make new-service`."""

import sys

from infra.ecp.terminal.output import print_error, print_line
from infra.environments import PROJECT
from infra.scaffold.new_service import NameRefused, make_service


def main() -> None:
    """Exit code 2 when the name cannot be taken; nothing is written then."""
    name = sys.argv[1] if sys.argv[1:] else ""
    try:
        paths = make_service(name, PROJECT)
    except NameRefused as refusal:
        print_error(f"{refusal}: make new-service NAME=<a name>")
        sys.exit(2)
    for path in paths:
        print_line(path)
    print_line(
        f"services/{name} hears of completed batches. Next: its rule in domain.py, "
        f"`make unit SERVICE={name}`, `make check`, `ecp deploy {name}`"
    )


if __name__ == "__main__":
    main()
