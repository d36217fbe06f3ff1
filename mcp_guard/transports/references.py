"""References in configured texts: `${NAME}` for a variable of the environment, `${file:PATH}` for what a file holds.

Of a remote server, `%{NAME}` and `%{file:PATH}` are the same, for the arguments in clients' configurations: most
clients replace `${NAME}` there themselves, which puts a secret on a command line for every process to read, or warn
that they know no such variable.
They are resolved at the edge, when a connection is made, and what they stood for goes nowhere but where it is needed:
no error and no log line quotes it. One that cannot be resolved is an error, never an empty text.
"""

import os
import re
from pathlib import Path

from mcp_guard.errors import GuardError

MOST = 64 * 1024  # bytes of a file that a reference may stand for

_REFERENCE = re.compile(r"\$\$|\$\{([^{}]*)\}")
_REMOTE_REFERENCE = re.compile(r"\$\$|%%(?=\{)|[$%]\{([^{}]*)\}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def resolve(text: str, where: str) -> str:
    """`text` with every reference replaced; `$$` stands for a `$`. `where` tells a person where it was written.

    Raises GuardError where a variable is not set, a file cannot be read, or a reference is neither.
    """
    return _REFERENCE.sub(lambda found: _value(found[1], where) if found[1] is not None else "$", text)


def resolve_remote(text: str, where: str) -> str:
    """The same for what reaches a remote server: `%{NAME}` is a reference too, and `%%{` stands for `%{`."""
    return _REMOTE_REFERENCE.sub(lambda found: _value(found[1], where) if found[1] is not None else found[0][0], text)


def _value(reference: str, where: str) -> str:
    if reference.startswith("file:"):
        return _file(reference.removeprefix("file:"), where)
    name = reference.removeprefix("env:")
    if not _VARIABLE.fullmatch(name):
        raise GuardError(
            f"{where}: {'${' + reference + '}'!a} refers to nothing",
            "write ${NAME} for an environment variable, ${file:/path} for a file, $$ for a dollar sign",
        )
    value = os.environ.get(name)
    if value is None:
        raise GuardError(
            f"{where}: the environment variable {name} is not set",
            "set it for the guard: in the client's config (`env`), or in the shell that starts it",
        )
    return value


def _file(path: str, where: str) -> str:
    """What a file holds, without the line end that editors put at its end."""
    try:
        with Path(path).expanduser().open("rb") as file:
            content = file.read(MOST + 1)
    except (OSError, RuntimeError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise GuardError(f"{where}: cannot read {path!a}: {why}", "check the path in ${file:…}") from None
    if len(content) > MOST:
        raise GuardError(f"{where}: {path!a} holds more than {MOST} bytes", "a secret is shorter than that")
    try:
        return content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise GuardError(f"{where}: {path!a} does not hold UTF-8 text", "check the path in ${file:…}") from None
