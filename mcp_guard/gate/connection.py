"""Who is on the line: the facts of one connection, and what the client has said of itself.

What a client says of itself (`clientInfo`) only counts where the launching config did not pin the agent, and is never
verified. In the legacy era a client introduces itself once, in `initialize`; in the modern era every request carries
the introduction under `_meta` (2026-07-28, "_meta").
"""

from typing import Literal

import msgspec

from mcp_guard.governance import Credential, Snapshot
from mcp_guard.policy import Policy
from mcp_guard.policy.values import Json, OfferKind, Principal
from mcp_guard.redaction import ArgumentsMode, safe_text
from mcp_guard.redaction.patterns import mask
from mcp_guard.redaction.text import MARK

PROTOCOL_META = "io.modelcontextprotocol/protocolVersion"
CLIENT_META = "io.modelcontextprotocol/clientInfo"
CAPABILITIES_META = "io.modelcontextprotocol/clientCapabilities"
SUBSCRIPTION_META = "io.modelcontextprotocol/subscriptionId"

_LONGEST_LABEL = 256
_LONGEST_NAME = 4096  # characters of a client's name that its agent is named after
BATCH_PROTOCOL = "2025-03-26"  # the only revision in which an array is a message

Mode = Literal["enforce", "observe"]


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a connection before the first message, and stays true to its end.

    `id` is unique in the log; `server` is the slug that the launching config gave the upstream; `prefix` is what the
    client knows the names of its tools and prompts by, where several servers are shown as one; `agent` is the slug
    that it pinned or a credential proves, or None; `credential` is that one; `user_verified` says that a credential
    vouches for the user, too; `audit_arguments` outranks what the policy says of it; `redaction_key`
    (secret) keys the hashes that stand for secrets in the log.
    """

    id: str
    server: str
    user: str
    groups: tuple[str, ...] = ()
    agent: str | None = None
    credential: Credential | None = None
    user_verified: bool = False
    mode: Mode = "enforce"
    transport: str = "stdio"
    audit_arguments: ArgumentsMode | None = None
    redaction_key: bytes = b""
    prefix: str = ""

    def known_as(self, name: str, kind: OfferKind = "tool") -> str:
        """What the client knows something of the upstream's as; a URI is the same on both sides."""
        return name if kind == "resource" else self.prefix + name


class Client:
    """What the client has said of itself so far, and the principal that follows from it and the policy."""

    def __init__(self, connection: Connection, policy: Policy) -> None:
        self._connection = connection
        self.info: dict[str, Json] | None = None
        self.protocol: str | None = None
        self.envelope: dict[str, Json] | None = None  # modern `_meta`, for the guard's own requests
        self.capabilities: Json = None  # legacy: what the client said in `initialize` that it can do
        self.label = ""  # what the client calls itself, as the log shows it
        self.principal = self._principal(policy)

    def introduce(self, info: Json, protocol: Json, policy: Policy) -> bool:
        """Take in a `clientInfo` and the protocol revision it came with. Gives whether either is new."""
        known = isinstance(info, dict)
        new_protocol = isinstance(protocol, str) and protocol != self.protocol
        if not new_protocol and (not known or info == self.info):
            return False
        if isinstance(protocol, str):
            self.protocol = protocol
        if known:
            self.info = info
            self.label = safe_text(self.name, _LONGEST_LABEL)
        self.identify(policy)
        return True

    def introduce_by_envelope(self, meta: dict[str, Json], policy: Policy) -> bool:
        """The modern era's introduction, out of a request's `_meta`. Gives whether anything in it is new."""
        new = self.introduce(meta.get(CLIENT_META), meta[PROTOCOL_META], policy)
        if new or self.envelope is None:
            self.envelope = {key: meta[key] for key in (PROTOCOL_META, CLIENT_META, CAPABILITIES_META) if key in meta}
        return new

    def identify(self, policy: Policy) -> None:
        """Work out the principal again: the policy says which agent a client's name stands for."""
        self.principal = self._principal(policy)

    def enroll(self, snapshot: Snapshot) -> None:
        """Take in what the registry says of the agent: conditions may ask for it."""
        facts = {"tags": snapshot.tags, "risk": snapshot.risk, "status": snapshot.status}
        self.principal = msgspec.structs.replace(self.principal, **facts)

    @property
    def name(self) -> str:
        """What the client calls itself, or an empty string."""
        name = self.info.get("name") if self.info else None
        return name if isinstance(name, str) else ""

    def _principal(self, policy: Policy) -> Principal:
        facts = self._connection
        return Principal(
            agent=facts.agent if facts.agent is not None else policy.agent_for(mask(self.name[:_LONGEST_NAME], MARK)),
            user=facts.user,
            groups=facts.groups,
            instance=facts.id,
            verified=facts.agent is not None,
            user_verified=facts.user_verified,
        )


def modern_envelope(params: dict[str, Json]) -> dict[str, Json] | None:
    """The `_meta` of a request made in the modern era, or None where it was made in the legacy one."""
    meta = params.get("_meta")
    return meta if isinstance(meta, dict) and PROTOCOL_META in meta else None
