"""What the registry says of an agent, put together with the policy to one verdict. Pure: values in, values out."""

from mcp_guard.governance.credential import Credential
from mcp_guard.governance.registry import ApprovalScope, NoRegistry, Registry, Ruling
from mcp_guard.governance.snapshot import Snapshot
from mcp_guard.governance.verdict import UNVERIFIED, budget, ordered, preview, unproven, verdict

__all__ = [
    "UNVERIFIED",
    "ApprovalScope",
    "Credential",
    "NoRegistry",
    "Registry",
    "Ruling",
    "Snapshot",
    "budget",
    "ordered",
    "preview",
    "unproven",
    "verdict",
]
