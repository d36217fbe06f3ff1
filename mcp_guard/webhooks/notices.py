"""What a webhook says, and how it is signed (Standard Webhooks 1.0: id, timestamp and body under HMAC-SHA256).

Of an event only what is named here goes out, and nothing of a call's arguments. Pure: no clock, no socket.
"""

import hmac
from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from mcp_guard.errors import GuardError
from mcp_guard.events import EventType

if TYPE_CHECKING:
    from mcp_guard.store.reader import RecordedEvent

# What is told, and what of its data.
_TOLD: Mapping[EventType, tuple[str, ...]] = {
    "budget.alert": ("window", "unit", "share", "spent", "limit"),
    "approval.requested": ("method", "asked", "expires_us"),
    "agent.quarantined": ("by", "reason"),
    "agent.restored": ("by", "reason"),
    "calls.stopped": ("by", "reason", "expires_at"),
    "calls.resumed": ("by", "reason"),
}
TOLD: Mapping[str, tuple[str, ...]] = {**_TOLD}
SHORTEST_SECRET = 16  # bytes
_PREFIX = "whsec_"


class Target(msgspec.Struct, frozen=True):
    """Where webhooks go: http or https, nothing but a host, perhaps a port, a path and a query."""

    secure: bool
    host: str
    port: int | None
    path: str

    @property
    def name(self) -> str:
        """How a person is told of it: without path and query, which may hold secrets."""
        return self.host


def target(url: str) -> Target:
    """Where a URL points to. Raises GuardError, which does not quote it: it may hold a secret."""
    try:
        parts = urlsplit(url)
        port = parts.port
        (parts.hostname or "").encode("idna")  # as it is looked up
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None or parts.fragment:
        raise GuardError(
            "the URL of a webhook is not one that can be used",
            "it begins with https:// (or http://), and has no user name and no fragment",
        )
    if not url.isascii() or not url.isprintable() or " " in url:
        raise GuardError("the URL of a webhook has characters that no URL has", "encode them with %")
    query = f"?{parts.query}" if parts.query else ""
    return Target(parts.scheme == "https", parts.hostname, port, (parts.path or "/") + query)


def name_of(target: Target, key: bytes) -> str:
    """What a receiver is called where its URL, which may hold a secret, must not stand; with another key, another."""
    return hmac.digest(key, msgspec.json.encode(target), sha256).hex()[:16]


def secret(text: str) -> bytes:
    """The key that a person gave: `whsec_` and base64, or any text. Raises GuardError, which does not quote it."""
    try:
        key = b64decode(text.removeprefix(_PREFIX), validate=True) if text.startswith(_PREFIX) else text.encode()
    except (NoBase64, ValueError):
        key = b""
    if len(key) < SHORTEST_SECRET:
        hint = "Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
        raise GuardError(f"the secret of the webhooks is shorter than {SHORTEST_SECRET} bytes, or no base64", hint)
    return key


def body(event: "RecordedEvent") -> bytes:
    """What is said of an event."""
    told = TOLD.get(event.type, ())
    data: dict[str, Any] = {
        "event": event.id,
        "seq": event.seq,
        "agent": event.agent,
        "user": event.user,
        "server": event.server,
        "tool": event.tool,
        "id": event.rule,
        **{name: event.data[name] for name in told if name in event.data},
    }
    said = {name: value for name, value in data.items() if value is not None}
    return msgspec.json.encode({"type": event.type, "timestamp": event.ts, "data": said})


def signed(event_id: str, at: int, said: bytes, key: bytes) -> dict[str, str]:
    """The header fields of a webhook that is sent at this moment (seconds since the epoch)."""
    signature = hmac.new(key, b"%b.%d.%b" % (event_id.encode(), at, said), sha256).digest()
    return {
        "content-type": "application/json",
        "user-agent": "mcp-guard",
        "webhook-id": event_id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{b64encode(signature).decode()}",
    }
