"""What lints look at: each rule as it stands in its file, with the tools of the catalog that its calls come to.

A tool is a rule's only where a call of it can get that far: scope and patterns fit, and no rule above decides it
whatever the arguments are. What the rule's condition comes to for that tool is worked out here, once for all lints.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import product
from math import prod
from typing import cast

import msgspec

from mcp_guard.cel.outcomes import ALWAYS, EITHER, NEVER, NOTHING, Outcomes, outcomes
from mcp_guard.cel.parser import parse
from mcp_guard.cel.paths import Path, paths
from mcp_guard.cel.pruning import pruned
from mcp_guard.cel.syntax import Node
from mcp_guard.cel.values import UNKNOWN, Value
from mcp_guard.policy.assembly import RuleEntry
from mcp_guard.policy.declarations import Declarations
from mcp_guard.policy.diagnostics import Place
from mcp_guard.policy.input_schema import Found, Segments, Shape, find
from mcp_guard.policy.lints.reach import Reach, Target
from mcp_guard.policy.lints.scopes import for_all_people_of, is_unconditional
from mcp_guard.policy.rules import Rule
from mcp_guard.policy.situation import offer
from mcp_guard.policy.spans import offset_of
from mcp_guard.policy.tree import Scalar
from mcp_guard.policy.values import Json

ARGUMENTS = ("request", "args")
OBJECT, BOOLEAN = frozenset(("object",)), frozenset(("boolean",))
MOST_COMBINATIONS = 64  # of what the arguments that a condition reads may be


class Absent(msgspec.Struct, frozen=True):
    """Stands for the value of an argument that is left out."""


ABSENT = Absent()


class Sight(msgspec.Struct, frozen=True):
    """A rule's condition before one tool. `tree` is what of it this tool's calls decide, `reads` the paths within the
    arguments that are read there; `outcomes` what it comes to where the arguments are those that the tool has, with and
    without those that may be left out.
    """

    target: Target
    tree: Node
    reads: tuple[Path, ...]
    outcomes: Outcomes


class Subject:
    """One rule, with what the catalog knows of the tools that it is for: those that it `matches`, and of these
    the `targets`, whose calls come to it. `unconditional`: it decides everything that it is for.
    """

    def __init__(self, entry: RuleEntry, rule: Rule, declared: Declarations, reach: Reach) -> None:
        self.entry = entry
        self.rule = rule
        self.declared = declared
        self.reach = reach
        self.unconditional = is_unconditional(rule)
        self.fitting = reach.of(rule)
        self.settled = 0  # tools that rules above decide, whoever of those that the rule is for asks

    @property
    def matches(self) -> tuple[Target, ...]:
        """The tools that the rule is for."""
        return self.reach.targets(self.fitting)

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """Those of them whose calls come to it."""
        return self.reach.targets(self.fitting & ~self.settled)

    @cached_property
    def tree(self) -> Node | None:
        """The condition's syntax tree."""
        return parse(self.rule.condition.source) if self.rule.condition is not None else None

    @cached_property
    def sights(self) -> tuple[Sight, ...]:
        """The condition before each tool; without those that it rules out by what it says of server and tool."""
        return tuple(self._sights()) if self.tree is not None else ()

    def _sights(self) -> Iterator[Sight]:
        assert self.tree is not None
        looks_at_tool = any(path.segments[0] == "mcp" for path in paths(self.tree))
        tree = self.tree
        for target in self.targets:
            if looks_at_tool:
                tree = pruned(self.tree, facts(self.declared, target))
                if outcomes(tree, {}) == NEVER:
                    continue
            reads = argument_paths(tree)
            yield Sight(target, tree, reads, self._outcomes(target, tree, reads))

    def _outcomes(self, target: Target, tree: Node, reads: Sequence[Path]) -> Outcomes:
        """What the condition comes to for each combination of what its arguments may be, as far as the schema tells."""
        asked = dict.fromkeys((*map(inside_arguments, reads), *_of_whole_objects(target.shape, tree)))
        told = {path: found for path in asked if (found := find(target.shape, path)).declared}
        each_path = [path for path in told if None not in path]
        for options in (_values, _presence):
            each = [options(told[path]) for path in each_path]
            if prod(map(len, each)) <= MOST_COMBINATIONS:
                given = (dict(zip(each_path, combination, strict=True)) for combination in product(*each))
                return NOTHING.union(*(outcomes(tree, facts(self.declared, target, one)) for one in given))
        return EITHER

    def outcomes(self, known: Mapping[str, Value]) -> Outcomes:
        """What the condition may come to where no more than this is known."""
        return outcomes(self.tree, known) if self.tree is not None else ALWAYS

    def place(self, at: int, length: int = 1) -> Place:
        """The place in the file of what stands at an offset of the condition."""
        assert self.rule.condition is not None
        node, text = self.entry.node("when"), self.entry.tree.text
        before = self.rule.condition.source[:at]
        line, column = before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1
        start = offset_of(text, node, line, column) if isinstance(node, Scalar) else node.start
        return text.place(start, min(start + length, node.end))


def subjects(
    entries: Sequence[tuple[RuleEntry, Rule]], declared: Declarations, reach: Reach, *, inactive: bool = False
) -> list[Subject]:
    """The active rules, each with the tools whose calls come to it; with `inactive` the others as well, as they would
    be. They keep no call from any other.
    """
    found = [Subject(entry, rule, declared, reach) for entry, rule in entries if inactive or rule.status == "active"]
    above: list[Subject] = []
    for subject in found:
        for one in above:
            if one.fitting & subject.fitting & ~subject.settled and for_all_people_of(one.rule, subject.rule, declared):
                subject.settled |= one.fitting
        if subject.unconditional and subject.rule.status == "active":
            above.append(subject)
    return found


Given = Mapping[Segments, Value | Absent]
"""Values of arguments, by path; `ABSENT` for one that is left out."""


def _values(found: Found) -> Sequence[Value | Absent]:
    """What an argument may be: its choices where they are few, else something unknown; and absent where it may be."""
    shape = found.shape
    choices: Sequence[Json] | None = None if shape is None else shape.choices
    if choices is None and shape is not None and shape.types == BOOLEAN:
        choices = (False, True)
    values: list[Value | Absent] = [UNKNOWN] if choices is None else [*choices]
    return values if found.always else [*values, ABSENT]


def _presence(found: Found) -> Sequence[Value | Absent]:
    """Whether an argument is there, and nothing of what it is."""
    return [UNKNOWN] if found.always else [UNKNOWN, ABSENT]


def facts(declared: Declarations, target: Target, given: Given | None = None) -> dict[str, Value]:
    """What a condition knows of a tool before who calls it is known. Where some arguments are `given`, it also knows
    which others there are.
    """
    server = declared.server(target.server)
    own = {"id": server.slug, "name": server.name or server.slug, "slug": server.slug, "tags": list(server.tags)}
    tool = offer(declared, target.server, "tool", target.tool.name).facts
    known = UNKNOWN if given is None or target.shape.open else _known(target.shape, given, ())
    return cast("dict[str, Value]", {"mcp": {**own, "tool": tool}, "request": {"args": known}})


def _known(shape: Shape, given: Given, path: Segments) -> Value:
    """An object of which the names are known, as far down as the schema says so, with the values that are given."""
    members: dict[str, Value] = {}
    for name, inner in shape.fields.items():
        here = (*path, name)
        value = given.get(here, UNKNOWN)
        if not isinstance(value, Absent):
            is_told = value is UNKNOWN and inner.fields and not inner.open and inner.types == OBJECT
            members[name] = _known(inner, given, here) if is_told else value
    return members


def _of_whole_objects(shape: Shape, tree: Node) -> Iterator[Segments]:
    """The arguments within each object that an expression reads as a whole, as by going through its names or by a
    computed one: what it comes to hangs on which of them are there.
    """
    for path in paths(tree):
        segments = path.segments[:-1] if path.segments[-1] is None else path.segments
        if path.used and segments[:2] == ARGUMENTS[: len(segments)]:
            yield from _within(find(shape, segments[2:]).shape, segments[2:])


def _within(shape: Shape | None, path: Segments) -> Iterator[Segments]:
    """The paths of all that the schema names inside, however deep."""
    for name, inner in shape.fields.items() if shape is not None else ():
        yield (*path, name)
        yield from _within(inner, (*path, name))


def argument_paths(tree: Node) -> tuple[Path, ...]:
    """The paths within `request.args` that an expression reads, and no prefix of another one."""
    found = [path for path in paths(tree) if path.segments[:2] == ARGUMENTS and len(path.segments) > 2]
    return tuple(found)


def inside_arguments(path: Path) -> Segments:
    """A path from the arguments down."""
    return path.segments[len(ARGUMENTS) :]
