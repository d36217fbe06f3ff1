"""Two protocol eras made one: a client of either speaks to an upstream of either, through a gate.

Legacy (2024-11-05 to 2025-11-25) opens with `initialize` and keeps a session; modern (2026-07-28) says everything in
every request. `Bridged` is what a transport holds in the place of a bare gate.
"""

from mcp_guard.gate.bridge.bridged import Bridged

__all__ = ["Bridged"]
