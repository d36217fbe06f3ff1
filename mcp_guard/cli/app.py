"""The command line, put together: one module a command or group, each imported only when it is asked for."""

import sys
from importlib import import_module

import click
import typer
from typer.core import TyperGroup

from mcp_guard import __version__
from mcp_guard.cli.output import EXIT_BAD_INPUT, say_guard_error
from mcp_guard.errors import GuardError

COMMANDS: dict[str, str] = {  # name: the module whose `app` it is
    "run": "mcp_guard.cli.run",
    "demo": "mcp_guard.cli.demo",
    "policy": "mcp_guard.cli.policy",
    "log": "mcp_guard.cli.log",
    "replay": "mcp_guard.cli.replay",
}


class _Commands(TyperGroup):
    """Finds commands by name and imports them then."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = COMMANDS.get(cmd_name)
        return None if module is None else typer.main.get_command(import_module(module).app)


app = typer.Typer(cls=_Commands, no_args_is_help=True, pretty_exceptions_enable=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"mcp-guard {__version__}\n")
        raise typer.Exit


@app.callback(epilog="Start with `mcp-guard demo`.")
def _options(  # pyright: ignore[reportUnusedFunction]  (typer calls it)
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Show the version."),
) -> None:
    """A local proxy between an AI agent and its MCP servers: policy for every tool call, and a record of each."""


def main() -> None:
    """Run the command line. A mistake that a person can mend is said in one line, with exit status 2."""
    try:
        app()
    except GuardError as error:
        say_guard_error(error)
        raise SystemExit(EXIT_BAD_INPUT) from None
