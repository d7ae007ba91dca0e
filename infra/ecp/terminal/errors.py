"""How a command says that it cannot go on; what other errors mean is in `explaining.py`.

Exit codes (docs/design.md, Command line): 0 done, 1 the data was rejected, 2 wrong usage, 3 the
system failed.
"""

from enum import IntEnum

from infra.ecp.terminal.interruptions import INTERRUPTED as STOPPED


class ExitCode(IntEnum):
    """What a program that runs `ecp` may rely on; 130 is the shell's number for Ctrl-C."""

    DONE = 0
    DATA_REJECTED = 1
    WRONG_USAGE = 2
    SYSTEM_FAILED = 3
    INTERRUPTED = STOPPED


class CommandFailed(Exception):
    """A command cannot go on; the message is the one line that people read."""

    exit_code = ExitCode.SYSTEM_FAILED

    def __init__(self, message: str, exit_code: ExitCode | None = None) -> None:
        super().__init__(message)
        if exit_code is not None:
            self.exit_code = exit_code


class WrongUsage(CommandFailed):
    """The command line asks for what cannot be done: a missing file, an unknown batch."""

    exit_code = ExitCode.WRONG_USAGE
