"""Lints: what is legal in a policy and probably not meant, found with a catalog of tools or without one.

Pure: a policy's files and a `Catalog` go in, findings come out. They refuse nothing and no decision hangs on them.
`examine` runs them all; `codes` names them; what a code means at length is in `mcp_guard/pages`.
"""

from mcp_guard.policy.lints.examine import Examined, examine

__all__ = ["Examined", "examine"]
