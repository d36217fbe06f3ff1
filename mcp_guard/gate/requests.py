"""Requests of a client's, as values: as they came, as calls to judge, and while they wait for an answer."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from mcp_guard.gate.batch import Batch
from mcp_guard.gate.messages import RequestId
from mcp_guard.policy.values import Json, OfferKind

Kind = Literal[
    "call", "approval", "offer", "reading", "list", "offers", "initialize", "discover", "listen", "own_list", "other"
]

PASSED: frozenset[Kind] = frozenset(("call", "offer", "listen", "other"))  # answered by the upstream alone, unchanged
FILTERED: frozenset[Kind] = frozenset(("list", "offers"))  # of which the client gets only what it may see

NAMED_BY: Mapping[OfferKind, str] = {"tool": "name", "prompt": "name", "resource": "uri"}
"""The parameter that says which tool, prompt or resource is asked for."""


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
    arguments alone; `line`, the whole message). So is what is asked of a prompt or resource: `tool` is its name or URI.
    """

    request: Request
    tool: str
    arguments: dict[str, Json]
    encoded: bytes
    line: bytes
    kind: OfferKind = "tool"


class Open(msgspec.Struct):
    """A request that waits for the upstream's answer, or a call that is held until the upstream's tools are known."""

    id: RequestId
    kind: Kind
    started: int
    modern: bool = False
    batch: Batch | None = None
    tool: str = ""
    decision: str = ""  # the id of the event that admitted the call
    approval: str = ""  # by which a modern call runs that a person had to approve
    bound: str = ""  # what goes on by it, should the server need more input: see `approvals.asking.goes_on`
    held: ReadCall | None = None
    cancelled: bool = False
    offer: OfferKind = "tool"  # of an `offer`: whether it is of a prompt or a resource
    method: str = ""  # of what is forwarded unjudged: `prompts/list`, say
    wants: frozenset[OfferKind] = frozenset()  # of a `subscriptions/listen`: changes of which lists it asked for
