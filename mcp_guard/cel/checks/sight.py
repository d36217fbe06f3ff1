"""What the checks share: the expression that is checked, the variables in sight, and how an error is made."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from mcp_guard.cel.errors import CompileError, compile_error
from mcp_guard.cel.syntax import Node
from mcp_guard.cel.types import NULL, Type

Checks: TypeAlias = "Mapping[type[Node], Callable[[Any, Sight], Type]]"


class Sight:
    """The variables in sight at one place of the tree: those declared, and those of the loops around it."""

    __slots__ = ("_checks", "local", "source", "variables")

    def __init__(
        self, source: str, checks: Checks, variables: Mapping[str, Type], local: Mapping[str, Type] | None = None
    ) -> None:
        self.source = source
        self.variables = variables
        self.local = local or {}
        self._checks = checks

    def type_of(self, node: Node) -> Type:
        """The type of a node that stands here. Raises `CompileError`."""
        return self._checks[type(node)](node, self)

    def inside(self, added: Mapping[str, Type]) -> "Sight":
        """What is in sight within a loop or a bind that adds these variables."""
        return Sight(self.source, self._checks, self.variables, {**self.local, **added})

    def wrong(self, node: Node, message: str, hint: str = "") -> CompileError:
        """The error for a node."""
        return compile_error(self.source, node.at, message, hint)


def described(type_: Type) -> str:
    """A type as a sentence has it: `a string`, `an int`, `null`."""
    if type_ is NULL:
        return "null"
    return f"{'an' if type_.name[0] in 'aeio' else 'a'} {type_!r}"
