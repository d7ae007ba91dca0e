"""`python -m infra.scaffold NAME` makes the rooms of a new service, for `make new-service`."""

import sys

from infra.environments import PROJECT
from infra.scaffold.new_service import NameRefused, make_service


def main() -> None:
    """Exit code 2 when the name cannot be taken; nothing is written then."""
    try:
        paths = make_service(sys.argv[1] if sys.argv[1:] else "", PROJECT)
    except NameRefused as refusal:
        sys.stderr.write(f"{refusal}: make new-service NAME=<a name>\n")
        sys.exit(2)
    name = sys.argv[1]
    sys.stdout.write("".join(f"{path}\n" for path in paths))
    sys.stdout.write(
        f"services/{name} hears of completed batches. Next: its rule in domain.py, "
        f"`make unit SERVICE={name}`, `make check`, `ecp deploy {name}`\n"
    )


if __name__ == "__main__":
    main()
