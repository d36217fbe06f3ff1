"""A tree against the shape of a policy: pydantic's findings in our words, each at its place in the file.

What is wrong is reported and taken out, so that the rest is still checked: a person sees all errors in one go. A
document that comes out of here with errors reported is never put into force.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import msgspec
from pydantic import ValidationError

from mcp_guard.policy.diagnostics import closest, suggestion
from mcp_guard.policy.document import SECTIONS, PolicyDocument
from mcp_guard.policy.report import Report
from mcp_guard.policy.tree import Fields, Items, Node, Path, Scalar, Tree, plain

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

EXPECTED = {
    "string_type": "text",
    "bool_type": "`true` or `false`",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "nothing_given": "a value",
}
TRUTH_WORDS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


class Checked(msgspec.Struct, frozen=True):
    """A document of the right shape, with the places of its rules and tests in the tree: some may have been left out.

    `whole` says that nothing was.
    """

    tree: Tree
    document: PolicyDocument
    rules: tuple[int, ...]
    tests: tuple[int, ...]
    whole: bool


def check_shape(tree: Tree, report: Report) -> Checked:
    """The document that a tree holds. What does not fit is reported and left out."""
    data = cast(dict[str, object], plain(tree.root))
    try:
        document = PolicyDocument.model_validate(data)
    except ValidationError as found:
        return _check_rest(tree, data, found.errors(include_url=False, include_context=True), report)
    return Checked(tree, document, _all(document.rules), _all(document.tests), True)


def _check_rest(tree: Tree, data: dict[str, object], errors: "list[ErrorDetails]", report: Report) -> Checked:
    unknown = [error for error in errors if error["type"] == "extra_forbidden"]
    others = [error for error in errors if error["type"] != "extra_forbidden"]
    meant = {(*error["loc"][:-1], _meant(error)) for error in unknown}
    for error in (*unknown, *others):
        if error["type"] != "missing" or error["loc"] not in meant:
            _report(tree, error, report)
    left_out: dict[str, set[int]] = {"rules": set(), "tests": set()}
    for error in unknown:
        _drop(data, error["loc"])
    for error in others:
        _take_out(data, error["loc"], left_out)
    kept: dict[str, tuple[int, ...]] = {}
    for section, positions in left_out.items():
        entries = cast(list[object], data.get(section, []))
        kept[section] = tuple(position for position in range(len(entries)) if position not in positions)
        data[section] = [entries[position] for position in kept[section]]
    try:
        return Checked(tree, PolicyDocument.model_validate(data), kept["rules"], kept["tests"], False)
    except ValidationError:
        return Checked(tree, PolicyDocument(version=1), (), (), False)


def _drop(data: dict[str, object], path: Path) -> None:
    """Take one field out."""
    holder: object = data
    for step in path[:-1]:
        holder = cast(dict[str | int, object], holder)[step]
    cast(dict[str | int, object], holder).pop(path[-1], None)


def _take_out(data: dict[str, object], path: Path, left_out: Mapping[str, set[int]]) -> None:
    """Take out what an error is about: the entry of a section, else the section."""
    section = cast(str, path[0])
    if section == "version":
        data["version"] = 1
    elif section in left_out and len(path) > 1:
        left_out[section].add(cast(int, path[1]))
    elif section in ("agents", "servers", "users") and len(path) > 1:
        cast(dict[str | int, object], data[section]).pop(path[1], None)
    else:
        data.pop(section, None)


def _meant(error: "ErrorDetails") -> str:
    """The field that an unknown one was likely meant to be."""
    path = error["loc"]
    _, section = SECTIONS.get(_section_of(path[:-1]), ("", PolicyDocument))
    return closest(str(path[-1]), section.model_fields)


def _report(tree: Tree, error: "ErrorDetails", report: Report) -> None:
    path = error["loc"]
    called, section = SECTIONS.get(_section_of(path[:-1]), ("this", PolicyDocument))
    node = tree.find(path)
    match error["type"]:
        case "extra_forbidden":
            hint = suggestion(str(path[-1]), section.model_fields)
            report.error("unknown-field", f"`{path[-1]}` is not a field of {called}", tree.place(tree.key(path)), hint)
        case "missing":
            report.error("missing-field", f"{called} needs `{path[-1]}`", tree.place(node), _missing_hint(path))
        case "literal_error":
            _report_value(tree, error, node, report)
        case kind:
            is_scalar_or_list = kind == "list_type" and path not in (("rules",), ("tests",))
            expected = "text or a list of texts" if is_scalar_or_list else EXPECTED.get(kind, error["msg"])
            hint = _type_hint(kind, node)
            report.error("wrong-type", f"{expected} expected, {_found(node)} found", tree.place(node), hint)


def _report_value(tree: Tree, error: "ErrorDetails", node: Node, report: Report) -> None:
    expected = cast(Mapping[str, str], error.get("ctx", {})).get("expected", "")
    known = [word.strip().strip("'") for word in expected.replace(" or ", ", ").split(",")]
    shown = ", ".join(f"`{word}`" for word in known)
    given = _shown(node)
    hint = "leave the quotes out" if given.strip("`") in known else ""
    report.error("unknown-value", f"{given} is not one of: {shown}", tree.place(node), hint)


def _shown(node: Node) -> str:
    """A value as its author wrote it; what it is where that is not a word."""
    if not isinstance(node, Scalar) or node.value is None:
        return _found(node)
    return f"`{str(node.value).lower() if isinstance(node.value, bool) else node.value}`"


def _section_of(path: Path) -> tuple[str, ...]:
    """The path of a section, with `*` for the keys and indexes that are the author's: every second step."""
    return tuple("*" if depth % 2 else str(step) for depth, step in enumerate(path))


def _missing_hint(path: Path) -> str:
    return "begin the file with `version: 1`" if path == ("version",) else ""


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


def _type_hint(kind: str, node: Node) -> str:
    if not isinstance(node, Scalar):
        return ""
    if node.value is None:
        return "leave the field out, or give it a value"
    if kind == "bool_type" and str(node.value).lower() in TRUTH_WORDS:
        return f"write `{TRUTH_WORDS[str(node.value).lower()]}`"
    return "quote it to make it text" if kind == "string_type" else ""


def _all(entries: Sequence[object]) -> tuple[int, ...]:
    return tuple(range(len(entries)))
