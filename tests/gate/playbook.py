"""Conversations with a gate: what one side sends, and what the gate makes of it.

A `Playbook` holds a gate under a policy. `client` and `upstream` send it one message (plain data, or bytes as they are)
and give a `Turn`: what went upstream, what went to the client, and which events were recorded, in order. Every line
that leaves is checked to be one line of JSON on its way.
"""

import json
from dataclasses import dataclass, field

from mcp_guard.events import Event
from mcp_guard.gate import Admitted, Connection, Denied, End, Forward, Gate, Output, Pending, Record
from mcp_guard.policy import Policy, Source, load

ALLOW_ALL = "version: 1\nname: allow-all\nrules:\n  - {id: everything, name: Everything, effect: allow}\n"

FILES_POLICY = """
version: 1
name: files
rules:
  - {id: no-delete, name: Nothing is deleted, effect: deny, tools: "delete_*"}
  - {id: sandbox, name: Writes stay in the sandbox, effect: gated, tools: write_file, message: Write below /tmp.,
     when: 'request.args.path.startsWith("/tmp/")'}
  - {id: ask, name: Mail needs approval, effect: require_approval, tools: send_mail}
  - {id: reads, name: Reading is free, effect: allow, tools: "read_*"}
"""
FILES_TOOLS = ("read_file", "write_file", "delete_file", "send_mail")

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "cursor", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


@dataclass
class Turn:
    """What a gate made of one message."""

    upstream: list = field(default_factory=list)
    client: list = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]


def tool(name: str, *properties: str, **more: object) -> dict:
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in properties}}
    return {"name": name, "description": f"The tool {name}", "inputSchema": schema, **more}


def request(request_id: object, method: str, **params: object) -> dict:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}


def call(request_id: object, name: str, meta: dict | None = None, /, **arguments: object) -> dict:
    more = {} if meta is None else {"_meta": meta}
    return request(request_id, "tools/call", name=name, arguments=arguments, **more)


def notification(method: str, **params: object) -> dict:
    return {"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})}


def result(request_id: object, **members: object) -> dict:
    return {"jsonrpc": "2.0", "id": request_id, "result": members}


class Playbook:
    def __init__(self, policy: str = ALLOW_ALL, **facts: object) -> None:
        self.gate = Gate(Connection(id="C", server="files", user="kim", **facts), policy_of(policy))
        self.now = 1_000_000

    def client(self, message: object) -> Turn:
        return self._turn(self.gate.from_client(_line(message), self._tick()))

    def upstream(self, message: object) -> Turn:
        return self._turn(self.gate.from_upstream(_line(message), self._tick()))

    def policy(self, policy: str) -> Turn:
        return self._turn(self.gate.replace_policy(policy_of(policy), self._tick()))

    def wait(self, seconds: float) -> Turn:
        self.now += int(seconds * 1_000_000)
        return self._turn(self.gate.tick(self.now))

    def turn(self, outputs: list[Output]) -> Turn:
        return self._turn(outputs)

    def _tick(self) -> int:
        self.now += 1_000
        return self.now

    def _turn(self, outputs: list[Output]) -> Turn:
        turn = Turn(outputs=outputs)
        for output in outputs:
            if isinstance(output, Record | Admitted | Denied | Pending):
                turn.events.append(output.event)
            if isinstance(output, Record | End) or output.line is None:
                continue
            side = turn.upstream if isinstance(output, Admitted | Forward) else turn.client
            side.append(json.loads(output.line))
            turn.lines.append(output.line)
            assert len(output.line.splitlines()) == 1
            assert len(output.line.decode().splitlines()) == 1
        return turn


def policy_of(text: str) -> Policy:
    return load([Source("policy.yaml", text.encode())])


def connected(
    policy: str = ALLOW_ALL, tools: tuple = FILES_TOOLS, *, protocol: str = "2025-11-25", **facts
) -> Playbook:
    """A playbook whose legacy handshake is done and whose upstream's tools are listed."""
    book = Playbook(policy, **facts)
    client = {"name": "claude-code", "version": "2.1"}
    book.client(request(0, "initialize", protocolVersion=protocol, clientInfo=client, capabilities={}))
    info = {"name": "files", "version": "1"}
    book.upstream(result(0, protocolVersion=protocol, serverInfo=info, capabilities={"tools": {}}))
    listing = book.client(notification("notifications/initialized")).upstream[1]
    book.upstream(result(listing["id"], tools=[entry if isinstance(entry, dict) else tool(entry) for entry in tools]))
    return book


def modern(policy: str = ALLOW_ALL, tools: tuple = FILES_TOOLS, **facts) -> Playbook:
    """A playbook of the modern era whose probe is answered and whose upstream's tools are listed."""
    book = Playbook(policy, **facts)
    book.client(request("probe", "server/discover", _meta=META))
    answer = result("probe", resultType="complete", supportedVersions=["2026-07-28"], capabilities={"tools": {}})
    listing = book.upstream(answer).upstream[0]
    book.upstream(result(listing["id"], resultType="complete", tools=[tool(name) for name in tools]))
    return book


def _line(message: object) -> bytes:
    return message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
