"""Events of one connection, made out of what the gate knows. The only place that says which data an event holds.

Texts that come from a client or an upstream are bounded and masked before they go into a column; arguments go through
`redaction` as the policy asks. Ids count up from the connection's own id: the hot path spends no randomness.
"""

from collections.abc import Mapping, Sequence

from msgspec import structs

from mcp_guard.events import Event, EventType, Judged, ToolsListed
from mcp_guard.gate.catalog import Tool
from mcp_guard.gate.connection import Client, Connection
from mcp_guard.gate.messages import RequestId
from mcp_guard.gate.requests import ReadCall
from mcp_guard.governance import Credential, Snapshot
from mcp_guard.policy import Policy
from mcp_guard.policy.values import Decision, Principal
from mcp_guard.redaction import recorded_arguments, safe_text

_UNREGISTERED = Principal("", "")
_LONGEST_TEXT = 1024
_MOST_TOOLS = 2_000  # names in one event: an upstream may list as many as it likes, a row is bounded


class Recorder:
    """Makes the events of one connection. `policy` is whichever is in force."""

    def __init__(self, connection: Connection, client: Client, policy: Policy) -> None:
        self._connection = connection
        self._client = client
        self._count = 0
        self._introduced = _UNREGISTERED  # the principal of whom `_said` is
        self._said: dict[str, object] = {}
        self.policy = policy

    def event(self, kind: EventType, now: int, data: Mapping[str, object], label: str | None = None) -> Event:
        """An event of this connection at `now` (microseconds since the epoch) that is not a decision."""
        self._count += 1
        principal = self._client.principal
        return Event(
            id=f"{self._connection.id}-{self._count}",
            ts=now,
            type=kind,
            connection_id=self._connection.id,
            agent=principal.agent,
            agent_verified=principal.verified,
            user=principal.user,
            server=self._connection.server,
            tool=label,
            policy_hash=self.policy.hash,
            data=data,
        )

    def decided(
        self,
        now: int,
        call: ReadCall,
        label: str,
        decision: Decision,
        snapshot: Snapshot,
        *,
        forwarded: bool,
        rule: str | None = None,
    ) -> Judged:
        """The row of one judged call: enough to ask why, and to decide it again under another policy.

        `label` is the tool's name as the log shows it; `snapshot` is what the decision was made under; `rule` is the
        policy's that says what the call costs, if any does.
        """
        self._count += 1
        connection, policy, principal = self._connection, self.policy, self._client.principal
        if principal is not self._introduced:
            self._introduced, self._said = principal, self._said_of(principal)
        charged = forwarded and snapshot.counted
        mode = connection.audit_arguments or policy.settings.audit_arguments
        data = recorded_arguments(call.arguments, call.encoded, mode, connection.redaction_key)
        data["request_id"] = shown_id(call.request.id)
        data["reason"] = decision.reason
        data["mode"] = connection.mode
        data["forwarded"] = forwarded
        usd = policy.cost(rule, connection.server, call.tool) if forwarded and policy.priced else 0.0
        if usd:
            data["usd"] = usd  # also where no budget counts it: one that is set later does
        data |= self._said
        return Judged(
            id=f"{connection.id}-{self._count}",
            ts=now,
            type="tool.decided",
            connection_id=connection.id,
            agent=principal.agent,
            agent_verified=principal.verified,
            user=principal.user,
            server=connection.server,
            tool=label,
            decision=decision.outcome,
            decided_by=decision.decided_by,
            rule=decision.rule,
            policy_hash=policy.hash,
            data=data,
            registry=snapshot.version,
            under=snapshot,
            charged=charged,
            usd=usd if charged else 0.0,
            observed=connection.mode == "observe",
        )

    def _said_of(self, principal: Principal) -> dict[str, object]:
        """What each decision says of its principal beside the columns: as far as another policy may ask for it."""
        said: dict[str, object] = {}
        if principal.groups:
            said["groups"] = principal.groups
        if principal.user_verified:
            said["user_verified"] = True
        if registered := _registered(principal):
            said["registry"] = registered
        if not principal.verified:
            said["client"] = self._client.label  # another policy may take it for another agent
        return said

    def completed(self, now: int, label: str, decision_id: str, started: int, is_error: bool, size: int) -> Event:
        """The answer to a forwarded call: how long it took (microseconds), whether it was an error, its bytes."""
        data = {"decision": decision_id, "duration_us": max(0, now - started), "is_error": is_error, "bytes": size}
        return self.event("tool.completed", now, data, label)

    def listed(self, now: int, tools: Sequence[Tool]) -> ToolsListed:
        """The upstream's tools, as the guard learned them: how many, and the hash of each definition by name."""
        hashes = [(tool, tool.hash) for tool in tools]
        shown = {tool.label: digest for tool, digest in hashes[:_MOST_TOOLS]}
        event = self.event("tools.listed", now, {"count": len(tools), "tools": shown})
        definitions = tuple((digest, tool.definition) for tool, digest in hashes)
        return ToolsListed(**structs.asdict(event), definitions=definitions)

    def connected(self, now: int, visible: Mapping[str, list[str]]) -> Event:
        """A client introduced itself and the upstream's tools are known: what this agent may see of them."""
        info = self._client.info or {}
        client = {key: safe_text(value, _LONGEST_TEXT) for key, value in info.items() if isinstance(value, str)}
        data = {
            "client": {key: client[key] for key in ("name", "version") if key in client},
            "protocol": safe_text(self._client.protocol or "", _LONGEST_TEXT),
            "transport": self._connection.transport,
            "mode": self._connection.mode,
            "groups": self._connection.groups,
            **({"user_verified": True} if self._connection.user_verified else {}),
            **_proven_by(self._connection.credential),
            "allowed_tools": visible["allowed"][:_MOST_TOOLS],
            "conditionally_allowed_tools": visible["conditional"][:_MOST_TOOLS],
            "denied_tools": visible["denied"][:_MOST_TOOLS],
        }
        return self.event("agent.connected", now, data)

    def rejected(self, now: int, sender: str, reason: str, size: int) -> Event:
        """A message that went no further: who sent it ("client" or "upstream"), why not, its bytes."""
        return self.event("message.rejected", now, {"from": sender, "reason": reason, "bytes": size})


def shown_id(request_id: RequestId) -> RequestId:
    """A request's id as the log shows it: the client chooses it freely."""
    return safe_text(request_id, _LONGEST_TEXT) if isinstance(request_id, str) else request_id


def _registered(principal: Principal) -> dict[str, object]:
    """What the registry says of an agent, as far as it is not what holds for every agent without an entry."""
    if not principal.tags and principal.risk == _UNREGISTERED.risk and principal.status == _UNREGISTERED.status:
        return {}
    said = {"tags": principal.tags, "risk": principal.risk, "status": principal.status}
    return {name: value for name, value in said.items() if value != getattr(_UNREGISTERED, name)}


def _proven_by(credential: Credential | None) -> dict[str, object]:
    """By what a client has proven itself, as far as one has to know it to revoke it."""
    if credential is None:
        return {}
    return {"credential": {"kind": credential.kind, "id": credential.id, "signer": credential.signer}}
