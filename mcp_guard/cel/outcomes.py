"""What an expression may come to where some values are unknown: true, false, an error, or several of these.

`Program.partial` tells what is certain. This tells more where nothing is: `a && b` is never true where `b` always
fails, though it may be false. For lint; nothing is decided by it. An unknown value is taken to be of a type that fits.
"""

from collections.abc import Mapping, Sequence

from mcp_guard.cel.errors import CompileError, EvaluationError
from mcp_guard.cel.program import Program
from mcp_guard.cel.syntax import Logic, Node, Ternary, Unary
from mcp_guard.cel.values import Value

Outcome = bool | None
"""True, false, or None for an error."""

Outcomes = frozenset[Outcome]
ALWAYS: Outcomes = frozenset((True,))
NEVER: Outcomes = frozenset((False,))
FAILS: Outcomes = frozenset((None,))
NOTHING: Outcomes = frozenset()
EITHER: Outcomes = ALWAYS | NEVER


def outcomes(tree: Node, known: Mapping[str, Value]) -> Outcomes:
    """What an expression may come to where these variables have these values."""
    if isinstance(tree, Logic):
        return _chain([outcomes(operand, known) for operand in tree.operands], absorbing=tree.operator == "||")
    if isinstance(tree, Unary) and tree.operator == "!":
        return frozenset(None if one is None else not one for one in outcomes(tree.operand, known))
    if isinstance(tree, Ternary):
        return _choice(outcomes(tree.condition, known), tree, known)
    return _leaf(tree, known)


def _chain(operands: Sequence[Outcomes], *, absorbing: bool) -> Outcomes:
    """`absorbing` is the value that one operand is enough for: true in `||`, false in `&&`."""
    found: set[Outcome] = set()
    if all((not absorbing) in one for one in operands):
        found.add(not absorbing)
    if any(absorbing in one for one in operands):
        found.add(absorbing)
    if any(None in one for one in operands) and all(one != frozenset((absorbing,)) for one in operands):
        found.add(None)
    return frozenset(found)


def _choice(condition: Outcomes, tree: Ternary, known: Mapping[str, Value]) -> Outcomes:
    found: set[Outcome] = set(condition & FAILS)
    if True in condition:
        found |= outcomes(tree.then, known)
    if False in condition:
        found |= outcomes(tree.otherwise, known)
    return frozenset(found)


def _leaf(node: Node, known: Mapping[str, Value]) -> Outcomes:
    try:
        value = Program("", node).partial(known)
    except EvaluationError:
        return FAILS
    except CompileError:
        return EITHER
    return frozenset((value,)) if isinstance(value, bool) else EITHER
