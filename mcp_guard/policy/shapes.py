"""A tree against the shape of a document: every mistake at its place in the file, in words for people.

A shape is a `Section`: the fields of a mapping with their types. What is wrong is reported and taken out, so that the
rest is still checked and a person sees all errors in one go: a faulty entry of a list or mapping of sections is left
out, and so is a faulty field of the whole document. A document that comes out of here with errors reported is never put
into force. Which field means what is not known here.
"""

import sys
from collections.abc import Collection, Iterable
from typing import Any, ClassVar, Generic, TypeVar, cast

import msgspec
from msgspec import inspect

from mcp_guard.policy.diagnostics import closest, suggestion
from mcp_guard.policy.report import Report
from mcp_guard.policy.tree import Fields, Items, Node, Path, Scalar, Tree, plain

_ONE_OR_MANY = "one_or_many"
_LARGEST = sys.float_info.max
_TEXT = {"type": "string", "minLength": 1}
_TRUTH_WORDS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_FAULTY = object()
"""What stands for a value that is reported and taken out."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping with known fields. `called` is what messages call it, article included ("a rule").

    A field whose default is `UNSET` may be left out; none may be there with nothing in it.
    """

    called: ClassVar[str]


Document = TypeVar("Document", bound=Section)


class Checked(msgspec.Struct, Generic[Document], frozen=True):
    """A tree and the document of the right shape that it holds. `left_out` are the paths of the entries that did not
    fit: where there are any, positions in the document's lists are not those in the tree.
    """

    tree: Tree
    document: Document
    left_out: frozenset[Path]

    def positions(self, field: str) -> list[int]:
        """For each entry of a list of the document, its position in the tree."""
        node = self.tree.find((field,))
        count = len(node.nodes) if isinstance(node, Items) else 0
        return [position for position in range(count) if (field, position) not in self.left_out]


def texts(description: str, at_least: int = 0) -> msgspec.Meta:
    """The annotation of a list of texts, for which a single text may stand."""
    many: dict[str, object] = {"type": "array", "items": _TEXT, **({"minItems": at_least} if at_least else {})}
    return msgspec.Meta(description=description, extra={_ONE_OR_MANY: True}, extra_json_schema={"anyOf": [_TEXT, many]})


def check(tree: Tree, shape: type[Document], report: Report) -> Checked[Document]:
    """The document that a tree holds. What does not fit is reported and left out."""
    reading = _Reading(tree, report)
    data = reading.document(cast(inspect.StructType, inspect.type_info(shape)))
    return Checked(tree, msgspec.convert(data, shape), frozenset(reading.left_out))


class _Reading:
    """One walk over a tree and its shape."""

    def __init__(self, tree: Tree, report: Report) -> None:
        self._tree = tree
        self._report = report
        self.left_out: set[Path] = set()

    def document(self, shape: inspect.StructType) -> dict[str, object]:
        """The fields of the whole document that fit; one that must be there and does not fit gets its first value."""
        data, _ = self._fields(self._tree.root, shape, ())
        for field in shape.fields:
            if field.required and field.encode_name not in data:
                data[field.encode_name] = _first_value(field.type)
        return data

    def _value(self, node: Node, kind: inspect.Type, path: Path, many: bool = False) -> object:
        """The value of a node, if it is of this type; else that is reported, and it is `_FAULTY`."""
        match kind, node:
            case inspect.Metadata(), _:
                return self._value(node, kind.type, path, _is_one_or_many(kind))
            case inspect.StructType(), Fields():
                data, sound = self._fields(node, kind, path)
                return data if sound else _FAULTY
            case inspect.DictType(), Fields():
                pairs = ((str(key.value), value) for key, value in node.pairs)
                return dict(self._entries(pairs, kind.value_type, path))
            case inspect.VarTupleType(), Scalar(value=str()) if many:
                return [node.value]
            case inspect.VarTupleType(), Items():
                found = [value for _, value in self._entries(enumerate(node.nodes), kind.item_type, path)]
                return found if len(found) == len(node.nodes) or _is_section(kind.item_type) else _FAULTY
            case (inspect.StrType(), Scalar(value=str())) | (inspect.BoolType(), Scalar(value=bool())):
                return node.value
            case inspect.FloatType(), Scalar(value=int() | float() as number) if _in_range(number, kind):
                return number
            case inspect.IntType(), Scalar(value=int() as number) if _in_range(number, kind):
                return number
            case inspect.LiteralType(), Scalar() if _is_one_of(node.value, kind.values):
                return node.value
            case ((inspect.AnyType()), _):
                return plain(node)
            case _:
                self._wrong(node, kind, path, many)
                return _FAULTY

    def _entries(
        self, nodes: "Iterable[tuple[str | int, Node]]", kind: inspect.Type, path: Path
    ) -> "list[tuple[Any, object]]":
        """The entries of a list or mapping that fit, each under its index or key."""
        found: list[tuple[Any, object]] = []
        for step, node in nodes:
            value = self._value(node, kind, (*path, step))
            if value is _FAULTY:
                self.left_out.add((*path, step))
            else:
                found.append((step, value))
        return found

    def _fields(self, node: Fields, shape: inspect.StructType, path: Path) -> tuple[dict[str, object], bool]:
        """The fields that fit, and whether none is faulty or missing. One that nobody knows does no harm to others."""
        kinds = {field.encode_name: field.type for field in shape.fields}
        data: dict[str, object] = {}
        meant: set[str] = set()
        faulty = False
        for key, child in node.pairs:
            name = str(key.value)
            if name not in kinds:
                meant.add(closest(name, kinds))
                self._unknown(key, shape, kinds)
                continue
            value = self._value(child, kinds[name], (*path, name))
            if value is _FAULTY:
                self.left_out.add((*path, name))
                faulty = True
            else:
                data[name] = value
        missing = [field.encode_name for field in shape.fields if field.required and field.encode_name not in node.at]
        for name in missing:
            if name not in meant:
                self._missing(node, shape, name)
        return data, not faulty and not missing

    # What is said

    def _unknown(self, key: Scalar, shape: inspect.StructType, known: Collection[str]) -> None:
        message = f"`{key.value}` is not a field of {_called(shape)}"
        hint = suggestion(str(key.value), known)
        self._report.error("unknown-field", message, self._tree.place(key), hint)

    def _missing(self, node: Node, shape: inspect.StructType, name: str) -> None:
        hint = "begin the file with `version: 1`" if name == "version" else ""
        self._report.error("missing-field", f"{_called(shape)} needs `{name}`", self._tree.place(node), hint)

    def _wrong(self, node: Node, kind: inspect.Type, path: Path, many: bool) -> None:
        place = self._tree.place(node)
        if isinstance(kind, inspect.LiteralType):
            shown = ", ".join(f"`{value}`" for value in kind.values)
            hint = "leave the quotes out" if _text(node) in map(str, kind.values) else ""
            self._report.error("unknown-value", f"{_shown(node)} is not one of: {shown}", place, hint)
            return
        expected = "text or a list of texts" if many else _expected(kind)
        self._report.error("wrong-type", f"{expected} expected, {_found(node)} found", place, _type_hint(kind, node))


_EXPECTED: dict[type[inspect.Type], str] = {
    inspect.StrType: "text",
    inspect.BoolType: "`true` or `false`",
    inspect.FloatType: "a number that is not below zero",
    inspect.IntType: "a whole number within bounds",
    inspect.VarTupleType: "a list",
    inspect.DictType: "a mapping",
    inspect.StructType: "a mapping",
}


def _expected(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.FloatType) and kind.le is not None:
        return f"a number from {kind.ge or 0:g} to {kind.le:g}"
    return _EXPECTED[type(kind)]


def _first_value(kind: inspect.Type) -> object:
    """A value that stands in for one that must be there, so that the rest of a refused document can be looked at."""
    kind = kind.type if isinstance(kind, inspect.Metadata) else kind
    assert isinstance(kind, inspect.LiteralType), "a document is given no other fields that must be there"
    return kind.values[0]


def _is_one_or_many(kind: inspect.Metadata) -> bool:
    return _ONE_OR_MANY in cast("dict[str, object]", kind.extra or {})  # pyright: ignore[reportUnknownMemberType]


def _is_section(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.StructType)


def _in_range(number: float, kind: inspect.FloatType | inspect.IntType) -> bool:
    """Whether the type allows this number: one that a double can hold, within the type's bounds. A boolean is none."""
    if isinstance(number, bool) or not -_LARGEST <= number <= _LARGEST:  # nor is an infinity, or what is no number
        return False
    return (kind.ge is None or number >= kind.ge) and (kind.le is None or number <= kind.le)


def _is_one_of(value: object, values: Iterable[object]) -> bool:
    return any(value == known and type(value) is type(known) for known in values)  # `true` is no 1


def _called(shape: inspect.StructType) -> str:
    return cast("type[Section]", shape.cls).called


def _text(node: Node) -> str:
    return str(node.value) if isinstance(node, Scalar) else ""


def _shown(node: Node) -> str:
    """A value as its author wrote it; what it is where that is not a word."""
    if not isinstance(node, Scalar) or node.value is None:
        return _found(node)
    return f"`{str(node.value).lower() if isinstance(node.value, bool) else node.value}`"


def _found(node: Node) -> str:
    match node:
        case Items():
            return "a list"
        case Fields():
            return "a mapping"
        case Scalar(value=None):
            return "nothing"
        case Scalar(value=bool()):
            return "a boolean"
        case Scalar(value=str()):
            return "text"
        case _:
            return "a number"


def _type_hint(kind: inspect.Type, node: Node) -> str:
    if not isinstance(node, Scalar):
        return ""
    if node.value is None:
        return "leave the field out, or give it a value"
    if isinstance(kind, inspect.BoolType) and str(node.value).lower() in _TRUTH_WORDS:
        return f"write `{_TRUTH_WORDS[str(node.value).lower()]}`"
    if isinstance(kind, inspect.IntType) and kind.ge is not None and kind.le is not None:
        return f"a number from {kind.ge} to {kind.le}"
    return "quote it to make it text" if isinstance(kind, inspect.StrType) else ""
