"""What can be recorded: one plain value for each row of the audit log.

An event is made by the gate (or by the edge, for what only the edge can know) and written by `store`. It holds no
clock and no randomness of its own: time and ids come in as values.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

EventType = Literal[
    "agent.connected",  # a client introduced itself; data: client, protocol, tools by visibility
    "agent.disconnected",  # data: why, duration
    "tools.listed",  # the upstream's tools, as the guard learned them; data: tools by name and hash
    "tool.decided",  # one call judged; committed before the call is forwarded; data: arguments, message id, mode
    "tool.completed",  # its answer; data: decision id, duration_us, is_error, bytes
    "prompt.decided",  # the same for what is asked of a prompt that the policy has a say in; data: method, too
    "prompt.completed",
    "resource.decided",  # and of a resource
    "resource.completed",
    "tool.changed",  # a tool that was listed before came back different; data: hashes, fields that differ
    "message.rejected",  # what could not be parsed, or broke JSON-RPC; data: from, reason, bytes
    "upstream.exited",  # data: status, signal, how
    "policy.loaded",  # data: files, rules
    "policy.rejected",  # data: files, diagnostics
    # Changes of the registry. All: data has `by`, who made it; the column `rule` has the id of what was changed.
    "agent.registered",  # an agent connected that nobody had registered
    "agent.created",
    "agent.updated",
    "agent.quarantined",
    "agent.restored",
    "agent.deleted",
    "instance.disconnected",  # somebody ended a connection; data: connection, reason
    "credential.issued",
    "credential.revoked",
    "credential.refused",  # somebody came with a credential that proves nothing, or not what they said; data: why
    "key.added",
    "key.retired",
    "issuer.added",
    "issuer.removed",
    "grant.added",
    "grant.revoked",
    "override.added",
    "override.removed",
    "calls.stopped",  # the emergency brake
    "calls.resumed",
    "budget.set",
    "budget.removed",
    "budget.alert",  # a share of a budget is spent; data: window, unit, share (percent), spent, limit
    "eval.recorded",
    "eval.required",
    "approval.requested",  # a person is asked; data: connection, what is asked, until when
    "approval.decided",
    "approval.withdrawn",  # the client does not wait any more, or nobody answered in time
]


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of the audit log (docs/audit-log.md).

    `id` is unique in the log: the connection's id, a dash, and a running number, so no randomness is spent on a call.
    `ts` is microseconds since the Unix epoch, UTC. `data` is plain JSON data; a `msgspec.Raw` in it is JSON text that
    the guard itself encoded. Columns that do not apply are None. In events about prompts and resources `tool` holds
    the name or URI.
    """

    id: str
    ts: int
    type: EventType
    connection_id: str
    agent: str | None = None
    agent_verified: bool = False
    user: str | None = None
    server: str | None = None
    tool: str | None = None
    decision: Literal["allow", "deny", "require_approval"] | None = None
    decided_by: str | None = None
    rule: str | None = None
    policy_hash: str | None = None
    data: Mapping[str, object] = {}


class Judged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The row of a decision. Beside the row: the version of the `registry` that it was made under, where it was made
    under one, and what was known of the agent there (`under`: whoever keeps the registry can tell whether it still
    is so); and where the agent has a budget and the call goes on (`charged`), what the call costs in US dollars, and
    whether it goes on whatever that comes to (`observed`).
    """

    registry: int | None = None
    under: object = None
    charged: bool = False
    usd: float = 0.0
    observed: bool = False


class ApprovalRequested(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A person is asked about one call, or about a prompt or resource (`method` says which); `rule` is the approval's
    id. Beside the row, for the registry: the arguments as the log may show them (JSON text), the keyed hash of what
    runs if it is approved, the pattern of a standing approval of the tool (empty where none can be given), why a person
    is asked, and until when (microseconds since the epoch).
    """

    method: str
    arguments: str
    call_hash: str
    pattern: str
    reason: str
    expires: int


class ApprovalSettled(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The guard that asked knows how it ends: the person answered through the client, or nobody waits any more. `rule`
    is the approval's id.
    """

    status: Literal["approved", "denied", "withdrawn", "expired"]
    scope: str | None = None
    by: str | None = None


class ToolsListed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The row of one complete listing. Beside the row, for the catalog of tools: the hash of each definition and the
    definition itself, as the upstream wrote it. They are no part of the row.
    """

    definitions: tuple[tuple[str, bytes], ...] = ()
