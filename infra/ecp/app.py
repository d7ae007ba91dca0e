"""The `ecp` command: its groups, the switches before a command, and where errors end.

Commands are loaded when they are asked for: `ecp --help` knows each by its line in `commands.py`.
"""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from infra.ecp.commands import COMMANDS, Commands, summaries
from infra.ecp.terminal import interruptions
from infra.ecp.terminal.output import print_error, print_line, print_traceback
from infra.ecp.terminal.streams import READER_GONE, hush, is_reader_gone


class EcpGroup(TyperGroup):
    """Turns every exception of a command into one line and an exit code.

    `--debug` counts wherever it stands on the command line, and shows the traceback first.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = Commands()
        self._told = False

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """In the order of `commands.py`."""
        return list(COMMANDS)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """With a line for each command, without loading any."""
        self._knowing_only_summaries(lambda: super(EcpGroup, self).format_help(ctx, formatter))

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Names of commands, without loading any."""
        found = super().shell_complete
        return self._knowing_only_summaries(lambda: found(ctx, incomplete))

    def _knowing_only_summaries(self, ask: Any) -> Any:
        self.commands = summaries()
        try:
            return ask()
        finally:
            self.commands = Commands()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take `--debug` from behind the command to before it."""
        options = args[: args.index("--")] if "--" in args else args
        if "--debug" in options:
            args.remove("--debug")
            args.insert(0, "--debug")
        try:
            return super().parse_args(ctx, args)
        except (BrokenPipeError, SystemExit) as error:  # --help is printed here
            _stop_if_reader_is_gone(error)
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what it raises ends here."""
        interruptions.raise_where_it_is()
        try:
            return super().invoke(ctx)
        except SystemExit as error:
            _stop_if_reader_is_gone(error)
            raise
        except (Exception, KeyboardInterrupt) as error:
            _stop_if_reader_is_gone(error)
            if _is_typers_own(error):
                raise
            if ctx.params.get("debug"):
                print_traceback(error)
            raise typer.Exit(self._explain(error)) from error

    def main(
        self, args: Any = None, prog_name: str | None = None, *rest: Any, **settings: Any
    ) -> Any:
        """Everything that can end a command line, said in one way."""
        self._told = False
        run: Any = super().main
        try:
            code = run(args, prog_name, *rest, **settings | {"standalone_mode": False}) or 0
            if code == interruptions.INTERRUPTED and not self._told:
                self._explain(KeyboardInterrupt())
        except typer.Abort:
            print_error("nothing was done: the answer was not yes")
            code = 1
        except Exception as error:
            _stop_if_reader_is_gone(error)
            if not hasattr(error, "format_message"):
                raise
            code = _usage_error(error)
        raise SystemExit(code)

    def _explain(self, error: BaseException) -> int:
        """One line about what went wrong, on standard error; gives the exit code."""
        from infra.ecp.terminal.explaining import evidence, explain

        line, code = explain(error)
        if interruptions.came() and code != interruptions.INTERRUPTED:
            line, code = explain(KeyboardInterrupt())
        print_error(line, evidence(error))
        self._told = True
        return int(code)


def _stop_if_reader_is_gone(error: BaseException) -> None:
    """Whoever read our output (`| head`) has enough: nothing more can be said."""
    if is_reader_gone(error):
        hush()
        raise SystemExit(READER_GONE) from error


def _is_typers_own(error: BaseException) -> bool:
    """Exits and usage errors, which end in `main` (exit code 2)."""
    return isinstance(error, typer.Exit | typer.Abort) or hasattr(error, "format_message")


def _usage_error(error: Any) -> int:
    """What is wrong with a command line, and where its help is; a bare group shows its help."""
    context = getattr(error, "ctx", None)
    more = []
    if context is not None:
        if type(error).__name__ == "NoArgsIsHelpError":
            context.get_help()  # which prints it
            return 2
        more = [context.get_usage(), f"`{context.command_path} --help` explains it"]
    print_error(" ".join(error.format_message().split()), more)
    return int(error.exit_code)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print_line(f"ecp {version('ecommerce-pipeline')}")
        raise typer.Exit


app = typer.Typer(
    name="ecp",
    cls=EcpGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@app.callback()
def ecp(
    debug: Annotated[
        bool, typer.Option("--debug", envvar="ECP_DEBUG", help="Show where an error came from.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Which version this is."
        ),
    ] = False,
) -> None:
    """Turn e-commerce CSV files into daily KPIs, on this machine or on AWS.

    Try it: `ecp demo`

    Use it: `ecp up`, then `ecp submit shop/ --wait`, then `ecp kpis orders`

    It speaks to the AWS that the environment names, else to the local cloud of this directory.

    Exit codes: 0 done, 1 the data was rejected, 2 wrong usage, 3 the system failed; 130 after
    Ctrl-C, 141 when whoever read the output left early (`| head`).
    """
