"""Conversations with a hub: what the client and each server say, and what the hub makes of it.

A `Playbook` holds a hub with real gates behind it. `client(message)` and `server(slug, message)` give a `Turn`: what
went to each server, what went to the client, which events were recorded. Every line that leaves is checked on its way.
`Servers` answers the hub's own requests, so that a conversation can begin where it gets interesting.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from mcp_guard.events import Event
from mcp_guard.gate import Admitted, Connection, Denied, Forward, Gate, Pending, Record
from mcp_guard.gate.bridge import Bridged
from mcp_guard.gate.bridge.bridged import KEY_BYTES
from mcp_guard.gate.hub import Addressed, Hub, Member, Tardy
from mcp_guard.policy import Policy
from tests.gate.playbook import ALLOW_ALL, META, notification, policy_of, request, result, tool

CLIENT = {"name": "claude-code", "version": "2.1"}


@dataclass
class Turn:
    """What a hub made of one message."""

    servers: list[tuple[str, dict]] = field(default_factory=list)
    client: list = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    outputs: list[Addressed] = field(default_factory=list)

    def to(self, slug: str) -> list[dict]:
        return [message for name, message in self.servers if name == slug]

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]

    @property
    def reasons(self) -> list[str]:
        return [event.data["reason"] for event in self.events if event.type == "message.rejected"]

    def answer(self, request_id: object) -> dict:
        found = [message for message in self.client if "method" not in message and message["id"] == request_id]
        assert len(found) == 1, self.client
        return found[0]

    def __add__(self, other: "Turn") -> "Turn":
        return Turn(
            self.servers + other.servers,
            self.client + other.client,
            self.events + other.events,
            self.outputs + other.outputs,
        )


@dataclass
class Server:
    """What a server says when it is asked. `silent`: it does not."""

    tools: list = field(default_factory=list)
    prompts: list = field(default_factory=list)
    resources: list = field(default_factory=list)
    templates: list = field(default_factory=list)
    capabilities: dict = field(default_factory=lambda: {"tools": {}, "prompts": {}, "resources": {}, "logging": {}})
    instructions: str | None = None
    protocol: str | None = None
    silent: bool = False
    mute: tuple[str, ...] = ()  # methods that it never answers

    def answer(self, message: dict) -> dict | None:
        if self.silent or "id" not in message or "method" not in message or message["method"] in self.mute:
            return None
        method, request_id = message["method"], message["id"]
        modern = "io.modelcontextprotocol/protocolVersion" in message.get("params", {}).get("_meta", {})
        more = {"resultType": "complete", "ttlMs": 5_000, "cacheScope": "public"} if modern else {}
        if method == "initialize":
            version = self.protocol or message["params"].get("protocolVersion", "2025-11-25")
            words = {} if self.instructions is None else {"instructions": self.instructions}
            info = {"name": "S", "version": "1"}
            return result(request_id, protocolVersion=version, capabilities=self.capabilities, serverInfo=info, **words)
        if method == "server/discover":
            return result(request_id, supportedVersions=["2026-07-28"], capabilities=self.capabilities, **more)
        lists = {
            "tools/list": ("tools", [entry if isinstance(entry, dict) else tool(entry) for entry in self.tools]),
            "prompts/list": ("prompts", [{"name": name} for name in self.prompts]),
            "resources/list": ("resources", [{"uri": uri, "name": uri} for uri in self.resources]),
            "resources/templates/list": (
                "resourceTemplates",
                [{"uriTemplate": one, "name": one} for one in self.templates],
            ),
        }
        if method in lists:
            member, entries = lists[method]
            return result(request_id, **{member: entries}, **more)
        return None


class Playbook:
    """A hub and its servers. `servers` answer by themselves what they know; what they do not stands in the turn."""

    def __init__(
        self,
        servers: dict[str, Server] | Iterable[str],
        policy: str = ALLOW_ALL,
        *,
        lazy: Iterable[str] = (),
        prefix: str = "{server}__",
        bridged: bool = False,
        tardy: Tardy | None = None,
    ) -> None:
        self.bridged = bridged
        self.servers = servers if isinstance(servers, dict) else {slug: Server() for slug in servers}
        self.lives = 0
        self.now = 1_000_000
        members = [Member(slug, lazy=slug in lazy) for slug in self.servers]
        connection = Connection(id="H", server="", user="kim")
        self.hub = Hub(connection, policy_of(policy), members, self._open_gate, prefix=prefix, tardy=tardy)
        self.opening = self.turn(self.hub.start(self.now))

    def _open_gate(self, slug: str, prefix: str, policy: Policy) -> Gate | Bridged:
        self.lives += 1
        gate = Gate(Connection(id=f"C{self.lives}", server=slug, user="kim", prefix=prefix), policy)
        return Bridged(gate, self.lives.to_bytes(KEY_BYTES)) if self.bridged else gate

    def client(self, message: object) -> Turn:
        line = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
        return self.turn(self.hub.from_client(line, self._tick()))

    def server(self, slug: str, message: object) -> Turn:
        line = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
        return self.turn(self.hub.from_upstream(slug, line, self._tick()))

    def started(self, slug: str) -> Turn:
        return self.turn(self.hub.upstream_started(slug, self._tick()))

    def exited(self, slug: str, how: str = "exited with status 3") -> Turn:
        return self.turn(self.hub.upstream_exited(slug, how, self._tick()))

    def policy(self, policy: str) -> Turn:
        return self.turn(self.hub.replace_policy(policy_of(policy), self._tick()))

    def wait(self, seconds: float) -> Turn:
        self.now += int(seconds * 1_000_000)
        return self.turn(self.hub.tick(self.now))

    def turn(self, outputs: list[Addressed]) -> Turn:
        """What came of it, and of the answers that the servers gave by themselves."""
        turn = self._read(outputs)
        for slug, message in list(turn.servers):
            answer = self.servers[slug].answer(message)
            if answer is not None:
                turn += self.server(slug, answer)
        return turn

    def _tick(self) -> int:
        self.now += 1_000
        return self.now

    def _read(self, outputs: list[Addressed]) -> Turn:
        turn = Turn(outputs=outputs)
        for slug, output in outputs:
            if isinstance(output, Record | Admitted | Denied | Pending):
                turn.events.append(output.event)
            if isinstance(output, Record) or output.line is None:
                continue
            assert len(output.line.splitlines()) == 1
            assert len(output.line.decode().splitlines()) == 1
            message = json.loads(output.line)
            if isinstance(output, Admitted | Forward):
                assert slug in self.servers
                turn.servers.append((slug, message))
            else:
                turn.client.append(message)
        return turn


def connected(servers: dict[str, Server] | Iterable[str], policy: str = ALLOW_ALL, **more: object) -> Playbook:
    """A playbook whose legacy handshake is done, and was so long ago that the first list asks every server anew."""
    book = Playbook(servers, policy, **more)
    for slug in book.servers:
        if slug not in more.get("lazy", ()):
            book.started(slug)
    opening = book.client(request(0, "initialize", protocolVersion="2025-11-25", clientInfo=CLIENT, capabilities={}))
    book.hello = next((message for message in opening.client if message.get("id") == 0), None)
    opening += book.client(notification("notifications/initialized"))
    if book.hello is not None:
        for slug, asked in asked_ahead(opening):
            if book.servers[slug].answer(asked) is None:
                book.server(slug, result(asked["id"], tools=[]))
        book.wait(6)
    return book


def asked_ahead(opening: Turn) -> list[tuple[str, dict]]:
    """The lists of tools that the hub has asked servers for before the client did."""
    lists = [(slug, message) for slug, message in opening.servers if message["method"] == "tools/list"]
    return [(slug, message) for slug, message in lists if message["id"].startswith("mcp-guard/hub/")]


def modern(servers: dict[str, Server] | Iterable[str], policy: str = ALLOW_ALL, **more: object) -> Playbook:
    """A playbook whose modern client has discovered the hub."""
    book = Playbook(servers, policy, **more)
    for slug in book.servers:
        if slug not in more.get("lazy", ()):
            book.started(slug)
    book.hello = book.client(request("d", "server/discover", _meta=META)).answer("d")
    return book
