"""How an event looks: one line for a person, or one JSON object for a program.

The invariant: nothing that a client or an upstream chose reaches a terminal but as printable text. Lines go through
`safe_text`; JSON is ASCII with every control character escaped.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import cast

from mcp_guard.cli.columns import NOTHING
from mcp_guard.cli.output import counted
from mcp_guard.insight.brief import told
from mcp_guard.insight.holes import Pointer, holes
from mcp_guard.redaction import safe_text
from mcp_guard.redaction.text import MARK
from mcp_guard.store.reader import RecordedEvent

HEADINGS = ("TIME", "AGENT", "SERVER", "TOOL", "OUTCOME", "RULE", "DETAIL")
LEAST = (19, 12, 10, 20, 16, 16)  # columns of a terminal for each but the last, where more lines will come
WIDEST = (19, 20, 20, 32, 21, 36, 400)  # characters of each column in a terminal
WHOLE = (19, *[2_000] * 5, 400)  # and where the output is piped: names and ids are not cut

DECISIONS = ("tool.decided", "prompt.decided", "resource.decided")
COMPLETIONS = ("tool.completed", "prompt.completed", "resource.completed")
_OBSERVED = {"deny": "would deny", "require_approval": "would ask"}

_COLUMNS = [field.name for field in fields(RecordedEvent)]
Line = tuple[str, ...]


def json_line(event: RecordedEvent) -> str:
    """The event as one JSON object on one line, with the names of its columns; `data` is an object."""
    columns = {name: getattr(event, name) for name in _COLUMNS}
    return json.dumps(columns, separators=(",", ":")).replace("\x7f", "\\u007f")


def line(event: RecordedEvent, widest: Sequence[int] = WIDEST) -> Line:
    """The event's cells: time, agent, server, tool, outcome, rule, detail."""
    cells = (
        local_time(event.ts),
        event.agent,
        event.server,
        event.tool,
        outcome(event),
        event.rule or (f"({event.decided_by})" if event.decided_by else None),
        detail(event),
    )
    return tuple(safe_text(cell or NOTHING, width) for cell, width in zip(cells, widest, strict=True))


def local_time(ts: str) -> str:
    """A recorded time as this machine's clock shows it, to the second."""
    try:
        return datetime.fromisoformat(ts).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:  # somebody has edited the file
        return ts


def outcome(event: RecordedEvent) -> str:
    """What happened, in a word or two."""
    if event.type in DECISIONS:
        decision = event.decision or ""
        observed = event.data.get("mode") == "observe" and event.data.get("forwarded", True)
        return _OBSERVED.get(decision, decision) if observed else decision
    if event.type in COMPLETIONS:
        return "failed" if event.data.get("is_error") else "ok"
    if event.type in ("approval.decided", "approval.withdrawn"):
        return str(event.data.get("status", event.type))
    return _OUTCOMES.get(event.type) or event.type.replace(".", " ")


def detail(event: RecordedEvent) -> str:
    """What one wants to know at a glance: the arguments of a call, or why the guard itself decided."""
    try:
        return _DETAILS.get(event.type, _members)(event.data)
    except (TypeError, ValueError, AttributeError, LookupError, RecursionError):  # somebody has edited the file
        return _members(event.data)


def _call(data: Mapping[str, object]) -> str:
    arguments, missing = data.get("arguments"), holes(data)
    if arguments is None or missing is None:
        return "arguments not kept"
    lost = [hole.pointer for hole in missing if not hole.of_name]
    shown = cast("dict[str, object]", _marked(arguments, lost))
    return " ".join(f"{told(name)}={MARK if (name,) in lost else _short(value)}" for name, value in shown.items())


def _marked(value: object, places: Sequence[Pointer]) -> object:
    """A value with a mark at the places below it of what was not kept, so that nobody takes it for null."""
    if () in places:
        return MARK
    if not places or not isinstance(value, dict | list):
        return value
    below: dict[str, list[Pointer]] = {}
    for name, *rest in places:
        below.setdefault(name, []).append(tuple(rest))
    if isinstance(value, list):
        items = cast("list[object]", value)
        return [_marked(item, below.get(str(index), ())) for index, item in enumerate(items)]
    return {name: _marked(inner, below.get(name, ())) for name, inner in cast("dict[str, object]", value).items()}


def _offer(data: Mapping[str, object]) -> str:
    """What was asked of a prompt or resource, with the arguments, or else why it was denied."""
    method = str(data.get("method", ""))
    said = _call(data) if method == "prompts/get" else "" if data.get("forwarded") else str(data.get("reason", ""))
    return f"{method}: {said}" if said else method


def _completion(data: Mapping[str, object]) -> str:
    return f"{cast('int', data['duration_us']) / 1000:.1f} ms, {data['bytes']} bytes"


def _connection(data: Mapping[str, object]) -> str:
    client = cast("dict[str, object]", data.get("client") or {})
    name = " ".join(str(client[key]) for key in ("name", "version") if client.get(key)) or "a client without a name"
    parts = [name, f"MCP {data['protocol']}" if data.get("protocol") else ""]
    for key, words in (("allowed", "allowed"), ("conditionally_allowed", "conditional"), ("denied", "hidden")):
        parts.append(f"{len(cast('list[str]', data.get(f'{key}_tools') or []))} {words}")
    return ", ".join(part for part in parts if part)


def _errors(data: Mapping[str, object]) -> str:
    errors = cast("list[str]", data.get("errors") or [])
    return f"{errors[0] if errors else 'refused'}: the one before stays in force"


def _rejection(data: Mapping[str, object]) -> str:
    return f"from the {data['from']}: {data['reason']} ({data['bytes']} bytes)"


def _policy(data: Mapping[str, object]) -> str:
    files = ", ".join(cast("list[str]", data.get("files") or [])) or "none: every tool is denied"
    return f"{files} ({counted(cast('int', data.get('rules', 0)), 'rule')})"


def _asked(data: Mapping[str, object]) -> str:
    return f"{_offer(data) if data.get('method') != 'tools/call' else _call(data)} (asked in the {data['asked']})"


def _answered(data: Mapping[str, object]) -> str:
    said = data.get("comment") or data.get("answer")
    comment = f": {_short(said)}" if said else ""
    scope = f"{data['scope']}, " if data.get("scope") else ""
    return f"{scope}by {data['by']} in the {data['via']}{comment}"


def _members(data: Mapping[str, object]) -> str:
    untold = {name for name in ("reason", "comment") if data.get(name) == ""}
    shown = ((name, value) for name, value in data.items() if value is not None and name not in untold)
    return " ".join(f"{name}={_short(value)}" for name, value in shown)


def _short(value: object) -> str:
    """A value without more quotes than it needs, in no more characters than a cell has."""
    return told(value)[: WIDEST[-1]]


_DETAILS: dict[str, Callable[[Mapping[str, object]], str]] = {
    "tool.decided": _call,
    "prompt.decided": _offer,
    "resource.decided": _offer,
    **dict.fromkeys(COMPLETIONS, _completion),
    "agent.connected": _connection,
    "agent.disconnected": lambda data: str(data.get("why", "")),
    "tools.listed": lambda data: counted(cast("int", data.get("count", 0)), "tool"),
    "tool.changed": lambda data: "differs in " + ", ".join(cast("list[str]", data["members"])),
    "message.rejected": _rejection,
    "upstream.exited": lambda data: str(data.get("how", "")),
    "policy.loaded": _policy,
    "policy.rejected": _errors,
    "approval.requested": _asked,
    "approval.decided": _answered,
}
_OUTCOMES = {
    "agent.connected": "connected",
    "agent.disconnected": "disconnected",
    "message.rejected": "rejected",
    "upstream.exited": "upstream ended",
    "policy.rejected": "policy refused",
    "approval.requested": "a person is asked",
}
