"""What a person is asked through the client (MCP, "Elicitation", form mode), and what the answer says.

A person sees what would run: the tool (prompt, resource), its server, who asks, the arguments with secrets alone left
out, which is said first, and all that would not show made visible. What is too long for a form is not asked about here.
What an agent supplies is quoted, on lines of its own, so that nothing in it passes for the guard's words.
An answer that is not plainly a yes is a no; a call that is not shown whole can be approved once, and no more.

Clients' forms differ: some cut what is longer than a line of theirs, some run all lines together, some have the first
choice chosen before anybody has. So lines are short here and read well in one, and the first choice is the no.
"""

import itertools
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from mcp_guard.gate.approvals.seen import NOTHING, OF_PARAMETERS, Entry, Seen
from mcp_guard.gate.approvals.showing import GOES_ON, quoted, visible
from mcp_guard.gate.approvals.waiting import Waiting
from mcp_guard.gate.messages import RequestId, within
from mcp_guard.gate.wire import decode, encode
from mcp_guard.governance import ApprovalScope
from mcp_guard.policy.values import Json, OfferKind

METHOD = "elicitation/create"
KEY = "mcp-guard-approval"  # of the question among a result's `inputRequests`, and of the answer to it
LONGEST = 8_000  # characters of arguments that a person can be expected to read in a form

_COLUMNS = 54  # of a line: the narrowest form that is known has no more
_INDENT = "    "  # before each of these lines: where a client renders Markdown, it makes them a block of code
_FIELD = "decision"
_CHOICES: Mapping[str, ApprovalScope] = {"allow once": "once", "allow for this session": "session"}
_DENY = "deny"
No = Literal["deny", "decline", "cancel", "unreadable"]
"""How it can be said: by the choice, by declining the form, by closing it (nobody said anything), by none of these."""
_WANTS: Mapping[OfferKind, str] = {
    "tool": "wants to call this tool on the server {}",
    "prompt": "wants this prompt of the server {}",
    "resource": "wants to read this from the server {}",
}
_SESSION: Mapping[OfferKind, str] = {
    "tool": "For this session: every further call of this tool until the client disconnects.",
    "prompt": "For this session: this prompt, with any arguments, until the client disconnects.",
    "resource": "For this session: this resource, and notice of its changes, until the client disconnects.",
}
_NAMES = {"/name": "the name", "/uri": "the URI"}
_NOT_ALL = (
    "NOT ALL OF IT IS SHOWN: what looks like a secret is left out. Approve it only if you know what stands there."
)
_ONCE = "It can be approved once only: not all of it is shown."


class Shown(msgspec.Struct, frozen=True):
    """A name or URI, arguments and other parameters as a person is shown them; and of each value that is not shown, or
    not whole, where it is, and how much of it is left out.
    """

    name: str
    text: str
    others: str = ""
    hidden: tuple[str, ...] = ()


def is_offered(capabilities: Json) -> bool:
    """Whether a client with these capabilities shows forms: none named means forms (2025-11-25, "Elicitation")."""
    offered = within(capabilities, "elicitation")
    return isinstance(offered, dict) and ("form" in offered or not offered)


def shown(seen: Seen) -> Shown | None:
    """What a person may see, as they are shown it; None where that is too long for a form."""
    if seen.arguments is None or seen.others is None:
        return None
    text = _readable(seen.arguments)
    others = _readable(seen.others) if seen.others != NOTHING else ""
    if len(text) + len(others) > LONGEST or any(one["why"] == "size" for one in seen.redacted):
        return None
    return Shown(seen.name, text, others, tuple(f"{place(one)} ({left_out(one)})" for one in seen.redacted))


def place(entry: Entry) -> str:
    """Where something is left out, by its entry in `redacted`."""
    path = str(entry["path"])
    if entry.get("of") == OF_PARAMETERS:
        return _NAMES.get(path) or (f"parameter {quoted(path)}" if path else "all other parameters")
    return quoted(path) if path else "all arguments"


def left_out(entry: Entry) -> str:
    """How much is left out of a value, by its entry in `redacted`."""
    part = entry.get("hidden")
    return f"{part} of its {entry['bytes']} bytes" if part is not None else f"all of it, {entry['bytes']} bytes"


def _readable(encoded: msgspec.Raw) -> str:
    """JSON text over several lines, with characters beyond ASCII as themselves, in which everything shows."""
    text = msgspec.json.format(msgspec.json.encode(decode(bytes(encoded))), indent=2).decode()
    return visible(text).replace(GOES_ON, "\\u21a9")


def message(waiting: Waiting, named: str, server: str, user: str, shown: Shown) -> str:
    """What a person reads; `named` is what their client knows it as that is asked for. A resource has no arguments."""
    decision, kind = waiting.decision, waiting.call.kind
    wants = _WANTS[kind].format(server)
    because = " ".join(part for part in (decision.reason, decision.message or "") if part)
    lines = ["mcp-guard: a person's approval is needed."]
    if shown.hidden:
        listed = [f"{one}," for one in shown.hidden[:-1]] + [shown.hidden[-1]]
        lines += [*_wrapped(_NOT_ALL), *block("Left out", listed)]
    asks = f"The agent {visible(waiting.subject.agent)} of {visible(user)} {wants}"
    lines += block(asks, [quoted(named)])
    lines += [*_wrapped(because), _until(waiting)]
    if kind != "resource":
        lines += block("Arguments", shown.text.split("\n"))
    if shown.others:
        lines += block("Other parameters", shown.others.split("\n"))
    return "\n".join(lines)


def block(title: str, texts: Iterable[str]) -> list[str]:
    """Somebody else's lines under a title of the guard's, which says what a line looks like that goes on. They are set
    off so that none looks like one of the guard's, nor is markup where a client takes the question for Markdown: a
    comment there would not be shown, and a link only by its text.
    """
    parts = [_folded(text, _COLUMNS - len(_INDENT)) for text in texts]
    goes_on = f" ({GOES_ON} goes on in the next line)" if any(len(one) > 1 for one in parts) else ""
    return [*_wrapped(f"{title}{goes_on}:"), "", *(_INDENT + line for line in itertools.chain(*parts))]


def _until(waiting: Waiting) -> str:
    """How long the question stands: not every client takes the form away then."""
    minutes, seconds = divmod((waiting.deadline - waiting.asked) // 1_000_000, 60)
    time = (f"{minutes} min" if minutes else "") + (f" {seconds} s" if seconds else "")
    return f"Unless it is answered within {time.strip()}, it is denied."


def _wrapped(text: str) -> list[str]:
    """Lines of whole words, but where a word is longer than a line."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if _width(longer) <= _COLUMNS:
            lines[-1] = longer
        else:
            lines.append(word)
    return [part for line in lines if line for part in _folded(line)]


def _folded(line: str, columns: int = _COLUMNS) -> list[str]:
    """The line, in as many parts as it takes; all but the last say that they go on."""
    if _width(line) <= columns:
        return [line]
    starts, taken = [0], 0
    for place, one in enumerate(line):
        taken += _width(one)
        if taken > columns - _width(GOES_ON):
            starts.append(place)
            taken = _width(one)
    parts = [line[start:end] for start, end in itertools.pairwise((*starts, len(line)))]
    return [*(part + GOES_ON for part in parts[:-1]), parts[-1]]


def _width(text: str) -> int:
    """Columns that a text takes at most."""
    return sum(1 if one.isascii() else 2 for one in text)


def params(text: str, kind: OfferKind, *, whole: bool) -> dict[str, object]:
    """The question in a client's form: a text, and a choice. `whole`: all of the arguments are shown."""
    choices = [_DENY, *(choice for choice, scope in _CHOICES.items() if whole or scope == "once")]
    about = _SESSION[kind] if whole else _ONCE
    choice = {"type": "string", "title": "Decision", "description": about, "enum": choices}
    schema = {"type": "object", "properties": {_FIELD: choice}, "required": [_FIELD]}
    return {"message": text, "requestedSchema": schema}


def request(question: RequestId, asked: Mapping[str, object]) -> bytes:
    """The question, as a request of the guard's own."""
    return encode({"jsonrpc": "2.0", "id": question, "method": METHOD, "params": asked})


def result(request_id: RequestId, params: Mapping[str, object], state: str) -> bytes:
    """The question, as the result that asks for input (2026-07-28, "Multi Round-Trip Requests")."""
    asked = {KEY: {"method": METHOD, "params": {"mode": "form", **params}}}
    value = {"resultType": "input_required", "inputRequests": asked, "requestState": state}
    return encode({"jsonrpc": "2.0", "id": request_id, "result": value})


def scope_of(answer: Json, *, whole: bool) -> ApprovalScope | None:
    """For how long the person said yes; None for everything else that they, or the client, may have said. `whole`: all
    of the arguments were shown.
    """
    scope = _CHOICES.get(_choice(answer) or "")
    return scope if whole or scope == "once" else None


def no_of(answer: Json) -> No:
    """What kind of no an answer is that is no yes."""
    if _choice(answer) == _DENY:
        return "deny"
    action = within(answer, "action")
    return "decline" if action == "decline" else "cancel" if action == "cancel" else "unreadable"


def _choice(answer: Json) -> str | None:
    """What was chosen in the form that was sent off."""
    choice = within(answer, "content", _FIELD) if within(answer, "action") == "accept" else None
    return choice if isinstance(choice, str) else None
