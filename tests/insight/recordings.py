"""Logs as a real gate makes them: conversations driven through it, every event recorded in a store."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from mcp_guard.events import Event, ToolsListed
from mcp_guard.gate import Connection, Gate
from mcp_guard.governance import NoRegistry, Registry
from mcp_guard.policy import Policy, Source, load
from mcp_guard.store import Store
from tests.gate.playbook import Playbook, Turn, call, notification, request, result, tool

DAY = 86_400_000_000
NOON = 1_795_262_400_000_000  # 2026-11-21T12:00:00Z in microseconds
KEY = b"k" * 32


@lru_cache(maxsize=8)
def policy_of(text: str) -> Policy:
    return load([Source("policy.json" if text.startswith("{") else "policy.yaml", text.encode())])


class Recording:
    """One client with one server behind a gate, from handshake to the last call."""

    def __init__(
        self,
        policy: str,
        tools: Sequence[str | Mapping[str, Any]],
        *,
        id: str = "C1",
        server: str = "files",
        client: str = "claude-code",
        at: int = NOON,
        registry: Registry | None = None,
        **facts: Any,
    ) -> None:
        self.book = Playbook()
        self.registry: Any = registry or NoRegistry()
        connection = Connection(id=id, server=server, **{"user": "kim", "redaction_key": KEY, **facts})
        self.book.gate = Gate(connection, policy_of(policy), self.registry)
        self.book.now = at
        self.events: list[Event] = []
        self._calls = 0
        self._shake_hands(client, [one if isinstance(one, Mapping) else tool(one) for one in tools])

    def _shake_hands(self, client: str, tools: list[Any]) -> None:
        info = {"name": client, "version": "2.1"}
        book = self.book
        self._take(
            book.client(request(0, "initialize", protocolVersion="2025-11-25", clientInfo=info, capabilities={}))
        )
        server = {"name": "server", "version": "1"}
        answer = result(
            0,
            protocolVersion="2025-11-25",
            serverInfo=server,
            capabilities={"tools": {}, "prompts": {}, "resources": {}},
        )
        self._take(book.upstream(answer))
        listing = self._take(book.client(notification("notifications/initialized"))).upstream[1]
        self._take(book.upstream(result(listing["id"], tools=tools)))

    def call(self, name: str, **arguments: Any) -> Event:
        """Send a call and have it answered; gives its decision."""
        self._calls += 1
        turn = self._take(self.book.client(call(self._calls, name, **arguments)))
        for event in turn.events:
            if event.type == "approval.requested":
                turn = self._answered(event.rule or "")
        decided = next(event for event in turn.events if event.type == "tool.decided")
        if decided.data["forwarded"]:
            self._take(self.book.upstream(result(self._calls, content=[])))
        return decided

    def _answered(self, approval: str) -> Turn:
        """The person who keeps the registry decides."""
        self.registry.decide(approval)
        return self._take(self.book.turn(self.book.gate.registry_changed(self.book.now)))

    def ask(self, method: str, **params: Any) -> Event | None:
        """Ask something of a prompt or resource and have it answered; gives its decision, if the policy has a say."""
        self._calls += 1
        turn = self._take(self.book.client(request(self._calls, method, **params)))
        judged = next((event for event in turn.events if event.type.endswith(".decided")), None)
        if judged is None or judged.data["forwarded"]:
            self._take(self.book.upstream(result(self._calls, contents=[], messages=[])))
        return judged

    def _take(self, turn: Turn) -> Turn:
        self.events += turn.events
        return turn


def record(path: Path, *recordings: Recording) -> str:
    """The log of these conversations, in the order of time."""
    store = Store.open(str(path))
    events = sorted((event for recording in recordings for event in recording.events), key=lambda event: event.ts)
    for event in events:
        store.record([event])
        if isinstance(event, ToolsListed):
            store.learn(event)
    store.close()
    return str(path)
