"""A condition without the questions whether a field is there, for where it is there.

`has(request.args.branch) && request.args.branch == "main"` is `request.args.branch == "main"` for a call that has a
branch. Only the outer `&&`, `||`, `!` and `?:` are looked at, never what stands inside a loop or a binding, where a
name may mean something else. Where the one holds, fails or is false, so is the other.
"""

from mcp_guard.cel.closures.calls import namespace
from mcp_guard.cel.syntax import Has, Literal, Logic, Node, Ternary, Unary


def where_present(tree: Node, path: str) -> Node:
    """The tree for variables that have a field at `path` (names with dots between); itself where it never asks."""
    if isinstance(tree, Has):
        return Literal(tree.at, True) if f"{namespace(tree.operand)}.{tree.field}" == path else tree
    if isinstance(tree, Logic):
        operands = [where_present(operand, path) for operand in tree.operands]
        return tree if operands == [*tree.operands] else _chain(tree, operands)
    if isinstance(tree, Unary) and tree.operator == "!":
        operand = where_present(tree.operand, path)
        if operand is tree.operand:
            return tree
        return Literal(tree.at, _is(operand, False)) if _is_bool(operand) else Unary(tree.at, "!", operand)
    if isinstance(tree, Ternary):
        condition = where_present(tree.condition, path)
        then, otherwise = where_present(tree.then, path), where_present(tree.otherwise, path)
        if _is_bool(condition):
            return then if _is(condition, True) else otherwise
        unchanged = condition is tree.condition and then is tree.then and otherwise is tree.otherwise
        return tree if unchanged else Ternary(tree.at, condition, then, otherwise)
    return tree


def _chain(tree: Logic, operands: list[Node]) -> Node:
    """A chain some of whose operands are literals now: one settles it, or changes nothing."""
    settles = tree.operator == "||"
    if any(_is(operand, settles) for operand in operands):
        return Literal(tree.at, settles)
    left = tuple(operand for operand in operands if not _is(operand, not settles))
    if not left:
        return Literal(tree.at, not settles)
    return left[0] if len(left) == 1 else Logic(tree.at, tree.operator, left)


def _is(node: Node, value: bool) -> bool:
    return isinstance(node, Literal) and node.value is value


def _is_bool(node: Node) -> bool:
    return _is(node, True) or _is(node, False)
