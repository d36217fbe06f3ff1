"""What a JSON-RPC message from a client is, and whether it may be read in only one way.

JSON-RPC 2.0 and the five MCP revisions agree on the shapes below. Some readers match member names without regard to
case (Go's encoding/json does, with Unicode folding), and for some a text ends at its first NUL (in C: cJSON's do both).
So a member that only differs in that from one that the guard judges by is refused: such a reader would see another
message than was judged.
"""

from collections.abc import Mapping
from typing import Literal

from mcp_guard.policy.members import folded
from mcp_guard.policy.values import Json

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = -32700, -32600, -32601, -32602, -32603

Kind = Literal["request", "notification", "response"]
RequestId = int | str

ENVELOPE_MEMBERS = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
CALL_MEMBERS = frozenset({"name", "arguments", "_meta", "task", "inputResponses", "requestState"})
PROMPT_MEMBERS = frozenset({"name", "arguments", "_meta", "inputResponses", "requestState"})
RESOURCE_MEMBERS = frozenset({"uri", "_meta", "inputResponses", "requestState"})
COMPLETION_MEMBERS = frozenset({"ref", "argument", "context", "_meta"})
REFERENCE_MEMBERS = frozenset({"type", "name", "uri", "title"})
LISTEN_MEMBERS = frozenset({"notifications", "_meta"})
SUBSCRIBED_MEMBERS = frozenset(
    {"toolsListChanged", "promptsListChanged", "resourcesListChanged", "resourceSubscriptions"}
)
_NEARLY = "differs only in case, or behind a NUL, from"
MAX_ID_LENGTH = 1024  # characters of a string id, digits of an integer one: ids are kept while a request is open
_MAX_ID_BITS = 4 * MAX_ID_LENGTH


class MalformedError(Exception):
    """A message that breaks JSON-RPC or could be read in two ways. `code` is the JSON-RPC error code of the answer."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def classify(message: dict[str, Json]) -> Kind:
    """What kind of message this is (JSON-RPC 2.0, sections 4 and 5; MCP, "Messages").

    Raises MalformedError unless it is exactly one of the three and its `jsonrpc`, `id`, `method` and `params` are of
    the types that MCP allows: an id is a string or an integer, params are an object.
    """
    refuse_near_names(message, ENVELOPE_MEMBERS, "member")
    if message.get("jsonrpc") != "2.0":
        raise MalformedError(INVALID_REQUEST, 'jsonrpc must be "2.0"')
    if "method" not in message:
        return _classify_response(message)
    if type(message["method"]) is not str:
        raise MalformedError(INVALID_REQUEST, "method must be a string")
    if "result" in message or "error" in message:
        raise MalformedError(INVALID_REQUEST, "a message with a method cannot have a result or an error")
    if "params" in message and type(message["params"]) is not dict:
        raise MalformedError(INVALID_PARAMS, "params must be an object")
    if "id" not in message:
        return "notification"
    _check_id(message["id"])
    return "request"


def _classify_response(message: dict[str, Json]) -> Kind:
    if ("result" in message) == ("error" in message):
        raise MalformedError(INVALID_REQUEST, "a message needs a method, or one of result and error")
    if "params" in message:
        raise MalformedError(INVALID_REQUEST, "a response has no params")
    _check_id(message.get("id"))
    return "response"


def _check_id(value: Json) -> None:
    if type(value) is int:
        too_long = value.bit_length() > _MAX_ID_BITS
    elif type(value) is str:
        too_long = len(value) > MAX_ID_LENGTH
    else:
        raise MalformedError(INVALID_REQUEST, "id must be a string or an integer")
    if too_long:
        raise MalformedError(INVALID_REQUEST, "id is too long")


def within(value: Json, *path: str) -> Json:
    """What stands at a path of members within a value; None where there is no such thing."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def readable_id(message: Json) -> RequestId | None:
    """The id to answer a malformed message with: its own where that is valid, else None (JSON-RPC 2.0, section 5)."""
    if isinstance(message, dict):
        value = message.get("id")
        try:
            _check_id(value)
        except MalformedError:
            return None
        return value  # pyright: ignore[reportReturnType]  (checked above)
    return None


def refuse_near_names(names: Mapping[str, object], known: frozenset[str], what: str) -> None:
    """Raise MalformedError where a name is not one of `known` but some reader takes it for one: see `folded`."""
    if known.issuperset(names):
        return
    taken = set(map(folded, known))
    for name in names.keys() - known:
        if folded(name) in taken:
            raise MalformedError(INVALID_PARAMS, f"a {what} {_NEARLY} one that the guard judges by")


def refuse_cut_name(name: str, what: str) -> None:
    """Raise MalformedError for a name or URI that some readers end before its end: see `folded`."""
    if "\0" in name:
        raise MalformedError(INVALID_PARAMS, f"{what} holds a NUL, at which it ends for some readers")


def without_near_names(members: dict[str, Json], known: frozenset[str]) -> dict[str, Json]:
    """The members without those that `refuse_near_names` would refuse."""
    if known.issuperset(members):
        return members
    taken = set(map(folded, known))
    return {name: value for name, value in members.items() if name in known or folded(name) not in taken}


def near_arguments(arguments: Mapping[str, Json], declared: frozenset[str]) -> bool:
    """Whether some reader takes the name of an argument that the tool does not declare for a declared one, or for
    another argument's: see `folded`.
    """
    if declared.issuperset(arguments):
        return False
    seen = set(map(folded, declared))
    for name in arguments.keys() - declared:
        fold = folded(name)
        if fold in seen:
            return True
        seen.add(fold)
    return False
