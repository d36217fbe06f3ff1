"""The rules of all files, put together: ids, scopes and conditions, each checked for what it must mean.

Several files are one list. Everything wrong is reported at its place; the caller refuses the policy if any of it is an
error.
"""

from collections.abc import Sequence
from typing import cast

import msgspec
from msgspec import UNSET, UnsetType

from mcp_guard import cel
from mcp_guard.policy.conditions import compile_condition
from mcp_guard.policy.declarations import slug_of
from mcp_guard.policy.diagnostics import Place
from mcp_guard.policy.document import PolicyDocument, RuleSection
from mcp_guard.policy.report import Report
from mcp_guard.policy.rules import Rule, Scope, kinds, reads, verdicts
from mcp_guard.policy.scope_checks import Fault, scope_fault
from mcp_guard.policy.selectors import OFFER_FIELDS, SCOPE_FIELDS
from mcp_guard.policy.shapes import Checked
from mcp_guard.policy.tree import Node, Tree
from mcp_guard.policy.values import OfferKind

LONGEST_ID = 100


class RuleEntry(msgspec.Struct, frozen=True):
    """A rule as it stands in a file."""

    tree: Tree
    position: int
    section: RuleSection

    def node(self, *path: str | int) -> Node:
        """The node of the rule, or of what stands at a path in it."""
        return self.tree.find(("rules", self.position, *path))

    def place(self, *path: str | int) -> Place:
        """Where that is."""
        return self.tree.place(self.node(*path))


def entries(files: Sequence[Checked[PolicyDocument]]) -> list[RuleEntry]:
    """The rules of the files as they stand there, in order."""
    return [
        RuleEntry(file.tree, position, section)
        for file in files
        for position, section in zip(file.positions("rules"), file.document.rules, strict=True)
    ]


def rules(entries: Sequence[RuleEntry], report: Report) -> list[Rule]:
    """A rule for each entry; of a faulty one what can be made of it, for further checks."""
    made = _ids(entries, report)
    return [_rule(entry, rule_id, report) for entry, rule_id in zip(entries, made, strict=True)]


def _rule(entry: RuleEntry, rule_id: str, report: Report) -> Rule:
    section = entry.section
    _check_scope(entry, report)
    condition = _condition(entry, report)
    scope, look = _scope(section), reads(condition)
    about = kinds(section.effect, scope, look)
    _check_reads(entry, condition, about, report)
    return Rule(
        id=rule_id,
        name=section.name or rule_id,
        effect=section.effect,
        status=section.status,
        scope=scope,
        condition=condition,
        message=section.message or None,
        place=entry.place(),
        about={kind: verdicts(rule_id, section.effect, section.message or None, condition, kind) for kind in about},
        reads=look,
        cost=None if section.cost is UNSET else section.cost,
    )


def _scope(section: RuleSection) -> Scope:
    def entries(given: tuple[str, ...] | UnsetType) -> tuple[str, ...] | None:
        return None if given is UNSET else tuple(dict.fromkeys(given))

    return Scope(*(entries(getattr(section, field)) for field in SCOPE_FIELDS))


def _check_scope(entry: RuleEntry, report: Report) -> None:
    for field in SCOPE_FIELDS:
        given = cast(tuple[str, ...] | UnsetType, getattr(entry.section, field))
        if given == ():
            hint = f"leave `{field}` out to match any; to switch the rule off, write `status: disabled`"
            place = entry.place(field)
            report.error("empty-scope", f"an empty `{field}` matches nothing: the rule would never apply", place, hint)
        for position, text in enumerate(given or ()):
            if (fault := scope_fault(field, text)) is not None:
                _fault(fault, entry.tree, entry.node(field, position), report)


def _condition(entry: RuleEntry, report: Report) -> cel.Program | None:
    source, tree = entry.section.when, entry.tree
    if source is UNSET:
        if entry.section.effect == "gated":
            hint = "give it a `when`, or write `effect: allow`"
            place = entry.place("effect")
            report.error("gated-without-condition", "a gated rule must have a condition", place, hint)
        return None
    return compile_condition(source, tree, entry.node("when"), report)


def _check_reads(entry: RuleEntry, condition: cel.Program | None, about: Sequence[OfferKind], report: Report) -> None:
    """A condition that looks at a prompt, in a rule that is not about prompts, could never be evaluated."""
    for kind, field in OFFER_FIELDS.items():
        paths = condition.paths if condition else ()
        if kind not in about and any(path.segments[:2] == ("mcp", kind) for path in paths):
            message = f"the condition reads `mcp.{kind}`, but the rule is not about {field}"
            hint = f'name the {field} that it is about: `{field}: "*"` for all of them'
            report.error("another-kind", message, entry.place("when"), hint)


def _ids(entries: Sequence[RuleEntry], report: Report) -> list[str]:
    """An id for each rule: its own, which must be unique, or one made from its name, which is made unique."""
    taken: dict[str, RuleEntry] = {}
    for entry in entries:
        if entry.section.id is not UNSET:
            _check_id(entry, entry.section.id, taken, report)
            taken.setdefault(entry.section.id, entry)
    made = _MadeIds(set(taken))
    return [entry.section.id or made.id_for(_name(entry, report)) for entry in entries]


class _MadeIds:
    """Makes ids out of names: the name's slug, with a number where that is taken."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken
        self._numbers: dict[str, int] = {}

    def id_for(self, name: str) -> str:
        base = slug_of(name, otherwise="rule")
        made = base
        while made in self._taken:
            number = self._numbers[base] = self._numbers.get(base, 1) + 1
            made = f"{base}-{number}"
        self._taken.add(made)
        return made


def _check_id(entry: RuleEntry, rule_id: str, taken: dict[str, RuleEntry], report: Report) -> None:
    place = entry.place("id")
    if rule_id in taken:
        first = taken[rule_id].place("id")
        message = f"the rule at {first.path}:{first.line} has the id `{rule_id}` as well"
        report.error("duplicate-id", message, place, "an id names one rule, in all files together")
    if not rule_id.replace("-", "").replace("_", "").replace(".", "").isalnum() or len(rule_id) > LONGEST_ID:
        message = f"an id is letters, digits, `-`, `_` and `.`, at most {LONGEST_ID}"
        report.error("bad-id", message, place, f"write `{slug_of(rule_id)}`")


def _name(entry: RuleEntry, report: Report) -> str:
    name = entry.section.name or ""
    if not name.strip():
        place = entry.place("id" if entry.section.id is not UNSET else "name")
        report.error("missing-field", "a rule needs an `id` or a `name`", place, "say what the rule is for")
    return name


def _fault(fault: Fault, tree: Tree, node: Node, report: Report) -> None:
    report.error(fault.code, fault.message, tree.place(node), fault.hint)
