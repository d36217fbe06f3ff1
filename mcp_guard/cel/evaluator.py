"""A syntax tree to one closure: which builder is for which node. The builders are in the modules named here."""

from collections.abc import Callable, Mapping
from typing import Any

from mcp_guard.cel.closures.calls import call
from mcp_guard.cel.closures.containers import make_list, make_map
from mcp_guard.cel.closures.logic import logic, ternary
from mcp_guard.cel.closures.loops import bind, loop, optional_map
from mcp_guard.cel.closures.operators import binary, unary
from mcp_guard.cel.closures.reads import has, index, name, select
from mcp_guard.cel.closures.scope import Run, Scope
from mcp_guard.cel.errors import compile_error
from mcp_guard.cel.syntax import (
    Binary,
    Bind,
    Call,
    Has,
    Index,
    ListOf,
    Literal,
    Logic,
    Loop,
    MapOf,
    Name,
    Node,
    OptionalMap,
    Record,
    Select,
    Ternary,
    Unary,
)


def _literal(node: Literal, scope: Scope) -> Run:
    value = node.value
    return lambda names, frame: value


def _record(node: Record, scope: Scope) -> Run:
    raise compile_error(scope.source, node.at, f"there is no type `{node.name}`", "a map is written {…}")


BUILDERS: Mapping[type[Node], Callable[[Any, Scope], Run]] = {
    Binary: binary,
    Bind: bind,
    Call: call,
    Has: has,
    Index: index,
    ListOf: make_list,
    Literal: _literal,
    Logic: logic,
    Loop: loop,
    MapOf: make_map,
    Name: name,
    OptionalMap: optional_map,
    Record: _record,
    Select: select,
    Ternary: ternary,
    Unary: unary,
}


def evaluator(source: str, tree: Node) -> tuple[Run, int]:
    """The closure of a whole tree, and how long its frame has to be. Raises `CompileError`."""
    scope = Scope(source, BUILDERS)
    return scope.build(tree), scope.size
