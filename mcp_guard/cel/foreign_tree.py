"""cel-python's parse of a source, brought into our syntax tree, so that the two can be compared node by node.

Calls stay calls here: macros are not expanded. The values of literals are those that cel-python reads out of them.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from mcp_guard.cel.parser import dotted
from mcp_guard.cel.syntax import (
    Binary,
    Call,
    Index,
    ListOf,
    Literal,
    Logic,
    MapOf,
    Name,
    Node,
    Record,
    Scalar,
    Select,
    Ternary,
    Unary,
)
from mcp_guard.cel.values import UInt

NOWHERE = 0
"""Places are not compared."""


class ForeignSyntaxError(Exception):
    """cel-python does not take the source for CEL."""


def foreign_tree(source: str) -> Node:
    """The tree as cel-python reads the source. Raises `ForeignSyntaxError`."""
    celpy: Any = import_module("celpy.celparser")
    try:
        return _node(celpy.CELParser().parse(source))
    except Exception as error:  # its lexer and its literals raise many kinds
        raise ForeignSyntaxError(type(error).__name__) from None


def _node(tree: Any) -> Node:
    """A node of any rule of its grammar. Rules of one part are only steps of precedence."""
    rule, parts = tree.data, tree.children
    if rule in READERS:
        return READERS[rule](parts)
    if len(parts) == 1:
        return _node(parts[0])
    if rule == "expr":
        return Ternary(NOWHERE, *(_node(part) for part in parts))
    if rule in CHAINS:
        return Logic(NOWHERE, CHAINS[rule], tuple(_links(tree, rule)))
    if rule == "unary":
        return Unary(NOWHERE, SIGNS[parts[0].data], _node(parts[1]))
    left, right = parts
    return Binary(NOWHERE, OPERATORS[left.data], _node(left.children[0]), _node(right))


def _links(tree: Any, rule: str) -> list[Node]:
    """The operands of a chain: its tree leans to the left."""
    if tree.data != rule:
        return [_node(tree)]
    if len(tree.children) == 1:
        return [_node(tree.children[0])]
    return [*_links(tree.children[0], rule), _node(tree.children[1])]


def _expressions(parts: list[Any]) -> tuple[Node, ...]:
    """The parts of an `exprlist` or `mapinits`, which may be missing."""
    return tuple(_node(part) for part in parts[0].children) if parts else ()


def _map(parts: list[Any]) -> Node:
    found = _expressions(parts)
    return MapOf(NOWHERE, tuple(zip(found[::2], found[1::2], strict=True)))


def _record(parts: list[Any]) -> Node:
    fields: list[Any] = parts[1].children if len(parts) > 1 else []
    names, values = [str(name) for name in fields[::2]], [_node(value) for value in fields[1::2]]
    return Record(NOWHERE, dotted(_node(parts[0])) or "", tuple(zip(names, values, strict=True)))


def _literal(parts: list[Any]) -> Node:
    evaluation: Any = import_module("celpy.evaluation")
    token = parts[0]
    kind, text = token.type, str(token.value)
    if kind in ("STRING_LIT", "MLSTRING_LIT"):
        return Literal(NOWHERE, str(evaluation.celstr(token)))
    if kind == "BYTES_LIT":
        return Literal(NOWHERE, bytes(evaluation.celbytes(token)))
    values: dict[str, Callable[[], Scalar]] = {
        "INT_LIT": lambda: int(text, 0) if "x" in text else int(text),
        "UINT_LIT": lambda: UInt(int(text[:-1], 0) if "x" in text else int(text[:-1])),
        "FLOAT_LIT": lambda: float(text),
        "BOOL_LIT": lambda: text == "true",
        "NULL_LIT": lambda: None,
    }
    return Literal(NOWHERE, values[kind]())


READERS: dict[str, Callable[[list[Any]], Node]] = {
    "ident": lambda parts: Name(NOWHERE, str(parts[0])),
    "dot_ident": lambda parts: Name(NOWHERE, str(parts[0]), rooted=True),
    "ident_arg": lambda parts: Call(NOWHERE, None, str(parts[0]), _expressions(parts[1:])),
    "dot_ident_arg": lambda parts: Call(NOWHERE, None, str(parts[0]), _expressions(parts[1:])),
    "paren_expr": lambda parts: _node(parts[0]),
    "list_lit": lambda parts: ListOf(NOWHERE, _expressions(parts)),
    "map_lit": _map,
    "literal": _literal,
    "member_dot": lambda parts: Select(NOWHERE, _node(parts[0]), str(parts[1])),
    "member_dot_arg": lambda parts: Call(NOWHERE, _node(parts[0]), str(parts[1]), _expressions(parts[2:])),
    "member_index": lambda parts: Index(NOWHERE, _node(parts[0]), _node(parts[1])),
    "member_object": _record,
}

CHAINS = {"conditionalor": "||", "conditionaland": "&&"}
SIGNS = {"unary_not": "!", "unary_neg": "-"}
OPERATORS = {
    "relation_lt": "<",
    "relation_le": "<=",
    "relation_gt": ">",
    "relation_ge": ">=",
    "relation_eq": "==",
    "relation_ne": "!=",
    "relation_in": "in",
    "addition_add": "+",
    "addition_sub": "-",
    "multiplication_mul": "*",
    "multiplication_div": "/",
    "multiplication_mod": "%",
}
