"""The `ecp` command: its groups, the `--debug` switch, and the one place where errors end."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from infra.cli import (
    aligning,
    batches,
    cloud,
    contracts,
    demo,
    deploy,
    diff,
    dismiss,
    dlq,
    export,
    kpis,
    lock,
    logs,
    privacy,
    quarantine,
    release,
    replay,
    submit,
    upkeep,
    validate,
    why,
)
from infra.cli.errors import ExitCode, evidence, explain
from infra.cli.output import print_error, print_traceback
from infra.cli.streams import (
    READER_GONE,
    hush,
    is_reader_gone,
    open_closed_streams,
    write_the_rest,
)


class EcpGroup(TyperGroup):
    """Turns every exception of a command into one line and an exit code.

    `--debug` counts wherever it stands on the command line, and shows the traceback first.
    """

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
            line, exit_code = explain(error)
            print_error(line, evidence(error))
            raise typer.Exit(int(exit_code)) from error


def _stop_if_reader_is_gone(error: BaseException) -> None:
    """Whoever read our output (`| head`) has enough: nothing more can be said."""
    if is_reader_gone(error):
        hush()
        raise SystemExit(READER_GONE) from error


def _is_typers_own(error: BaseException) -> bool:
    """Exits and usage errors, which Typer prints itself (exit code 2)."""
    return isinstance(error, typer.Exit | typer.Abort) or hasattr(error, "format_message")


app = typer.Typer(
    name="ecp",
    cls=EcpGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@app.callback()
def ecp(
    debug: Annotated[
        bool, typer.Option("--debug", envvar="ECP_DEBUG", help="Show where an error came from.")
    ] = False,
) -> None:
    """Turn e-commerce CSV files into daily KPIs, on this machine or on AWS.

    Try it: `ecp demo`

    Use it: `ecp up`, then `ecp submit shop/ --wait`, then `ecp kpis orders`

    It speaks to the AWS that the environment names, else to the local cloud of this directory.

    Exit codes: 0 done, 1 the data was rejected, 2 wrong usage, 3 the system failed; 130 after
    Ctrl-C, 141 when whoever read the output left early (`| head`).
    """


RUN, LOOK, DATA = "Run", "Look", "Data"
app.command(rich_help_panel=RUN)(cloud.up)
app.command(rich_help_panel=RUN)(cloud.down)
app.command(rich_help_panel=RUN)(deploy.deploy)
app.command(rich_help_panel=RUN)(demo.demo)
app.command(rich_help_panel=DATA)(submit.submit)
app.command(rich_help_panel=DATA)(validate.validate)
app.command(rich_help_panel=DATA)(demo.sample)
app.command(rich_help_panel=DATA)(batches.redrive)
app.command(rich_help_panel=DATA)(release.release)
app.command(rich_help_panel=DATA)(upkeep.rebuild)
app.command(rich_help_panel=DATA)(upkeep.maintain)
app.command(rich_help_panel=LOOK)(batches.status)
app.command("batches", rich_help_panel=LOOK)(batches.list_batches)
app.command(rich_help_panel=LOOK)(batches.batch)
app.command(rich_help_panel=LOOK)(logs.logs)
app.command(rich_help_panel=LOOK)(why.why)
app.command(rich_help_panel=LOOK)(diff.diff)
app.add_typer(kpis.app, name="kpis", rich_help_panel=LOOK)
quarantine.app.command()(export.export)
quarantine.app.command()(replay.replay)
quarantine.app.command()(dismiss.dismiss)
app.add_typer(quarantine.app, name="quarantine", rich_help_panel=LOOK)
app.add_typer(privacy.app, name="privacy", rich_help_panel=DATA)
lock.app.command()(aligning.align)
app.add_typer(lock.app, name="lock", rich_help_panel=LOOK)
app.add_typer(dlq.app, name="dlq", rich_help_panel=LOOK)
app.add_typer(contracts.app, name="contracts", rich_help_panel=LOOK)


def main() -> None:
    """The console script `ecp`."""
    open_closed_streams()
    try:
        app(prog_name="ecp")
    except SystemExit as leaving:
        if (fault := write_the_rest()) is not None:
            print_error(f"the output could not be written: {fault.lower()}")
            leaving.code = int(ExitCode.SYSTEM_FAILED)
        raise


if __name__ == "__main__":
    main()
