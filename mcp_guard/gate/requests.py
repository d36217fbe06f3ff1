"""Requests of a client's, as values: as they came, as calls to judge, and while they wait for an answer."""

from typing import Literal

import msgspec

from mcp_guard.gate.batch import Batch
from mcp_guard.gate.messages import RequestId
from mcp_guard.policy.values import Json

Kind = Literal["call", "list", "initialize", "discover", "listen", "own_list", "other"]

PASSED: frozenset[Kind] = frozenset(("call", "listen", "other"))  # what is answered by the upstream alone, unchanged


class Request(msgspec.Struct, frozen=True):
    """A client's request, read and found well-formed. `message` is the whole of it; `modern` its era."""

    id: RequestId
    method: str
    params: dict[str, Json]
    message: dict[str, Json]
    modern: bool
    batch: Batch | None


class ReadCall(msgspec.Struct, frozen=True):
    """A call as it was read: what is judged (`tool`, `arguments`), and what was encoded from it (`encoded`, the
    arguments alone; `line`, the whole message).
    """

    request: Request
    tool: str
    arguments: dict[str, Json]
    encoded: bytes
    line: bytes


class Open(msgspec.Struct):
    """A request that waits for the upstream's answer, or a call that is held until the upstream's tools are known."""

    id: RequestId
    kind: Kind
    started: int
    modern: bool = False
    batch: Batch | None = None
    tool: str = ""
    decision: str = ""  # the id of the event that admitted the call
    held: ReadCall | None = None
    cancelled: bool = False
    wants_tool_changes: bool = False  # of a `subscriptions/listen`: it asked for toolsListChanged
