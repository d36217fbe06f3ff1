"""What the gate wants done: the only way out of it.

A transport carries outputs out in the order given. It commits the event of an `Admitted` or `Denied` call before it
sends its line; so it does with the question to a person that a call waits for (`Pending`). `Admitted` and `Forward` are
the only values whose line may be sent upstream, and only the gate makes them: a call that was not judged has no type to
travel in.
"""

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from mcp_guard.events import ApprovalRequested, Event, Judged
from mcp_guard.gate.messages import RequestId
from mcp_guard.gate.requests import ReadCall
from mcp_guard.policy.values import DecidedBy, Decision


class Forward(msgspec.Struct, frozen=True, gc=False):
    """Send `line` (one message, no line end) to the upstream. Never a call."""

    line: bytes


class Refusal(msgspec.Struct, frozen=True):
    """Why the row of a call was not written: the layer that decides so, what of it, and the reason, for the model."""

    reason: str
    decided_by: DecidedBy = "guard"
    deciding: str | None = None


class Admitted(msgspec.Struct, frozen=True):
    """A call that was judged and may run: commit `event`, then send `line` upstream.

    Where the event cannot be committed, the transport gives it back and sends nothing upstream: to `Gate.again` where
    the registry was changed meanwhile, else to `Gate.refuse`. `call` is what was judged, `approved` what a person has
    said of exactly it; `along` are the ids of the further rows of the same request, of Records that come before it.
    """

    event: Judged
    line: bytes
    request_id: RequestId
    call: ReadCall
    approved: Decision | None = None
    along: tuple[str, ...] = ()


class Denied(msgspec.Struct, frozen=True):
    """A call that was judged and will not run: commit `event`, then send `line` to the client.

    `line` is None where there is nobody to tell yet (an element of a batch). The denial stands even where the event
    cannot be committed.
    """

    event: Judged
    line: bytes | None


class Pending(msgspec.Struct, frozen=True):
    """A call that waits for a person: commit `event`, then send `line` to the client, if there is one: the question.

    Where the event cannot be committed, nobody is asked: the transport gives this back to `Gate.refuse`.
    """

    event: ApprovalRequested
    line: bytes | None
    request_id: RequestId


Unwritten: TypeAlias = Admitted | Pending
"""What must not happen where its row cannot be written."""


class Reply(msgspec.Struct, frozen=True, gc=False):
    """Send `line` (one message, no line end) to the client."""

    line: bytes


class Listed(Reply, frozen=True, gc=False):
    """The answer to the list request `id`, with what `line` was made of, for whoever would only have to read it again:
    the members of its result, and the JSON text of the list among them. A list that comes again is the same `listed`.
    """

    id: RequestId
    result: Mapping[str, object]
    listed: bytes


class Record(msgspec.Struct, frozen=True):
    """Write `event`; nothing waits for it."""

    event: Event


class End(msgspec.Struct, frozen=True):
    """End this connection: somebody has ordered so. `why` is a sentence."""

    why: str


Output: TypeAlias = Forward | Admitted | Denied | Pending | Reply | Record | End
