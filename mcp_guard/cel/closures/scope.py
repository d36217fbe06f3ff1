"""What the parts of the evaluator share while a tree is turned into closures: how a part runs, and where variables are.

A closure takes `names`, what the caller passed in, and `frame`, a list that belongs to one evaluation: its budget at 0,
and a slot for each variable of a loop or a `cel.bind`. A slot is known when the tree is built, so that no loop copies
anything, and a loop's variable can never be mistaken for one of the caller's.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from mcp_guard.cel.syntax import Node
from mcp_guard.cel.values import Value

Names: TypeAlias = Mapping[str, Value]
Frame: TypeAlias = list[Value]
Run: TypeAlias = Callable[[Names, Frame], Value]
Builders: TypeAlias = "Mapping[type[Node], Callable[[Any, Scope], Run]]"

BUDGET = 0
"""The slot of the budget."""


class Scope:
    """The variables in sight at one place of the tree, and `build`, which turns the node there into a closure."""

    __slots__ = ("_builders", "_count", "_slots", "deferred", "source")

    def __init__(
        self,
        source: str,
        builders: Builders,
        slots: Mapping[str, int] | None = None,
        count: list[int] | None = None,
        deferred: frozenset[str] = frozenset(),
    ) -> None:
        self.source = source
        self._builders = builders
        self._slots = slots or {}
        self._count = count or [1]
        self.deferred = deferred

    def build(self, node: Node) -> Run:
        """The closure for a node that stands in this scope."""
        return self._builders[type(node)](node, self)

    def slot(self, name: str) -> int | None:
        """Where the variable of a loop or bind is kept; None where the name is the caller's."""
        return self._slots.get(name)

    def inside(self, *variables: str, deferred: bool = False) -> "tuple[Scope, list[int]]":
        """The scope within a loop or a bind, and the slots of its variables. `deferred`: the value may be a failure."""
        first = self._count[0]
        slots = list(range(first, first + len(variables)))
        self._count[0] = first + len(variables)
        hidden = self.deferred.difference(variables)
        inner = Scope(
            self.source,
            self._builders,
            {**self._slots, **dict(zip(variables, slots, strict=True))},
            self._count,
            hidden.union(variables) if deferred else hidden,
        )
        return inner, slots

    @property
    def size(self) -> int:
        """How long a frame has to be."""
        return self._count[0]
