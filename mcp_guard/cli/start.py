"""From the arguments of `run` to the status that the process ends with. No command-line library is loaded here."""

from mcp_guard.cli.output import EXIT_BAD_INPUT, say_guard_error
from mcp_guard.cli.run_arguments import RunArguments
from mcp_guard.errors import GuardError
from mcp_guard.slugs import check_pinned


def start(arguments: RunArguments) -> int:
    """Guard the upstream, and give the process's exit status; a mistake in the arguments is said on stderr."""
    try:
        check_pinned(arguments.agent)
        if arguments.command:
            from mcp_guard.cli.guard import guard

            return guard(arguments)
        from mcp_guard.cli.switched import guard_many, guard_remote

        return guard_many(arguments) if arguments.config is not None else guard_remote(arguments)
    except GuardError as error:
        say_guard_error(error)
        return EXIT_BAD_INPUT
