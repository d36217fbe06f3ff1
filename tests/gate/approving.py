"""A playbook in which a person is asked: a gate with a registry, and a client that shows forms or does not."""

from mcp_guard.gate import Connection, Gate
from mcp_guard.governance import NoRegistry, Ruling, Snapshot
from mcp_guard.governance.snapshot import Override
from tests.gate.playbook import META, Playbook, Turn, call, notification, policy_of, request, result, tool

POLICY = """
version: 1
name: mail
rules:
  - {id: no-spam, effect: deny, tools: send_mail, when: 'request.args.to == "all"'}
  - {id: ask, name: Mail is asked for, effect: require_approval, tools: send_mail, message: Think twice.}
  - {id: reads, effect: allow, tools: "read_*"}
"""
STORE = POLICY + "settings: {approvals: store, approval_timeout: 60}\n"
FORMS = {"elicitation": {}}
MODERN = {**META, "io.modelcontextprotocol/clientCapabilities": FORMS}
ONCE, SESSION, DENY = "allow once", "allow for this session", "deny"


class Kept(NoRegistry):
    """A registry in which the test decides."""

    def __init__(self) -> None:
        self.rulings: dict[str, Ruling] = {}
        self.overrides: tuple[Override, ...] = ()

    def snapshot(self, agent: str, credential: object) -> Snapshot:
        return Snapshot(agent, 1, overrides=self.overrides)

    def ruling(self, approval: str) -> Ruling | None:
        return self.rulings.get(approval)


class Approving(Playbook):
    """A playbook with a registry, after the handshake of a client that shows forms, or does not."""

    def __init__(
        self, policy: str = POLICY, *, modern: bool = False, forms: bool = True, mode: str = "enforce"
    ) -> None:
        self.registry = Kept()
        facts = Connection(id="C", server="files", user="kim", redaction_key=b"k" * 32, mode=mode)
        self.gate = Gate(facts, policy_of(policy), self.registry)
        self.now = 1_000_000
        self.modern = modern
        self._greet_modern() if modern else self._greet(FORMS if forms else {})

    def _greet(self, capabilities: dict) -> None:
        client = {"name": "claude-code", "version": "2"}
        self.client(
            request(0, "initialize", protocolVersion="2025-11-25", clientInfo=client, capabilities=capabilities)
        )
        self.upstream(result(0, protocolVersion="2025-11-25", capabilities={"tools": {}}))
        self._list(self.client(notification("notifications/initialized")).upstream[1]["id"])

    def _greet_modern(self) -> None:
        self.client(request("probe", "server/discover", _meta=MODERN))
        found = result("probe", resultType="complete", supportedVersions=["2026-07-28"], capabilities={"tools": {}})
        self._list(self.upstream(found).upstream[0]["id"])

    def _list(self, request_id: object) -> None:
        tools = [tool("send_mail", "to", "text"), tool("read_mail")]
        self.upstream(result(request_id, resultType="complete", tools=tools))

    def decided(self, approval: str, *, approved: bool = True, scope: str = "once", comment: str = "") -> Turn:
        self.registry.rulings[approval] = Ruling(approved, scope, "ann", comment)
        return self.changed()

    def changed(self) -> Turn:
        return self.turn(self.gate.registry_changed(self._tick()))

    def mail(self, request_id: object, to: str = "bob", **more: object) -> Turn:
        return self.client(call(request_id, "send_mail", MODERN if self.modern else None, to=to, **more))


def said(question: dict, choice: str | None = ONCE, action: str = "accept") -> dict:
    content = {} if choice is None else {"content": {"decision": choice}}
    return result(question["id"], action=action, **content)
