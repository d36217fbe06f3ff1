"""A guarded connection on a real database whose registry is changed in the very instant in which a call is judged.

`Line` stands for a pump: what the client says goes through a conversation, rows are committed by a real ledger, and
what goes upstream is answered by a server that runs everything. `changes` happen one after another, each between a
decision and the writing of its row: the latest moment at which it can become out of date.
"""

import json
import time
from collections.abc import Callable, Sequence

from mcp_guard.cli.policy_files import PolicyFiles
from mcp_guard.cli.shared_policy import SharedPolicy
from mcp_guard.events import Event, Judged
from mcp_guard.gate import Admitted, Connection, Denied, Forward, Gate, Pending, Record
from mcp_guard.gate.bridge import Bridged
from mcp_guard.gate.bridge.bridged import KEY_BYTES
from mcp_guard.gate.hub import Hub, Member
from mcp_guard.policy import Policy
from mcp_guard.store import LiveRegistry, Store
from mcp_guard.store.registry import agents
from mcp_guard.store.registry.book import Book
from mcp_guard.store.writing import Written
from mcp_guard.transports.conversation import Addressed, Conversation, Single
from mcp_guard.transports.ledger import Ledger
from mcp_guard.transports.unwritten import settled
from tests.gate.hub.playbook import Server
from tests.gate.playbook import META, notification, policy_of, request, result

AGENT = "claude-code"
MODERN = {
    **META,
    "io.modelcontextprotocol/clientInfo": {"name": AGENT, "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
}
TOOLS = ["read_file", "send_mail"]
Change = Callable[[Book], object]

SHAPES = {  # the era of the client, the eras of the server, whether it is one of several
    "legacy": ("legacy", ("legacy",), False),
    "modern": ("modern", ("modern",), False),
    "a modern client, a legacy server": ("modern", ("legacy",), False),
    "a legacy client, a modern server": ("legacy", ("modern",), False),
    "one of several servers, legacy": ("legacy", ("legacy", "modern"), True),
    "one of several servers, modern": ("modern", ("legacy", "modern"), True),
}


class Interfered(Store):
    """A store before whose every write of a decision the next change of the registry is made."""

    changes: Sequence[Change] = ()
    book: Book

    def record(self, events: Sequence[Event]) -> Written:
        """The invariant is checked here: a row that lets something through has the version of this very moment."""
        letting = [one for one in events if isinstance(one, Judged) and one.registry is not None]
        if letting and self.changes:
            change, *self.changes = self.changes
            change(self.book)
        written = super().record(events)
        for one in letting:
            assert one.registry == self.registry_version(), "a row was committed under another registry"
        for one in events:
            assert not isinstance(one, Judged) or one.decision != "allow" or one in letting
        return written


class Line:
    """One connection of a client's, of this shape."""

    def __init__(self, path: str, policy: str, shape: str = "legacy", *, forms: bool = True) -> None:
        self.era, self._speaks, several = SHAPES[shape]
        self.store = Interfered.open(path)
        assert isinstance(self.store, Interfered)
        self.book = self.store.book = Book(path, "kim")
        agents.create(self.book, AGENT)
        self._registry = LiveRegistry(self.store)
        self._ledger = Ledger(self.store, registry=self._registry)
        read = policy_of(policy)
        self._conversation = self._of_several(read) if several else Single("files", self._gate("files", "", read))
        shared = SharedPolicy(PolicyFiles([]), read, self._registry)
        self._reload = shared.reloader(self._conversation)
        self._server = Server(tools=TOOLS, prompts=["report"], resources=["db://users", "db://orders"])
        self._lives = 0
        self._told: list[dict] = []
        self.ran: list[dict] = []  # what of the client's calls and other requests has reached the server
        self._carry(self._conversation.start(self._now()))
        for slug in ("files", "other") if several else ():
            self._carry(self._conversation.upstream_started(slug, self._now()))
        self._greet({"elicitation": {}} if forms else {})

    def _of_several(self, policy: Policy) -> Conversation:
        members = [Member("files"), Member("other")]
        return Hub(Connection(id="H", server="", user="kim"), policy, members, self._gate, prefix="")

    def _gate(self, slug: str, prefix: str, policy: Policy) -> Bridged:
        facts = Connection(id=f"C-{slug}", server=slug, user="kim", redaction_key=b"k" * 32, prefix=prefix)
        return Bridged(Gate(facts, policy, self._registry), slug.encode().ljust(KEY_BYTES))

    def _greet(self, capabilities: dict) -> None:
        if self.era == "modern":
            self.say(request("probe", "server/discover", _meta=MODERN))
            self.say(request("list", "tools/list", _meta=MODERN))
        else:
            info = {"name": AGENT, "version": "1"}
            self.say(request("hi", "initialize", protocolVersion=VERSION, clientInfo=info, capabilities=capabilities))
            self.say(notification("notifications/initialized"))
            self.say(request("list", "tools/list"))
        self._told.clear()

    @property
    def meta(self) -> dict:
        """What every request of this client carries."""
        return {"_meta": MODERN} if self.era == "modern" else {}

    def call(self, request_id: object, tool: str = "read_file", **arguments: object) -> dict:
        return request(request_id, "tools/call", name=tool, arguments=arguments, **self.meta)

    def say(self, *messages: object, changes: Sequence[Change] = ()) -> list:
        """What the client says in one go; gives what it is told, to the last answer."""
        self.store.changes = list(changes)
        now = self._now()
        outputs = self._reload(now)
        for message in messages:
            outputs += self._conversation.from_client(json.dumps(message).encode(), now)
        self._carry(outputs)
        told, self._told = self._told, []
        return told

    def _carry(self, outputs: list[Addressed]) -> None:
        rows = [output.event for _, output in outputs if isinstance(output, Admitted | Denied | Pending | Record)]
        refused = self._ledger.commit(rows)
        left = settled(outputs, refused, self._conversation, self._ledger, self._reload)
        self._ledger.flush()
        for slug, output in left:
            if isinstance(output, Admitted | Forward):
                self._upstream(slug, json.loads(output.line))
            elif not isinstance(output, Record) and getattr(output, "line", None) is not None:
                self._told.append(json.loads(output.line))

    def _upstream(self, slug: str, message: dict) -> None:
        """The server of this name is told something, and answers."""
        answer = self._answer(slug, message)
        if answer is not None:
            self._carry(self._conversation.from_upstream(slug, json.dumps(answer).encode(), self._now()))

    def _answer(self, slug: str, message: dict) -> dict | None:
        method, request_id = message.get("method", ""), message.get("id")
        if method == "server/discover" and "modern" not in self._speaks:
            return {"jsonrpc": "2.0", "id": request_id, "error": {"code": -32601, "message": "Method not found"}}
        if method in RUN:
            self.ran.append(message)
            return (
                None if method == "subscriptions/listen" else result(request_id, resultType="complete", **RUN[method])
            )
        return self._server.answer(message) if slug == "files" else Server().answer(message)

    def rows(self) -> list[dict]:
        """Each decision in the log: its type, what it was, who decided, of what."""
        kinds = "('tool.decided', 'prompt.decided', 'resource.decided')"
        return self.book.rows(f"SELECT type, decision, decided_by, tool FROM events WHERE type IN {kinds} ORDER BY seq")

    def decisions(self) -> list[tuple[str, str]]:
        return [(row["decision"], row["decided_by"]) for row in self.rows()]

    def close(self) -> None:
        self._ledger.close()
        self.book.close()
        self.store.close()

    @staticmethod
    def _now() -> int:
        return time.time_ns() // 1000


VERSION = "2025-11-25"
RUN = {
    "tools/call": {"content": [{"type": "text", "text": "done"}]},
    "prompts/get": {"messages": []},
    "resources/read": {"contents": []},
    "subscriptions/listen": None,
}


def texts(told: list) -> list[str]:
    """What the answers to calls say."""
    return [one["result"]["content"][0]["text"] for one in told if "content" in one.get("result", {})]
