"""Which clients have a configuration here, which of their servers are guarded, and whether their guards can start."""

import os
from collections.abc import Iterator, Mapping, Sequence

from mcp_guard.cli.health.finding import Finding, typed
from mcp_guard.cli.health.guards import Seen
from mcp_guard.cli.output import short
from mcp_guard.clients.known import CLIENTS
from mcp_guard.clients.values import ConfigFile
from mcp_guard.redaction.text import safe_text


def check(found: Sequence[ConfigFile], servers: Sequence[Seen], unread: Mapping[str, str]) -> Iterator[Finding]:
    """A finding for each file, and one for each server in it."""
    if not found:
        yield Finding(
            "note",
            "clients",
            "no configuration of a known client was found",
            "to guard a server by hand: mcp-guard run --help",
        )
    for file in found:
        subject = f"{CLIENTS[file.client].title} {short(file.path)}"
        if file.path in unread:
            yield Finding(
                "error", subject, safe_text(unread[file.path], 200), "mend the file; the client may not read it either"
            )
            continue
        own = [one for one in servers if one.file is file]
        guarded = sum(one.arguments is not None and not one.foreign for one in own)
        yield Finding("ok", subject, f"{guarded} of {len(own)} servers guarded" if own else "no servers")
        for one in own:
            yield _server(one, subject)


def _server(one: Seen, subject: str) -> Finding:
    subject = f"{subject} › {safe_text(one.name, 60)}"
    if one.unclear:
        return Finding("error", subject, "the arguments of its guard are wrong", "`mcp-guard run --help` shows them")
    if one.arguments is None:
        hint = f"mcp-guard init --client {one.file.client} --server {typed(safe_text(one.name, 60))}"
        return Finding("warning", subject, "not guarded", hint)
    if one.foreign:
        hint = "look at it; to have your own in its place, take it out of the file, then: mcp-guard init"
        return Finding("warning", subject, "guarded by what came with the project, as the project says", hint)
    command = str(one.server["command"])
    if os.path.isabs(command) and not os.access(command, os.X_OK):
        hint = "mcp-guard init --undo, then mcp-guard init: that finds this mcp-guard"
        return Finding("error", subject, f"its guard is not there: {safe_text(short(command), 200)}", hint)
    if not os.path.isabs(command):
        hint = "write an absolute path: what a desktop starts has a short PATH"
        return Finding("warning", subject, f"guarded by {safe_text(command, 60)}, which a client may not find", hint)
    if one.arguments.mode == "observe":
        return Finding(
            "note", subject, "guarded, but nothing is stopped (--mode observe)", "mcp-guard init --mode enforce"
        )
    return Finding("ok", subject, "guarded")
