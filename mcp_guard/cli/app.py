"""The command line, put together: one module a command or group, each imported only when it is asked for."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from mcp_guard import __version__
from mcp_guard.cli.house import House, HouseGroup, UsageError
from mcp_guard.cli.output import EXIT_BAD_INPUT, EXIT_DONE, EXIT_INTERRUPTED, say_guard_error
from mcp_guard.cli.printing import check_text, prepare, to_stdout
from mcp_guard.errors import GuardError

COMMANDS: dict[str, str] = {  # name: the module whose `app` it is, or the module and what it is called there
    "run": "mcp_guard.cli.run",
    "serve": "mcp_guard.cli.serve",
    "demo": "mcp_guard.cli.demo",
    "init": "mcp_guard.cli.init",
    "doctor": "mcp_guard.cli.doctor",
    "config": "mcp_guard.cli.config",
    "policy": "mcp_guard.cli.policy",
    "explain": "mcp_guard.cli.explaining",
    "tools": "mcp_guard.cli.tools",
    "lsp": "mcp_guard.cli.lsp",
    "log": "mcp_guard.cli.log",
    "replay": "mcp_guard.cli.replay",
    "access": "mcp_guard.cli.access",
    "agents": "mcp_guard.cli.registry.agents",
    "instances": "mcp_guard.cli.registry.instances",
    "grants": "mcp_guard.cli.registry.grants",
    "overrides": "mcp_guard.cli.registry.overrides",
    "stop": "mcp_guard.cli.registry.overrides:stop_app",
    "resume": "mcp_guard.cli.registry.overrides:resume_app",
    "approvals": "mcp_guard.cli.registry.approvals",
    "budgets": "mcp_guard.cli.registry.budgets",
    "evals": "mcp_guard.cli.registry.evals",
}


class _Commands(HouseGroup):
    """Finds commands by name and imports them then."""

    def list_commands(self, ctx: object) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: object, cmd_name: str) -> TyperCommand | TyperGroup | None:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        home, _, name = module.partition(":")
        command = get_command(getattr(import_module(home), name or "app"))
        command.name = cmd_name  # a group has none of its own, and the list of commands shows it
        return command  # pyright: ignore[reportReturnType]


app = House(cls=_Commands, add_completion=True, pretty_exceptions_enable=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"mcp-guard {__version__}\n")
        raise typer.Exit


@app.callback(epilog="Start with `mcp-guard demo`.")
def _options(  # pyright: ignore[reportUnusedFunction]  (typer calls it)
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Show the version."),
) -> None:
    """A local proxy between an AI agent and its MCP servers: policy for every tool call, and a record of each."""


def main(words: Sequence[str]) -> NoReturn:
    """Run the command line. A mistake that a person can mend is said in one line, with exit status 2."""
    prepare()
    try:
        check_text(words)
        with to_stdout():
            status: object = app(list(words) or ["--help"], prog_name="mcp-guard", standalone_mode=False)
    except GuardError as error:
        say_guard_error(error)
        status = EXIT_BAD_INPUT
    except UsageError as error:
        from mcp_guard.cli.usage_errors import say_usage_error

        say_usage_error(error)
        status = EXIT_BAD_INPUT
    except (typer.Abort, KeyboardInterrupt):
        status = EXIT_INTERRUPTED
    if status == EXIT_INTERRUPTED and sys.stderr.isatty():
        sys.stderr.write("\n")  # the terminal has shown `^C`
    raise SystemExit(status if isinstance(status, int) else EXIT_DONE)
