"""How every command reads its words and shows its help.

Help is plain text, options under their headings, no summary cut short. And no option is taken for the value of the one
before, nor nothing for a file or a filter. In `grants add --tool $UNSET --deny` the shell leaves no pattern, and the
pattern would be `--deny`: what was to forbid would allow. `log --since "$UNSET"` would show everything. Nor is one that
takes one value given two: `stop --agent a --agent b` would stop only the second, and say nothing of the first.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from textwrap import wrap
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from mcp_guard.errors import GuardError

# The command-line library's own errors: their common base is not public, a class derived from it is.
UsageError: type[typer.BadParameter] = typer.BadParameter.__bases__[0]

# Values of these names are never empty.
_NAMED = {"FILE", "FILE|URL", "GLOB", "GROUP", "ID", "MOMENT", "OUTCOME", "REV", "TAG", "TYPE", "URL", "WHEN"}
_WIDEST = 30  # characters of a name, for which there is room beside it
_TYPE = re.compile(r" <[^|<>]*>$")  # what the library says of a type, where that is no list of choices


class HouseCommand(TyperCommand):
    """A command that takes values for values, and whose help shows arguments by their names alone."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words; refuse an option that comes again though it takes one value."""
        try:
            _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        except UsageError as error:
            error.ctx = error.ctx or ctx  # so that the help that is named is this command's
            raise
        for one, times in Counter(given).items():
            if times > 1 and _takes_one(one) and not ctx.resilient_parsing:
                raise typer.BadParameter("it takes one value, and came again", ctx, param_hint=one.opts[0])
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run it, unless where a value belongs there is none, or the next option."""
        options = {name for one in self.params for name in (*one.opts, *one.secondary_opts)}
        for one in self.params:
            if one.param_type_name != "option":
                continue
            for value in _given(ctx.params.get(one.name)):
                if value == "" != one.default and one.metavar in _NAMED:
                    raise typer.BadParameter("it needs a value", ctx, param_hint=one.opts[0])
                if isinstance(value, str) and value in options:
                    said = f"it needs a value, and `{value}` is an option"
                    raise typer.BadParameter(said, ctx, param_hint=one.opts[0])
        return super().invoke(ctx)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What stands after the command's name."""
        return [self.options_metavar or "", *(_in_usage(one) for one in _arguments(self))]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments and options, by their headings."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for one in self.get_params(ctx):
            record = one.get_help_record(ctx)
            if record is None:
                continue
            title = "Arguments" if one in _arguments(self) else getattr(one, "rich_help_panel", None) or "Options"
            name = one.metavar or record[0] if title == "Arguments" else record[0]
            sections.setdefault(title, []).append((_TYPE.sub("", name), record[1]))
        for title, rows in sections.items():
            if rows:
                _write(formatter, title, rows)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """The examples, as they are to be typed: a line that is broken at a hyphen could not be copied."""
        formatter.write_paragraph()
        for line in (self.epilog or "").splitlines():
            formatter.write(f"  {line}\n")


class HouseGroup(TyperGroup):
    """A group that shows what each of its commands does in a whole sentence."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is meant. Raises GuardError for one that there is not."""
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-") and not ctx.resilient_parsing:
            from mcp_guard.policy.diagnostics import closest

            near = closest(args[0], known)
            hint = f"did you mean `{near}`?" if near else f"`{ctx.command_path} --help` shows what there is"
            raise GuardError(f"there is no command `{args[0]}`", hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands, each with the first sentence of its help."""
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, command.get_short_help_str(1_000)) for name, command in commands if command is not None]
        _write(formatter, "Commands", rows)


class House(typer.Typer):
    """Commands in the house style."""

    def __init__(self, *, cls: type[HouseGroup] = HouseGroup, **settings: Any) -> None:
        style: dict[str, Any] = {"add_completion": False, "rich_markup_mode": None, **settings}
        super().__init__(cls=cls, **style)

    def command(self, *words: Any, **settings: Any) -> Callable[[Any], Any]:
        """A command, as typer makes it."""
        return super().command(*words, **{"cls": HouseCommand, **settings})


def _write(formatter: Any, title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Names, and beside them what is said of each. No path or option is broken at a hyphen."""
    names = min(_WIDEST, max(len(name) for name, _ in rows)) + 2
    with formatter.section(title):
        before = " " * formatter.current_indent
        for name, text in rows:
            lines = wrap(text, formatter.width - len(before) - names, break_on_hyphens=False, break_long_words=False)
            beside = len(name) <= names - 2 and bool(lines)
            formatter.write(f"{before}{name:<{names}}{lines.pop(0)}\n" if beside else f"{before}{name}\n")
            formatter.write("".join(f"{before}{'':<{names}}{line}\n" for line in lines))


def _takes_one(parameter: Any) -> bool:
    """Whether to say it twice says two things: not so of what is repeatable, nor of a mere `--json`."""
    if parameter.param_type_name != "option" or parameter.multiple:
        return False
    return not parameter.is_flag or bool(parameter.secondary_opts)


def _given(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else (value,)  # pyright: ignore[reportUnknownVariableType]


def _arguments(command: TyperCommand) -> list[Any]:
    return [one for one in command.params if one.param_type_name == "argument"]


def _in_usage(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required else f"[{name}]"
