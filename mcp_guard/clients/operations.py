"""What can be done to one server's entry in a file, whatever the syntax: few and small, so that all else stays."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from mcp_guard.clients.values import Path
from mcp_guard.policy.values import Json


class Put(msgspec.Struct, frozen=True):
    """Give a field that is there another value, and, if need be, another name."""

    field: str
    value: str
    name: str | None = None


class Add(msgspec.Struct, frozen=True):
    """Write a new field behind one that is there."""

    after: str
    field: str
    value: Json


class Prepend(msgspec.Struct, frozen=True):
    """Write items in front of those of a list."""

    field: str
    items: Sequence[str]


class SetItem(msgspec.Struct, frozen=True):
    """Give one item of a list another value."""

    field: str
    index: int
    value: str


class Rename(msgspec.Struct, frozen=True):
    """Give a mapping another name, and its keys other names. Its values are not touched. `more` is written into it."""

    field: str
    name: str
    keys: Mapping[str, str]
    more: Mapping[str, str] = {}


class Drop(msgspec.Struct, frozen=True):
    """Take a field out."""

    field: str


Operation: TypeAlias = "Put | Add | Prepend | SetItem | Rename | Drop"
Changes: TypeAlias = Mapping[Path, Sequence[Operation]]
"""What is to be done to the servers at these paths."""


def applied(server: Mapping[str, Json], operations: Sequence[Operation]) -> dict[str, Json]:
    """What an entry says after the operations: what an edited text is checked against."""
    fields: dict[str, Json] = dict(server)
    for operation in operations:
        match operation:
            case Put(field, value, name):
                fields = {(name or field) if key == field else key: kept for key, kept in fields.items()}
                fields[name or field] = value
            case Add(_, field, value):
                fields[field] = value
            case Prepend(field, items):
                fields[field] = [*items, *_items(fields[field])]
            case SetItem(field, index, value):
                before = _items(fields[field])
                fields[field] = [*before[:index], value, *before[index + 1 :]]
            case Rename(field, name, keys, more):
                inner = fields.pop(field)
                assert isinstance(inner, dict)
                fields[name] = {**more, **{keys.get(key, key): kept for key, kept in inner.items()}}
            case Drop(field):
                del fields[field]
    return fields


def _items(value: Json) -> list[Json]:
    assert isinstance(value, list)
    return value
