"""The command `whit`."""

from typing import Annotated

import typer

from whit.runtime.command_group import CommandGroup

COMMANDS = {
    "transcribe": "whit.runtime.commands.transcribe:transcribe",
    "inspect": "whit.runtime.commands.inspect:inspect",
    "eval": "whit.runtime.commands.evaluate:evaluate",
    "bench": "whit.runtime.commands.bench:bench",
    "device-bench": "whit.runtime.commands.device_bench:device_bench",
}


class _Whit(CommandGroup):
    own_commands = COMMANDS


app = typer.Typer(cls=_Whit, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"whit {version('whit')}")
        raise typer.Exit


@app.callback()
def _whit(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Sub-8-bit streaming speech recognition on the device."""


def main() -> None:
    """Runs the command line: exit code 0, or 2 with one sentence on stderr."""
    app()
