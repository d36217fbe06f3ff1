"""What a person sees: one console for data, one line for an error, and the exit codes.

Data goes to stdout: in colour and fitted to the terminal there, plain and unwrapped when piped. Everything else goes to
stderr. Exit codes are a contract: 0 done, 1 a finding, 2 bad input.
"""

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from mcp_guard.errors import GuardError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

EXIT_DONE, EXIT_FINDING, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 0, 1, 2, 130


def console() -> "Console":
    """The console for data on stdout. Piped, it neither colours nor wraps. A name such as `:key:` is no picture."""
    from rich.console import Console

    return Console(highlight=False, emoji=False, soft_wrap=not sys.stdout.isatty())


def print_json(value: object) -> None:
    """Print plain data as JSON, one document on stdout; indented, so that a person may read it too. What a terminal
    would not show as itself is an escape.
    """
    text = _json(value)
    shows = all(line.isprintable() for line in text.split("\n"))
    sys.stdout.write((text if shows else _escaped(text)) + "\n")


def _json(value: object) -> str:
    """The document, in ASCII where stdout could not take it as it is: an escape is JSON, a replacement is none."""
    import msgspec

    try:
        text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        import json

        return json.dumps(msgspec.to_builtins(value), indent=2)
    return text


def _escaped(text: str) -> str:
    """JSON text in which everything shows. Beyond its strings, all does."""
    import json

    return "".join(one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text)


def short(path: str) -> str:
    """A path as people write it."""
    home = os.path.expanduser("~")
    return "~" + path[len(home) :] if home != "/" and path.startswith(home + os.sep) else path


def counted(number: int, thing: str) -> str:
    """A number of things: `1 tool`, `1,200 tools`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def print_indented(text: "Text", by: int) -> None:
    """A text with so many spaces before each of its lines. It is wrapped on a terminal only."""
    from rich.padding import Padding

    out = console()
    if out.is_terminal:
        out.print(Padding(text, (0, 0, 0, by), expand=False))
    else:
        out.print("\n".join(" " * by + line if line else "" for line in text.plain.split("\n")), markup=False)


def say_error(message: str, hint: str = "") -> None:
    """One line on stderr that says what is wrong, and one that says how to mend it."""
    sys.stderr.write(f"mcp-guard: error: {_plain(message)}\n")
    if hint:
        sys.stderr.write(f"  hint: {_plain(hint)}\n")
    sys.stderr.flush()


def say_note(message: str) -> None:
    """One line on stderr that is worth knowing, though nothing is wrong."""
    sys.stderr.write(f"mcp-guard: note: {_plain(message)}\n")
    sys.stderr.flush()


def _plain(text: str) -> str:
    """The text with escapes for what a terminal would obey, not show: files and servers may be called anything."""
    if text.isascii() and text.isprintable():
        return text
    from mcp_guard.redaction.visible import escaped

    return escaped(text, "\n")


def bad_input(message: str, hint: str = "") -> NoReturn:
    """End the command with exit code 2 after saying why."""
    say_error(message, hint)
    raise SystemExit(EXIT_BAD_INPUT)


def say_guard_error(error: GuardError) -> None:
    """The error on stderr: as it stands where it is a whole report of its own, else as one line and its hint."""
    report = getattr(error, "report", None)
    if isinstance(report, str):
        sys.stderr.write(report.rstrip("\n") + "\n")
    else:
        say_error(error.message, error.hint)
