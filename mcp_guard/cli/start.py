"""From the arguments of `run` to the status that the process ends with. No command-line library is loaded here."""

import gc

from mcp_guard.cli.output import EXIT_BAD_INPUT, say_guard_error
from mcp_guard.cli.run_arguments import RunArguments
from mcp_guard.errors import GuardError
from mcp_guard.slugs import check_pinned

# Bytes. The C library gives memory back to the system as soon as twice as much of it is free as the largest block that
# was ever given back whole. A list of tools of 2 MB is held three times over on its way (as it comes, filtered, to be
# written), and getting the pages for that from the system anew took most of its time.
_KEPT = 4 * 1024 * 1024


def start(arguments: RunArguments) -> int:
    """Guard the upstream, and give the process's exit status; a mistake in the arguments is said on stderr. The garbage
    collector may be off until all that it takes is loaded.
    """
    bytes(_KEPT)  # had and given back: two calls to the system, and no page is touched
    try:
        check_pinned(arguments.agent)
        if arguments.command:
            from mcp_guard.cli.guard import guard

            return guard(arguments)
        gc.enable()
        from mcp_guard.cli.switched import guard_many, guard_remote

        return guard_many(arguments) if arguments.config is not None else guard_remote(arguments)
    except GuardError as error:
        say_guard_error(error)
        return EXIT_BAD_INPUT
