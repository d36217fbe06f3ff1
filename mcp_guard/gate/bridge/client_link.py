"""The state of one bridge from a legacy client to a modern upstream: who the client is, what it waits for, what it
watches.
"""

from typing import TypeAlias

import msgspec

from mcp_guard.gate.bridge import capabilities, eras, levels, members
from mcp_guard.gate.bridge.members import Members
from mcp_guard.gate.bridge.names import Names
from mcp_guard.gate.bridge.wanted import Book, Wanted
from mcp_guard.gate.gate import Gate
from mcp_guard.gate.messages import RequestId
from mcp_guard.gate.outputs import Output, Reply
from mcp_guard.gate.session import answered, replies
from mcp_guard.policy.values import Json

DEFAULT_LEVEL = "info"  # of log messages, until the client sets one: a legacy server would choose for itself


class Say(msgspec.Struct, frozen=True):
    """Tell the gate this (one message, in the modern era's words), as if the client had said it."""

    line: bytes


Step: TypeAlias = Output | Say


class ClientLink:
    """A legacy client and the gate before it. `discovered` is the upstream's DiscoverResult."""

    def __init__(self, gate: Gate, names: Names, discovered: dict[str, Json]) -> None:
        self.gate, self.names = gate, names
        self.discovered = discovered
        self.offered = capabilities.offered(discovered)
        self.book = Book()
        self.version = eras.NEWEST_LEGACY
        self.capabilities: dict[str, Json] = {}
        self.level = DEFAULT_LEVEL
        self.initialized = False
        self.listening: RequestId | None = None  # the subscription to changes of lists
        self.listen_at = 0  # when to try again, should it have ended; 0: it need not be
        self.listen_pause = 0
        self.watched: dict[str, Wanted] = {}  # by URI
        self._envelope: dict[str, Json] = {}

    def introduce(self, params: dict[str, Json]) -> dict[str, Json]:
        """Take in what a client says in `initialize`; gives the InitializeResult."""
        result = capabilities.initialize_result(self.discovered, params.get("protocolVersion"))
        version = result["protocolVersion"]
        self.version = version if isinstance(version, str) else eras.NEWEST_LEGACY
        self._envelope = capabilities.envelope(params)
        self.capabilities = capabilities.client_capabilities(self._envelope)
        return result

    def enveloped(self, params: Members) -> Members:
        """Params with the modern envelope put on."""
        meta: dict[str, object] = {**(members.read(params.get("_meta")) or {}), **self._envelope}
        if isinstance(self.offered.get("logging"), dict):
            meta[levels.LEVEL_META] = self.level
        return {**params, "_meta": members.raw(meta)}

    def request(self, method: str, params: Members, wanted: Wanted) -> Say:
        """A request of the guard's own for the client, under a new id."""
        gate_id = self.names.next()
        self.book.add(wanted, gate_id)
        return Say(members.up(members.message(method, self.enveloped(params), gate_id)))

    def reply(self, wanted: Wanted, line: bytes) -> list[Output]:
        """Answer a request of the client's, which waits no longer."""
        self.book.close(wanted)
        return replies(answered(wanted.id, wanted.batch, line))

    def give(self, wanted: Wanted, value: object) -> list[Output]:
        """Answer a request of the client's with a result of the guard's own."""
        return self.reply(wanted, members.down(members.result(wanted.id, value)))

    def fail(self, wanted: Wanted, code: int, text: str) -> list[Output]:
        """Answer a request of the client's with an error."""
        return self.reply(wanted, members.down(members.failure(wanted.id, code, text)))


def told(method: str, params: object = None, request_id: RequestId | None = None) -> Reply:
    """A notification or request of the guard's own to the client."""
    return Reply(members.down(members.message(method, params, request_id)))
