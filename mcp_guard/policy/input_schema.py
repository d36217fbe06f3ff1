"""What a tool's input schema says of its arguments, as far as policies need it: names, types, values, what is required.

JSON Schema (2020-12 and what came before it) can say more than is read here, and the schema comes from a stranger:
where it says something else, is broken, or has no end, a shape is `open` (anything may be there), never wrong. Nothing
here validates arguments.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import TypeAlias, cast

import msgspec

from mcp_guard.policy.values import Json

Schema: TypeAlias = Mapping[str, Json]
Segments: TypeAlias = tuple[str | None, ...]
"""A path within the arguments: names, and None for any item of a list or a computed key."""

MAX_DEPTH = 12
MAX_SHAPES = 4_000
SAYS_NOTHING = frozenset(("type", "properties", "required", "$schema", "title", "description"))
"""Words of a schema, beside which nothing lets arguments in that it does not name."""
TYPES = frozenset(("null", "boolean", "integer", "number", "string", "array", "object"))


class Shape(msgspec.Struct, frozen=True):
    """What a value may be. `types` are JSON Schema's names, empty for any; `choices` the only values there are, None
    for any; of an object `fields`, those `required`, and whether others may be there (`open`); of an array `items`.
    """

    types: frozenset[str] = frozenset()
    choices: tuple[Json, ...] | None = None
    description: str = ""
    fields: "Mapping[str, Shape]" = {}
    required: frozenset[str] = frozenset()
    open: bool = True
    items: "Shape | None" = None

    @property
    def type_name(self) -> str:
        """The types in a word: `string`, `integer or null`, `array of string`, `any`."""
        distinct = self.types - {"integer"} if "number" in self.types else self.types
        names = sorted(distinct, key=lambda name: (name == "null", name))
        return " or ".join(self._named(name) for name in names) or "any"

    def _named(self, name: str) -> str:
        return f"array of {self.items.type_name}" if name == "array" and self.items and self.items.types else name


ANY = Shape()


class Found(msgspec.Struct, frozen=True):
    """What a schema says of one path. `shape` is None where the arguments have no such path; `declared` is False where
    nothing is said of it, but it may be there; `always` where a call that fits the schema cannot leave it out.
    """

    shape: Shape | None
    declared: bool
    always: bool


MISSING = Found(None, declared=False, always=False)
UNTOLD = Found(ANY, declared=False, always=False)


def arguments(schema: Schema) -> Shape:
    """The arguments of a tool. A schema that only says "an object" is taken to say that there are none; of a tool
    without a schema nothing is known.
    """
    root = dict(schema)
    shape = _Reader(root).read(root, 0)
    return msgspec.structs.replace(shape, open=False) if schema and schema.keys() <= SAYS_NOTHING else shape


def find(shape: Shape, path: Segments) -> Found:
    """What the schema says of a path from here down."""
    always = True
    for segment in path:
        inner, certain = _step(shape, segment)
        if inner is None:
            return MISSING
        if inner is ANY and not certain:
            return UNTOLD
        shape, always = inner, always and certain
    return Found(shape, declared=True, always=always)


def _step(shape: Shape, segment: str | None) -> tuple[Shape | None, bool]:
    """What stands one segment further, None where nothing can; and whether it is always there."""
    if segment is None:
        return (shape.items or ANY), False
    if segment in shape.fields:
        return shape.fields[segment], segment in shape.required and shape.types <= {"object"}
    may_be_object = not shape.types or "object" in shape.types
    return (ANY if shape.open and may_be_object else None), False


class _Reader:
    """Reads one schema. Bounded, as references may go round and a stranger may nest without end."""

    def __init__(self, root: dict[str, Json]) -> None:
        self._root = root
        self._left = MAX_SHAPES

    def read(self, schema: Json, depth: int) -> Shape:
        """The shape that a schema describes."""
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            return ANY
        if schema is False:
            return Shape(choices=())
        if not isinstance(schema, dict):
            return ANY
        own = self._own(schema, depth)
        parts = [own, *self._referred(schema, depth), *(self.read(part, depth + 1) for part in _list(schema, "allOf"))]
        alternatives = (_list(schema, word) for word in ("anyOf", "oneOf"))
        parts += [reduce(_either, [self.read(one, depth + 1) for one in given]) for given in alternatives if given]
        return reduce(_both, parts)

    def _referred(self, schema: Schema, depth: int) -> Iterable[Shape]:
        """What `$ref` points to, within this schema; anything, where it points elsewhere."""
        pointer = schema.get("$ref")
        if isinstance(pointer, str):
            target: Json = self._root if pointer.startswith("#") else None
            for step in pointer.split("/")[1:]:
                step = step.replace("~1", "/").replace("~0", "~")
                target = target.get(step) if isinstance(target, dict) else None
            yield self.read(target, depth + 1)

    def _own(self, schema: Schema, depth: int) -> Shape:
        """What the schema says itself, without what it combines."""
        properties = schema.get("properties")
        described = cast("dict[str, Json]", properties) if isinstance(properties, dict) else {}
        types = _types(schema)
        fields = {name: self.read(part, depth + 1) for name, part in described.items()}
        items = schema.get("items")
        return Shape(
            types=types or (frozenset(("object",)) if fields else frozenset()),
            choices=_choices(schema),
            description=_text(schema, "description") or _text(schema, "title"),
            fields=fields,
            required=frozenset(name for name in _list(schema, "required") if isinstance(name, str)),
            open=_is_open(schema, bool(fields)),
            items=self.read(items, depth + 1) if isinstance(items, dict) else None,
        )


def _is_open(schema: Schema, has_fields: bool) -> bool:
    """Whether an object may hold what is not named. By JSON Schema it may unless that is forbidden; but a schema that
    names its fields and says nothing of others is not meant so.
    """
    if schema.get("patternProperties"):
        return True
    others = schema.get("additionalProperties")
    return not has_fields if others is None else others is not False


def _types(schema: Schema) -> frozenset[str]:
    given = schema.get("type")
    names = cast("list[Json]", given) if isinstance(given, list) else [given]
    types = {name for name in names if isinstance(name, str) and name in TYPES}
    return frozenset(types | {"null"} if types and schema.get("nullable") is True else types)


def _choices(schema: Schema) -> tuple[Json, ...] | None:
    if "const" in schema or schema.get("type") == "null":
        return (schema.get("const"),)
    given = schema.get("enum")
    return tuple(given) if isinstance(given, list) else None


def _list(schema: Schema, word: str) -> list[Json]:
    given = schema.get(word)
    return given if isinstance(given, list) else []


def _text(schema: Schema, word: str) -> str:
    given = schema.get(word)
    return given if isinstance(given, str) else ""


def _both(first: Shape, second: Shape) -> Shape:
    """A value that fits both."""
    if first is ANY or second is ANY:
        return second if first is ANY else first
    types = _common_types(first.types, second.types)
    choices = first.choices if second.choices is None else second.choices
    if first.choices is not None and second.choices is not None:
        choices = tuple(one for one in first.choices if one in second.choices)
    names = (*first.fields, *(name for name in second.fields if name not in first.fields))
    fields = {name: _both(first.fields.get(name, ANY), second.fields.get(name, ANY)) for name in names}
    return Shape(
        types=types,
        choices=choices,
        description=first.description or second.description,
        fields=fields,
        required=first.required | second.required,
        open=first.open and second.open,
        items=_joined(first.items, second.items, _both),
    )


def _either(first: Shape, second: Shape) -> Shape:
    """A value that fits one of them, nobody knows which."""
    if first is ANY or second is ANY:
        return ANY
    choices = None
    if first.choices is not None and second.choices is not None:
        choices = (*first.choices, *(one for one in second.choices if one not in first.choices))
    names = (*first.fields, *(name for name in second.fields if name not in first.fields))
    fields = {
        name: _either(first.fields[name], second.fields[name])
        if name in first.fields and name in second.fields
        else first.fields.get(name) or second.fields[name]
        for name in names
    }
    return Shape(
        types=first.types | second.types if first.types and second.types else frozenset(),
        choices=choices,
        description=first.description or second.description,
        fields=fields,
        required=first.required & second.required,
        open=_stays_open(first, second),
        items=_joined(first.items, second.items, _either),
    )


def _joined(first: Shape | None, second: Shape | None, join: Callable[[Shape, Shape], Shape]) -> Shape | None:
    return first or second if first is None or second is None else join(first, second)


def _stays_open(first: Shape, second: Shape) -> bool:
    """Of alternatives that are no objects nothing is said: they do not open the one that is."""
    objects = [shape for shape in (first, second) if not shape.types or "object" in shape.types]
    return any(shape.open for shape in objects) if objects else True


def _common_types(first: frozenset[str], second: frozenset[str]) -> frozenset[str]:
    """The types in both; an integer is a number."""
    if not first or not second:
        return first or second
    both = first & second
    if ("integer" in first and "number" in second) or ("integer" in second and "number" in first):
        both |= {"integer"}
    return both
