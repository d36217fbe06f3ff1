"""Who a client is by the credential in its launching config: `MCP_GUARD_TOKEN`.

What a client says of itself never outranks it, and neither does `--agent`: a credential of one agent used as another is
refused, and recorded.
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


def taken_token() -> str | None:
    """The credential of the environment, which is taken out of it: no server behind the guard gets to see it."""
    return os.environ.pop(VARIABLE, None) or None


def proven(store: "Store", token: str, agent: str | None) -> "Proof":
    """What the credential proves; `agent` is what the launching config says besides. Raises GuardError."""
    from mcp_guard.store.registry.credentials import CredentialError

    try:
        proof = store.prove(token)
        if agent is not None and agent != proof.agent:
            text = f"the credential in {VARIABLE} is one of the agent `{proof.agent}`, and --agent says `{agent}`"
            raise CredentialError(text, "leave --agent out, or use a credential of that agent")
    except CredentialError as error:
        refused(store, agent, error.message)
        raise GuardError(error.message, error.hint) from None
    return proof


def refused(store: "Store", agent: str | None, why: str) -> None:
    """Write down that a credential was refused. Raises StoreError."""
    from mcp_guard.events import Event

    now = time.time_ns() // 1000
    made = f"registry-{new_id(now // 1000, os.urandom(RANDOM_BYTES))}"
    data = {"by": "mcp-guard", "why": why}
    store.record([Event(id=made, ts=now, type="credential.refused", connection_id="registry", agent=agent, data=data)])
