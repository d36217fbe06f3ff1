"""The arguments that a rule's tools take, put together: what an author may read after `request.args.`.

The same name may mean different things on different servers, so each field says how many of the tools have it, and for
each server of which type it is there and what that server says of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import msgspec

from mcp_guard.policy.catalog import ToolDefinition
from mcp_guard.policy.input_schema import Shape
from mcp_guard.policy.values import Json

DEEPEST = 4
MOST = 3  # different descriptions on one server


class Offered(msgspec.Struct, frozen=True):
    """A tool whose arguments are asked for."""

    server: str
    tool: ToolDefinition
    shape: Shape


class FieldThere(msgspec.Struct, frozen=True):
    """A field on one server: the tools that have it and those that require it, its type and choices, and what its tools
    say of it (the first few that differ).
    """

    tools: tuple[str, ...]
    required: tuple[str, ...]
    type: str
    choices: tuple[Json, ...]
    description: str


class Field(msgspec.Struct, frozen=True):
    """A field of `request.args`, by its path: `owner`, `author.login`, `files[*].path`. `tools` have it, of so many;
    `required` by so many.
    """

    path: str
    type: str
    tools: int
    of: int
    required: int
    choices: tuple[Json, ...]
    servers: Mapping[str, FieldThere]

    @property
    def coverage(self) -> str:
        """How many of the tools have it, in words."""
        if self.tools == self.of:
            return "in the one tool" if self.of == 1 else f"in all {self.of} tools"
        return f"in {self.tools} of {self.of} tools"


def fields(offered: Sequence[Offered]) -> list[Field]:
    """Every field of these tools: those that most have and require first, then by name."""
    found: dict[str, list[tuple[Offered, Shape, bool]]] = {}
    for one in offered:
        for path, shape, required in _flat(one.shape, "", True, 0):
            found.setdefault(path, []).append((one, shape, required))
    every = [_field(path, uses, len(offered)) for path, uses in found.items()]
    return sorted(every, key=lambda field: (-field.tools, -field.required, field.path))


def _flat(shape: Shape, before: str, certain: bool, depth: int) -> Iterator[tuple[str, Shape, bool]]:
    """Each field within an object, and those within it, with whether it is always there."""
    for name, inner in shape.fields.items():
        path = f"{before}.{name}" if before else name
        always = certain and name in shape.required
        yield path, inner, always
        if depth < DEEPEST:
            yield from _flat(inner, path, always, depth + 1)
            if inner.items is not None:
                yield from _flat(inner.items, f"{path}[*]", False, depth + 1)


def _field(path: str, uses: Sequence[tuple[Offered, Shape, bool]], of: int) -> Field:
    by_server: dict[str, list[tuple[Offered, Shape, bool]]] = {}
    for use in uses:
        by_server.setdefault(use[0].server, []).append(use)
    return Field(
        path=path,
        type=_types(uses),
        tools=len(uses),
        of=of,
        required=sum(required for _, _, required in uses),
        choices=_choices(uses),
        servers={server: _there(own) for server, own in by_server.items()},
    )


def _there(uses: Sequence[tuple[Offered, Shape, bool]]) -> FieldThere:
    said = dict.fromkeys(shape.description for _, shape, _ in uses if shape.description)
    return FieldThere(
        tools=tuple(one.tool.name for one, _, _ in uses),
        required=tuple(one.tool.name for one, _, required in uses if required),
        type=_types(uses),
        choices=_choices(uses),
        description=" / ".join(islice(said, MOST)),
    )


def _types(uses: Sequence[tuple[Offered, Shape, bool]]) -> str:
    """The types of all uses in a word, each once."""
    return " or ".join(dict.fromkeys(name for _, shape, _ in uses for name in shape.type_name.split(" or ")))


def _choices(uses: Sequence[tuple[Offered, Shape, bool]]) -> tuple[Json, ...]:
    """The values that there are, where every use names its own."""
    found: list[Json] = []
    for _, shape, _ in uses:
        if shape.choices is None:
            return ()
        found += [one for one in shape.choices if one not in found]
    return tuple(found)
