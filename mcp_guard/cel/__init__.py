"""The condition language: CEL, the Common Expression Language, on plain values.

`compile` makes a `Program` of a source; it is evaluated on the caller's variables, or as far as can be told while some
of them are unknown. This package does no I/O and knows nothing of policies. See docs/conditions.md for the language.
"""

from mcp_guard.cel import types
from mcp_guard.cel.budget import Budget
from mcp_guard.cel.errors import CompileError, EvaluationError
from mcp_guard.cel.paths import Path
from mcp_guard.cel.program import Program, Truth, compile
from mcp_guard.cel.values import UNKNOWN, UInt, Unknown

__all__ = [
    "UNKNOWN",
    "Budget",
    "CompileError",
    "EvaluationError",
    "Path",
    "Program",
    "Truth",
    "UInt",
    "Unknown",
    "compile",
    "types",
]
