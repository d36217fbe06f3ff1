"""The command line, put together: one module a command or group, each imported only when it is asked for."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from mcp_guard import __version__
from mcp_guard.cli.house import House, HouseGroup
from mcp_guard.cli.output import EXIT_BAD_INPUT, EXIT_DONE, EXIT_INTERRUPTED, say_error, say_guard_error
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


_HELP = "`mcp-guard --help` shows what there is."


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

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not ctx.resilient_parsing:
            from mcp_guard.policy.diagnostics import suggestion

            raise GuardError(f"there is no command `{args[0]}`", suggestion(args[0], COMMANDS) or _HELP)
        return super().resolve_command(ctx, args)


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


# The command-line library's own errors: their common base is not public, a class derived from it is.
_UsageError: type[typer.BadParameter] = typer.BadParameter.__bases__[0]


def _say_usage_error(error: typer.BadParameter) -> None:
    """What is wrong with the words; of a group whose command is missing, its help, which is the whole of the error."""
    message = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":  # to ask for the help again would print it: stdout is the wire
        sys.stderr.write(message + "\n")
        return
    command = error.ctx.command_path if error.ctx else "mcp-guard"
    say_error(message.replace(": Value error, ", ": "), f"`{command} --help` shows what there is.")


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
    except _UsageError as error:
        _say_usage_error(error)
        status = EXIT_BAD_INPUT
    except (typer.Abort, KeyboardInterrupt):
        status = EXIT_INTERRUPTED
    if status == EXIT_INTERRUPTED and sys.stderr.isatty():
        sys.stderr.write("\n")  # the terminal has shown `^C`
    raise SystemExit(status if isinstance(status, int) else EXIT_DONE)
