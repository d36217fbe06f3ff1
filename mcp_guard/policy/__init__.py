"""The policy: which agent may call which tool with which arguments, and which tools it is shown.

Bytes of policy files come in (`load`), and two questions are answered: what becomes of this call (`Policy.decide`), and
could any arguments let a call of this tool through (`Policy.preview`). Pure: no files, no clock, no log.
"""

from mcp_guard.policy.diagnostics import Diagnostic, Place, PolicyError, Source, render
from mcp_guard.policy.loading import load
from mcp_guard.policy.policy import Policy, Settings
from mcp_guard.policy.values import Call, Decision, Principal, RuleTrace, Visibility

__all__ = [
    "Call",
    "Decision",
    "Diagnostic",
    "Place",
    "Policy",
    "PolicyError",
    "Principal",
    "RuleTrace",
    "Settings",
    "Source",
    "Visibility",
    "load",
    "render",
]
