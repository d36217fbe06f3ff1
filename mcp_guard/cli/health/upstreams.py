"""Whether the programs of the servers can be found; and, if asked to, whether they start and list their tools."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence

from mcp_guard.cli.health.finding import Finding
from mcp_guard.cli.health.guards import Seen
from mcp_guard.cli.output import counted
from mcp_guard.errors import GuardError
from mcp_guard.redaction.text import safe_text

_REFERENCE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)\}")


def check(servers: Sequence[Seen], *, start: bool) -> Iterator[Finding]:
    """A finding for each server that a program is started for. Those at a URL are not asked."""
    for one in servers:
        if one.command:
            yield _found(one) or (_started(one) if start else Finding("ok", _subject(one), "its program is there"))


def _subject(one: Seen) -> str:
    return f"{one.file.client} › {safe_text(one.name, 60)}: {safe_text(one.command[0], 60)}"


def _found(one: Seen) -> Finding | None:
    """What is wrong, None where the program is found. One that only the client can name is let pass."""
    program = one.command[0]
    cwd = one.server.get("cwd")
    where = os.path.join(cwd if isinstance(cwd, str) else "", program) if os.sep in program else program
    if "$" in program or shutil.which(where, path=_environment(one).get("PATH")):
        return None
    hint = "is it installed? An absolute path always works"
    return Finding("error", _subject(one), "its program was not found on this PATH", hint)


def _started(one: Seen) -> Finding:
    from mcp_guard.transports.survey import tools_of

    if one.scope == "project":  # whoever wrote the project chose the program: looking at a project must not run it
        hint = "if you trust the project: mcp-guard tools sync -- COMMAND"
        return Finding("note", _subject(one), "not started: it comes with the project", hint)
    if any("$" in word for word in one.command):
        return Finding("note", _subject(one), "not started: its client fills in references")
    try:
        tools = tools_of(one.command, env=_environment(one))
    except GuardError as error:
        return Finding("error", _subject(one), safe_text(error.message, 200), error.hint)
    return Finding("ok", _subject(one), f"started, lists {counted(len(tools), 'tool')}")


def _environment(one: Seen) -> Mapping[str, str]:
    """This environment with the server's own variables, as far as they can be filled in here."""
    own = one.server.get("env", {})
    named = own if isinstance(own, dict) else {}
    filled = {
        name: _REFERENCE.sub(lambda found: os.environ.get(found[1], ""), value)
        for name, value in named.items()
        if isinstance(value, str)
    }
    return {**os.environ, **filled}
