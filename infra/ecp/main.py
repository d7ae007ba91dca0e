"""The console script `ecp`: Ctrl-C is heeded before anything else is loaded."""

import sys
from pathlib import Path
from typing import Any, NoReturn

from infra.ecp.terminal import interruptions, streams


def main() -> NoReturn:
    """Run the command that the command line names; never returns."""
    interruptions.end_at_once()
    streams.open_closed_streams()
    do_without_pandas()
    from infra.ecp.app import app
    from infra.ecp.terminal.errors import ExitCode
    from infra.ecp.terminal.output import print_error

    try:
        app(prog_name="ecp")
    except SystemExit as ended:
        code = ended.code
    interruptions.end_at_once()
    if (fault := streams.write_the_rest()) is not None:
        print_error(f"the output could not be written: {fault.lower()}")
        code = int(ExitCode.SYSTEM_FAILED)
    interruptions.leave(code if isinstance(code, int) else int(code is not None))


def do_without_pandas() -> None:
    """Arrow loads it wherever it finds it, which takes 0.4 s; no command needs it."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "local" / "as_in_images"))


def __getattr__(name: str) -> Any:
    """`app`, for those who run commands in a process of their own."""
    if name == "app":
        from infra.ecp.app import app

        return app
    raise AttributeError(name)


if __name__ == "__main__":
    main()
