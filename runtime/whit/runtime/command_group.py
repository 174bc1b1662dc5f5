"""A group of commands that are imported only when they are called.

Torch, for one, must neither slow down `whit --help` nor be there at all on a phone. The one-line help is read
from the source of the function, not by running it.
"""

from __future__ import annotations

import ast
import errno
import importlib
import importlib.util
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import typer
import typer.core
import typer.main

from whit.runtime.errors import WhitError, file_sentence
from whit.runtime.printable import printable

ENTRY_POINT_GROUP = "whit.commands"
INTERRUPTED = 130  # 128 + SIGINT, what shells report
FAILED = 2


class CommandGroup(typer.core.TyperGroup):
    """Finds commands in `own_commands` and in the entry points of other areas ("name = module:function")."""

    own_commands: dict[str, str] = {}  # noqa: RUF012  (set once by the program that owns the group)

    def list_commands(self, ctx: Any) -> list[str]:
        """Returns the names, own ones first."""
        return list(self._targets())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Returns a command that can state its help; `resolve_command` gives the one that runs."""
        target = self._targets().get(cmd_name)
        return target and typer.core.TyperCommand(cmd_name, help=_summary(target))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Returns (name, command, remaining arguments), the command imported."""
        name, command, rest = super().resolve_command(ctx, args)
        if name is None or command is None:
            return name, command, rest
        return name, _load(name, self._targets()[name]), rest

    def invoke(self, ctx: Any) -> Any:
        """Runs a command; errors of the user's become one sentence and exit code 2."""
        if sys.stdout is None:
            _fail("[standard output] expected one that is open, received none")
        try:
            return super().invoke(ctx)
        except WhitError as error:
            _fail(str(error))
        except ModuleNotFoundError as error:
            if (error.name or "whit").split(".")[0] == "whit":
                raise
            _fail(f"[{ctx.invoked_subcommand}] expected the package {error.name}, received none")
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader went away: nobody is left to be told
                raise
            _fail(file_sentence(error, place=str(ctx.invoked_subcommand)))
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None

    def _targets(self) -> dict[str, str]:
        found = {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}
        return self.own_commands | {name: found[name] for name in sorted(found)}


def tell(sentence: str) -> None:
    """Prints a sentence for the user on one line of stderr."""
    typer.echo(" ".join(printable(sentence).split()), err=True)


def _fail(sentence: str) -> None:
    tell(sentence)
    raise typer.Exit(FAILED)


def _load(name: str, target: str) -> Any:
    """Returns the command behind "module:function"."""
    module, _, function = target.partition(":")
    program = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    program.command(name)(getattr(importlib.import_module(module), function))
    return typer.main.get_command(program)


def _summary(target: str) -> str:
    """Returns the first line of a function's docstring without importing its module."""
    module, _, function = target.partition(":")
    absent = f"(not installed: {module})"
    try:
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            return absent
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    except ModuleNotFoundError:
        return absent
    except (ImportError, OSError, SyntaxError, UnicodeDecodeError):
        return f"(cannot be read: {module})"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    return ""
