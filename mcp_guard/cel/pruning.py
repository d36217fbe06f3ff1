"""An expression without the parts that known values decide: what is left is what unknown values decide.

For lint and completion: `mcp.tool.name == "push" && request.args.branch == "main"` asks a tool of another name for no
branch. Only the outer `&&`, `||`, `!` and `?:` are looked at, never what stands inside a loop or a binding.
"""

from collections.abc import Mapping

from mcp_guard.cel.errors import CompileError, EvaluationError
from mcp_guard.cel.program import Program
from mcp_guard.cel.syntax import Literal, Logic, Node, Ternary, Unary
from mcp_guard.cel.values import Value


def pruned(tree: Node, known: Mapping[str, Value]) -> Node:
    """What is left of a tree where these variables have these values, the rest being unknown."""
    settled = _settled(tree, known)
    if settled is not None:
        return Literal(tree.at, settled)
    if isinstance(tree, Logic):
        return _pruned_logic(tree, known)
    if isinstance(tree, Ternary):
        condition = _settled(tree.condition, known)
        if condition is not None:
            return pruned(tree.then if condition else tree.otherwise, known)
        return Ternary(tree.at, tree.condition, pruned(tree.then, known), pruned(tree.otherwise, known))
    if isinstance(tree, Unary) and tree.operator == "!":
        return Unary(tree.at, "!", pruned(tree.operand, known))
    return tree


def _pruned_logic(tree: Logic, known: Mapping[str, Value]) -> Node:
    """A chain without the operands that change nothing; the chain itself is not settled, so one at least is left."""
    left = [operand for operand in tree.operands if _settled(operand, known) is None]
    kept = tuple(pruned(operand, known) for operand in left)
    return kept[0] if len(kept) == 1 else Logic(tree.at, tree.operator, kept) if kept else tree


def _settled(node: Node, known: Mapping[str, Value]) -> bool | None:
    """What a part comes to whatever the unknown values are, or None."""
    try:
        value = Program("", node).partial(known)
    except (CompileError, EvaluationError):
        return None
    return value if isinstance(value, bool) else None
