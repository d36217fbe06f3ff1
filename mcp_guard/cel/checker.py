"""The checker: refuses, when it is compiled, a condition that cannot mean what its author wanted.

It goes up the tree and finds the type of each part. What it refuses is certain to be wrong, whatever the arguments:
names and fields that do not exist, operations on types for which they have no meaning, comparisons that never hold.
What hangs on the arguments is `dyn` and passes. Which check is for which node stands here, the checks in `checks`.
"""

from collections.abc import Mapping

from mcp_guard.cel.checks import access, calls, containers, operations
from mcp_guard.cel.checks.sight import Checks, Sight, described
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
from mcp_guard.cel.types import BOOL, DYN, Type

CHECKS: Checks = {
    Binary: operations.binary,
    Bind: containers.bind,
    Call: calls.call,
    Has: access.has,
    Index: access.index,
    ListOf: containers.make_list,
    Literal: access.literal,
    Logic: operations.logic,
    Loop: containers.loop,
    MapOf: containers.make_map,
    Name: access.name,
    OptionalMap: containers.optional_map,
    Record: containers.record,
    Select: access.select,
    Ternary: operations.ternary,
    Unary: operations.unary,
}


def check(source: str, tree: Node, variables: Mapping[str, Type], expect_bool: bool) -> Type:
    """The type of an expression that reads these variables. Raises `CompileError` for the first thing wrong with it."""
    sight = Sight(source, CHECKS, variables)
    found = sight.type_of(tree)
    if expect_bool and found is not BOOL and found is not DYN:
        hint = "end it with `.orValue(false)`" if found.name == "optional_type" else "compare it with something"
        raise sight.wrong(tree, f"a condition is true or false, and this gives {described(found)}", hint)
    return found
