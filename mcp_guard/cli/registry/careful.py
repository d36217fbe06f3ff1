"""Commands that do not take an option for the value of the one before.

In `grants add --tool $UNSET --deny` the shell leaves no pattern, and the pattern would be `--deny`: what was to forbid
would allow. Whatever stands where a value belongs and is an option of the same command is refused.
"""

from collections.abc import Callable
from typing import Any

import typer

from mcp_guard.cli.house import House, HouseCommand


class Careful(House):
    """A group whose commands are careful."""

    def command(self, *words: Any, **settings: Any) -> Callable[[Any], Any]:
        """A command, as typer makes it."""
        return super().command(*words, **{"cls": _Command, **settings})


class _Command(HouseCommand):
    def invoke(self, ctx: Any) -> Any:
        options = {name for one in self.params for name in (*one.opts, *one.secondary_opts) if name.startswith("-")}
        for one in self.params:
            given = ctx.params.get(one.name)
            for value in given if isinstance(given, list | tuple) else (given,):  # pyright: ignore[reportUnknownVariableType]
                if isinstance(value, str) and value in options:
                    name = one.opts[0]
                    raise typer.BadParameter(f"it needs a value, and `{value}` is an option", ctx, param_hint=name)
        return super().invoke(ctx)
