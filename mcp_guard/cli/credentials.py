"""Who a client is by the credential in its launching config: `MCP_GUARD_TOKEN`, a virtual key or a signed token.

What a client says of itself never outranks it, and neither do `--agent` and `--user`: a credential of one agent or user
used as another is refused, and recorded.
"""

import os
import time
from typing import TYPE_CHECKING

from mcp_guard.errors import GuardError
from mcp_guard.ids import RANDOM_BYTES, new_id

if TYPE_CHECKING:
    from mcp_guard.store import Store
    from mcp_guard.store.registry.credentials import Proof

VARIABLE = "MCP_GUARD_TOKEN"
WEBHOOK_SECRET = "MCP_GUARD_WEBHOOK_SECRET"


def taken_token() -> str | None:
    """The credential of the environment, which is taken out of it: no server behind the guard gets to see it."""
    return os.environ.pop(VARIABLE, None) or None


def taken_webhook_secret() -> str | None:
    """What webhooks are signed with, taken out of the environment likewise."""
    return os.environ.pop(WEBHOOK_SECRET, None) or None


def proven(store: "Store", token: str, agent: str | None, user: str | None = None) -> "Proof":
    """What the credential proves; `agent` and `user` are what the launching config says besides. Raises GuardError."""
    from mcp_guard.identity.errors import CredentialError

    try:
        proof = store.prove(token.strip())
        _check("agent", agent, proof.agent)
        _check("user", user, proof.user)
    except CredentialError as error:
        refused(store, agent, error.message)
        raise GuardError(f"{VARIABLE}: {error.message}", error.hint) from None
    return proof


def _check(what: str, said: str | None, proven: str | None) -> None:
    """Raise CredentialError where the launching config says another than the credential proves."""
    from mcp_guard.identity.errors import CredentialError

    if said is not None and proven is not None and said != proven:
        text = f"the credential is one of the {what} `{proven}`, and --{what} says `{said}`"
        raise CredentialError(text, f"leave --{what} out, or use a credential of that {what}")


def refused(store: "Store", agent: str | None, why: str, **more: str | int) -> None:
    """Write down that a credential was refused. Raises StoreError."""
    from mcp_guard.events import Event

    now = time.time_ns() // 1000
    made = f"registry-{new_id(now // 1000, os.urandom(RANDOM_BYTES))}"
    data = {"by": "mcp-guard", "why": why, **more}
    store.record([Event(id=made, ts=now, type="credential.refused", connection_id="registry", agent=agent, data=data)])
