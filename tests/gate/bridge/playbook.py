"""Conversations through a bridged gate: `tests.gate.playbook` with a `Bridged` in the gate's place.

A `Book` is at the very beginning. `modern_book` is a modern client whose legacy upstream has done its handshake;
`legacy_book` is a legacy client whose modern upstream has been found out.
"""

from mcp_guard.gate import Admitted, Denied, Output, Refusal
from mcp_guard.gate.bridge import Bridged
from tests.gate.playbook import ALLOW_ALL, FILES_TOOLS, META, Playbook, Turn, notification, request, result, tool

KEY = bytes(range(32))
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
ABLE = {"elicitation": {"form": {}, "url": {}}, "roots": {}, "sampling": {}}
ABLE_META = META | {CAPABILITIES: ABLE}
SERVER = {"name": "files", "version": "1"}
SERVER_META = {"io.modelcontextprotocol/serverInfo": SERVER}
OFFERED = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {"subscribe": True, "listChanged": True},
    "logging": {},
    "completions": {},
}
NOT_FOUND = {"code": -32601, "message": "Method not found"}


class Book(Playbook):
    """A playbook whose gate is bridged."""

    def __init__(self, policy: str = ALLOW_ALL, key: bytes = KEY, **facts: object) -> None:
        super().__init__(policy, **facts)
        self.bare = self.gate
        self.gate = Bridged(self.gate, key)
        self.last = Turn()

    def _turn(self, outputs: list[Output]) -> Turn:
        self.last = super()._turn(outputs)
        return self.last

    def refuse(self, turn: Turn) -> list[Denied]:
        """The rows of a turn could not be written."""
        return [
            self.gate.refuse(output, Refusal("disk full")) for output in turn.outputs if isinstance(output, Admitted)
        ]

    def again(self, turn: Turn) -> Turn:
        """The registry was changed before the rows of a turn could be written."""
        admitted = [output for output in turn.outputs if isinstance(output, Admitted)]
        return self.turn([output for one in admitted for output in self.gate.again(one, self._tick())])


def error(request_id: object, code: int, message: str = "no", **more: object) -> dict:
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message, **more}}


def initialized(request_id: object, version: str = "2025-11-25", capabilities: dict | None = None) -> dict:
    offered = OFFERED if capabilities is None else capabilities
    return result(request_id, protocolVersion=version, serverInfo=SERVER, capabilities=offered, instructions="i")


def discovered(request_id: object, capabilities: dict | None = None, versions: tuple = ("2026-07-28",)) -> dict:
    offered = OFFERED if capabilities is None else capabilities
    more = {"instructions": "i", "_meta": SERVER_META, "ttlMs": 60_000, "cacheScope": "public"}
    return result(request_id, resultType="complete", supportedVersions=list(versions), capabilities=offered, **more)


def modern_book(
    policy: str = ALLOW_ALL,
    meta: dict = ABLE_META,
    *,
    version: str = "2025-11-25",
    capabilities: dict | None = None,
    key: bytes = KEY,
) -> Book:
    """A modern client, with a legacy upstream that is ready and whose tools are listed."""
    book = Book(policy, key)
    book.client(request("probe", "server/discover", _meta=meta))
    [handshake] = book.upstream({"jsonrpc": "2.0", "id": "probe", "error": NOT_FOUND}).upstream
    turn = book.upstream(initialized(handshake["id"], version, capabilities))
    listing = turn.upstream[-1]
    if listing["method"] == "tools/list":
        book.upstream(result(listing["id"], tools=[tool(name) for name in FILES_TOOLS]))
    return book


def ask(request_id: object, method: str = "elicitation/create", **params: object) -> dict:
    """A legacy upstream's question."""
    if method == "elicitation/create" and not params:
        params = {"message": "Which?", "requestedSchema": {"type": "object", "properties": {}}}
    return request(request_id, method, **params)


def legacy_book(
    policy: str = ALLOW_ALL, able: dict = ABLE, *, version: str = "2025-11-25", capabilities: dict | None = None
) -> Book:
    """A legacy client, with a modern upstream whose tools are listed. The handshake is done, the guard listens."""
    book = Book(policy)
    client = {"name": "cursor", "version": "1"}
    book.client(request(0, "initialize", protocolVersion=version, clientInfo=client, capabilities=able))
    [probe] = book.upstream({"jsonrpc": "2.0", "id": 0, "error": NOT_FOUND}).upstream
    [listing] = book.upstream(discovered(probe["id"], capabilities)).upstream
    book.upstream(result(listing["id"], resultType="complete", tools=[tool(name) for name in FILES_TOOLS]))
    book.listen = book.client(notification("notifications/initialized")).upstream
    return book
