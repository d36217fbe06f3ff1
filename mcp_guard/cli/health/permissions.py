"""Files that others should not read or write, and secrets where others can see them. Nothing to look at on Windows."""

import os
import stat
from collections.abc import Iterator, Sequence

from mcp_guard.cli.health.finding import Finding, typed_path
from mcp_guard.cli.health.guards import Seen
from mcp_guard.cli.health.policies import in_use
from mcp_guard.cli.health.stores import databases
from mcp_guard.cli.output import short
from mcp_guard.redaction.patterns import kind_of_secret
from mcp_guard.redaction.text import safe_text

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH
_SECRET_FIELDS = ("env", "headers", "http_headers")


def check(servers: Sequence[Seen]) -> Iterator[Finding]:
    """What others of this machine could read or change, and should not. One finding that all is well if nothing is."""
    found = [*_exposed(servers), *(_rights(servers) if os.name == "posix" else ())]
    yield from found or [Finding("ok", "permissions", "what is private is yours alone")]


def _rights(servers: Sequence[Seen]) -> Iterator[Finding]:
    for path in in_use(servers):
        if _mode(path) & _OTHERS_WRITE:
            yield Finding(
                "error", short(path), "others can change what your agents may do", f"chmod go-w {typed_path(path)}"
            )
    for path in _private(servers):
        if os.path.exists(path) and _mode(path) & (_OTHERS_READ | _OTHERS_WRITE):
            yield Finding("error", short(path), "others can read it", f"chmod go-rwx {typed_path(path)}")
    for file in {one.file.path: one.file for one in servers if _holds_secret(one)}.values():
        if _mode(file.path) & _OTHERS_READ:
            hint = f"chmod go-r {typed_path(file.path)}, or let the client fill in a reference to a variable"
            yield Finding("warning", short(file.path), "a secret stands in it, and others can read it", hint)


def _private(servers: Sequence[Seen]) -> list[str]:
    from mcp_guard.clients.records import home

    logs = [path + end for path in databases(servers) for end in ("", ".key", "-wal")]
    return [*logs, os.path.join(os.path.dirname(home()), "tokens"), home()]


def _exposed(servers: Sequence[Seen]) -> Iterator[Finding]:
    """Secrets in arguments, which every process of the machine can read."""
    for one in servers:
        args = one.server.get("args", [])
        for word in args if isinstance(args, list) else ():
            kind = kind_of_secret(word) if isinstance(word, str) else None
            if kind is not None:
                subject = f"{short(one.file.path)} › {safe_text(one.name, 60)}"
                hint = "give it to the server as a variable (`env`), if it can read it there"
                yield Finding("warning", subject, f"a secret stands in its arguments ({kind})", hint)
                break


def _holds_secret(one: Seen) -> bool:
    for field in _SECRET_FIELDS:
        values = one.server.get(field)
        for name, value in values.items() if isinstance(values, dict) else ():
            if isinstance(value, str) and "$" not in value and kind_of_secret(f"{name}={value}") is not None:
                return True
    return False


def _mode(path: str) -> int:
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        return 0
