"""Comparisons that the input schemas say cannot hold: a text against an integer, a value that is none of the choices.

Looked at are reads of arguments beside literals and under functions that take one type only. Between two arguments
nothing is said.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from mcp_guard.cel.paths import Aliases, path_of
from mcp_guard.cel.syntax import Binary, Bind, Call, ListOf, Literal, Loop, Node, OptionalMap, parts
from mcp_guard.policy.diagnostics import closest
from mcp_guard.policy.input_schema import Segments, Shape, find
from mcp_guard.policy.lints import words
from mcp_guard.policy.lints.fields import shown
from mcp_guard.policy.lints.reach import Target
from mcp_guard.policy.lints.subjects import ARGUMENTS, Subject
from mcp_guard.policy.report import Report

NUMBERS = frozenset(("integer", "number"))
KINDS: Sequence[tuple[type, frozenset[str], str]] = (
    (bool, frozenset(("boolean",)), "a boolean"),
    (int, NUMBERS, "a number"),
    (float, NUMBERS, "a number"),
    (str, frozenset(("string",)), "text"),
    (type(None), frozenset(("null",)), "null"),
)
"""What a literal is, as JSON Schema's types and in a word; the first that fits."""

TEXT = frozenset(("string",))
NEEDS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        (
            "startsWith",
            "endsWith",
            "contains",
            "matches",
            "lowerAscii",
            "upperAscii",
            "trim",
            "split",
            "replace",
            "substring",
        ),
        TEXT,
    ),
    "size": frozenset(("string", "array", "object")),
}
"""The types that a function takes as its target."""

EQUALS = frozenset(("==", "!=", "in"))
COMPARED = EQUALS - {"in"} | {"<", "<=", ">", ">="}


class Use(msgspec.Struct, frozen=True):
    """A path beside what it is compared with (`value`, by `operator`), or under a function (`function`). `element`: the
    value is looked for among its items. `at`, `length`: what of the condition to point to.
    """

    path: Segments
    at: int
    length: int
    value: Literal | None = None
    operator: str = ""
    function: str = ""
    element: bool = False


def check(subject: Subject, report: Report) -> bool:
    """Report what never fits the schemas. Gives whether anything was reported."""
    found: dict[Use, list[Target]] = {}
    for sight in subject.sights:
        for use in uses(sight.tree, {}):
            found.setdefault(use, []).append(sight.target)
    reported = False
    for use, targets in found.items():
        told = [(target, shape) for target in targets if (shape := _shape(use, target)) is not None]
        reported |= _check_types(subject, use, told, report) or _check_choices(subject, use, told, report)
    return reported


def _shape(use: Use, target: Target) -> Shape | None:
    """What a tool's schema says of what is compared, where it says anything."""
    found = find(target.shape, (*use.path, None) if use.element else use.path)
    return found.shape if found.declared and found.shape is not None and found.shape.types else None


def _check_types(subject: Subject, use: Use, told: Sequence[tuple[Target, Shape]], report: Report) -> bool:
    fitting, what = (NEEDS[use.function], "") if use.value is None else kind_of(use.value.value)
    wrong = [(target, shape) for target, shape in told if fitting.isdisjoint(shape.types)]
    if not wrong or not fitting:
        return False
    name = shown(use.path) + ("[*]" if use.element else "")
    types = " or ".join(dict.fromkeys(_a(shape.type_name) for _, shape in wrong))
    which = words.tools(target for target, _ in wrong)
    never = f"`{use.function}` cannot be asked of it"
    if use.value is not None:
        never = f"it never equals {what}" if use.operator in EQUALS else f"it cannot be compared with {what}"
    hint = "" if use.value is None else _type_hint(use.value.value, wrong[0][1])
    report.warning("type-mismatch", f"`{name}` is {types} ({which}): {never}", subject.place(use.at, use.length), hint)
    return True


def _check_choices(subject: Subject, use: Use, told: Sequence[tuple[Target, Shape]], report: Report) -> bool:
    if use.value is None or not told:
        return False
    value = use.value.value
    choices: list[object] = []
    for _, shape in told:
        if shape.choices is None or any(value == one and type(value) is type(one) for one in shape.choices):
            return False
        choices += [one for one in shape.choices if one not in choices]
    names = [str(one) for one in choices]
    near = closest(str(value), names)
    hint = f"did you mean `{near}`?" if near else f"there are: {', '.join(names[:20])}"
    which = words.tools(target for target, _ in told)
    message = f"`{shown(use.path)}` is never `{value}` ({which})"
    report.warning("unknown-choice", message, subject.place(use.at, use.length), hint)
    return True


def kind_of(value: object) -> tuple[frozenset[str], str]:
    """What a literal is in JSON Schema's types, and in a word; no types where it is nothing that JSON has."""
    return next(((types, word) for kind, types, word in KINDS if isinstance(value, kind)), (frozenset[str](), ""))


def _a(type_name: str) -> str:
    return f"an {type_name}" if type_name[0] in "aio" else f"a {type_name}"


def _type_hint(value: object, shape: Shape) -> str:
    if isinstance(value, str) and not NUMBERS.isdisjoint(shape.types) and value.lstrip("-").isdigit():
        return f"leave the quotes out: `{value}`"
    if isinstance(value, str) and "boolean" in shape.types and value.lower() in ("true", "false"):
        return f"leave the quotes out: `{value.lower()}`"
    if value is None:
        return "an argument that is left out is not null: ask `!has(…)`"
    if "string" in shape.types:
        return f'quote it: `"{value}"`'
    if "array" in shape.types:
        return "ask for an item: `… in …`, or `….exists(item, …)`"
    return ""


def uses(node: Node, aliases: Aliases) -> Iterator[Use]:
    """Every use of an argument beside a literal or under a function of `NEEDS`."""
    if isinstance(node, Binary):
        yield from _compared(node, aliases)
    if isinstance(node, Call) and node.function in NEEDS:
        target = node.target if node.target is not None else next(iter(node.arguments), None)
        path = argument(target, aliases) if target is not None else None
        if target is not None and path:
            yield Use(path, start(target), len(shown(path)), function=node.function)
    for part, inside in inner_parts(node, aliases):
        yield from uses(part, inside)


def _compared(node: Binary, aliases: Aliases) -> Iterator[Use]:
    left, right = node.left, node.right
    if node.operator in COMPARED:
        for one, other in ((left, right), (right, left)):
            path = argument(one, aliases)
            if path and isinstance(other, Literal):
                yield _use(path, other, node.operator)
    elif node.operator == "in":
        path = argument(left, aliases)
        if path and isinstance(right, ListOf):
            yield from (_use(path, item, "in") for item in right.items if isinstance(item, Literal))
        path = argument(right, aliases)
        if path and isinstance(left, Literal):
            yield _use(path, left, "in", element=True)


def _use(path: Segments, literal: Literal, operator: str, *, element: bool = False) -> Use:
    return Use(path, literal.at, len(repr(literal.value)), value=literal, operator=operator, element=element)


def argument(node: Node, aliases: Aliases) -> Segments | None:
    """The path within the arguments that a node is, if it is one."""
    path = path_of(node, aliases)
    return path[len(ARGUMENTS) :] if path is not None and path[:2] == ARGUMENTS and len(path) > 2 else None


def inner_parts(node: Node, aliases: Aliases) -> Iterator[tuple[Node, Aliases]]:
    """The nodes under this one, each with what the names bound there stand for."""
    inside = BINDS[type(node)](node, aliases) if type(node) in BINDS else aliases
    outer = 1 if type(node) in BINDS else 0  # what is looped over or bound stands outside
    for position, part in enumerate(parts(node)):
        yield part, aliases if position < outer else inside


def _bound_by_loop(node: Loop, aliases: Aliases) -> Aliases:
    over = path_of(node.over, aliases)
    item = None if over is None or over == ARGUMENTS else (*over, None)
    return {**aliases, **dict.fromkeys(node.variables), node.variables[-1]: item}


def _bound(node: Bind, aliases: Aliases) -> Aliases:
    return {**aliases, node.variable: path_of(node.value, aliases)}


def _bound_by_optional(node: OptionalMap, aliases: Aliases) -> Aliases:
    return {**aliases, node.variable: path_of(node.target, aliases)}


BINDS: Mapping[type[Node], Callable[..., Aliases]] = {
    Loop: _bound_by_loop,
    Bind: _bound,
    OptionalMap: _bound_by_optional,
}


def start(node: Node) -> int:
    """Where in the condition a node begins."""
    while (inner := next(iter(parts(node)), None)) is not None:
        node = inner
    return node.at
