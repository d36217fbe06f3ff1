"""The types of the language, as declarations and the checker speak of them: values that say what an expression may be.

A policy declares its variables as a mapping of names to these types:
`{"agent": record("agent", {"slug": STRING}), "request": record("request", {"args": map_of(STRING, DYN)})}`.
"""

from collections.abc import Mapping


class Type:
    """A type: its name, what it is made of, and for a record its fields. Equal where all of these are."""

    __slots__ = ("fields", "name", "parameters")

    def __init__(
        self, name: str, parameters: "tuple[Type, ...]" = (), fields: "Mapping[str, Type] | None" = None
    ) -> None:
        self.name = name
        self.parameters = parameters
        self.fields = fields

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Type) or self.name != other.name:
            return False
        return self.parameters == other.parameters and self.fields == other.fields

    def __hash__(self) -> int:
        return hash((self.name, self.parameters))

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(map(repr, self.parameters))})" if self.parameters else self.name


DYN = Type("dyn")
"""Anything: what it is shows at run time."""

NULL = Type("null")
BOOL = Type("bool")
INT = Type("int")
UINT = Type("uint")
DOUBLE = Type("double")
STRING = Type("string")
BYTES = Type("bytes")
TIMESTAMP = Type("timestamp")
DURATION = Type("duration")
TYPE = Type("type")
IP = Type("net.IP")
CIDR = Type("net.CIDR")

ANY_A, ANY_B = Type("A"), Type("B")
"""Stand for any one type, the same wherever they occur in one signature."""


def list_of(item: Type) -> Type:
    """A list of items of this type."""
    return Type("list", (item,))


def map_of(key: Type, value: Type) -> Type:
    """A map with keys and values of these types."""
    return Type("map", (key, value))


def optional_of(value: Type) -> Type:
    """An optional value of this type."""
    return Type("optional_type", (value,))


def record(name: str, fields: Mapping[str, Type]) -> Type:
    """A map whose fields are all known, such as `agent`: any other field is an error when a condition is compiled."""
    return Type(name, (), dict(fields))
